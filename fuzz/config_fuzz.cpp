// SPDX-License-Identifier: Apache-2.0
// YAML files as jobs, ours and Moore's. What is accepted must freeze to a text that reads back to the same
// values.
#include "config/load.hpp"
#include "input.hpp"

namespace {

template <class Job>
void round_trip(const zt::config::Resolved<Job>& resolved) {
  static zt::fuzz::InputFile frozen("frozen.yaml");
  const std::string text = zt::config::freeze(resolved);
  const auto back =
      zt::config::thaw<Job>(frozen.write(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
  zt::fuzz::expect(back && zt::config::digest(*back) == zt::config::digest(resolved.job));
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static zt::fuzz::InputFile file("job.yaml");
  const zt::config::LoadRequest request{file.write(data, size), {}};
  if (const auto job = zt::config::load<zt::config::TrainJob>(request)) round_trip(*job);
  if (const auto jobs = zt::config::load_many(request))
    for (const auto& job : *jobs) round_trip(job);
  return 0;
}
