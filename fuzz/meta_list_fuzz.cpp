// SPDX-License-Identifier: Apache-2.0
// Lists of videos: Moore's *_meta.json, CSV and JSON Lines share one reader; the first byte says which ending
// the file gets.
#include "data/ingest/internal/candidate.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static zt::fuzz::InputFile json("a_meta.json"), csv("a.csv"), lines("a.jsonl");
  if (size == 0) return 0;
  zt::fuzz::InputFile* const files[] = {&json, &csv, &lines};
  static_cast<void>(zt::data::ingest_internal::read_list(files[data[0] % 3]->write(data, size)));
  return 0;
}
