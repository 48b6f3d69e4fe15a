// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/offload.hpp"

#include <fmt/format.h>

#include <string>

#include "base/text/text.hpp"
#include "config/internal/foreign.hpp"

namespace zt::config::foreign {
namespace {

constexpr std::string_view kOffload = "optimizer.offload";
constexpr std::string_view kNoNvme =
    "state on NVMe is not built; cpu keeps it in the host's memory, of which optimizer.use_8bit_adam: true "
    "takes a quarter and more ranks take a share each";

}  // namespace

Result<Ask> offload_ask(const KeyFile& file, const Entry& entry) {
  if (entry.is_auto) return keeps(file, entry, kOffload);
  const std::string device = lower(entry.value);
  if (device == "none" || device == "cpu") return wants(file, entry, kOffload, device);
  if (device == "nvme") return fail(file.error(entry, fmt::format("{}: {}", entry.written, kNoNvme)));
  return fail(file.error(
      entry, fmt::format("{}: wanted none or cpu, found {}", entry.written, text::quoted(entry.value))));
}

Result<Ask> offload_weights_ask(const KeyFile& file, const Entry& entry, int64_t stage) {
  const std::string device = lower(entry.value);
  if (entry.is_auto || device == "none" || device == "false") return says(file, entry, "as here");
  if (stage != 3) return says(file, entry, fmt::format("not used: it is for stage 3, and this is {}", stage));
  return fail(file.error(
      entry, fmt::format("{}: offloading of weights is not built: leave it out; parallel.zero_stage = 3 "
                         "shares them, optimizer.offload = cpu moves the optimizer's state",
                         entry.written)));
}

}  // namespace zt::config::foreign
