// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/offload.hpp"

#include <fmt/format.h>

#include <string>

#include "base/text.hpp"
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

Status check_offload_variable(std::string_view text, const TrainJob& job) {
  const std::string value = lower(std::string(text));
  const bool is_there = job.optimizer.offload == Offload::Cpu || job.device == "cpu";
  if (value.empty() || value == "none" || (value == "cpu" && is_there)) return {};
  const std::string why =
      value == "nvme"
          ? std::string(kNoNvme)
          : "the run keeps the optimizer's state beside the weights: go on with `zoetrope train --resume "
            "RUN --set optimizer.offload=cpu`, or unset the variable";
  return fail(ErrorCode::InvalidArgument,
              fmt::format("{}={} in the environment: {}", kOffloadVariable, value, why));
}

}  // namespace zt::config::foreign
