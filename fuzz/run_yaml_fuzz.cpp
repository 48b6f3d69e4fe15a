// SPDX-License-Identifier: Apache-2.0
// run.yaml of a run: the input as it stands, which a sum at its end guards, and without that line, as
// releases before it wrote it. What is accepted must freeze to a text that reads back to the same values.
#include "config/load.hpp"
#include "config/paths.hpp"
#include "input.hpp"

namespace {

void thaw(zt::fuzz::InputFile& file, std::string_view text) {
  const auto write = [&](std::string_view bytes) -> const std::filesystem::path& {
    return file.write(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  };
  const zt::config::RunPlaces moved{"/made/runs/a", file.folder()};
  const auto job = zt::config::thaw_run(write(text), moved);
  if (!job) return;
  const auto back = zt::config::thaw<zt::config::TrainJob>(
      write(zt::config::freeze(zt::config::Resolved<zt::config::TrainJob>{*job, {}, {}})));
  zt::fuzz::expect(back && zt::config::digest(*back) == zt::config::digest(*job));
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static zt::fuzz::InputFile file("run.yaml");
  const std::string_view text = zt::fuzz::text_of(data, size);
  thaw(file, text);
  if (const size_t sum = text.rfind("# sum"); sum != std::string_view::npos) thaw(file, text.substr(0, sum));
  return 0;
}
