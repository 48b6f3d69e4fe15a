// SPDX-License-Identifier: Apache-2.0
// accelerate's YAML on top of a job. What is accepted must be a job that freezes and reads back.
#include "config/foreign/foreign_files.hpp"
#include "foreign_job.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static zt::fuzz::InputFile file("accelerate.yaml");
  zt::fuzz::read_over_a_job({.accelerate = file.write(data, size), .deepspeed = {}});
  return 0;
}
