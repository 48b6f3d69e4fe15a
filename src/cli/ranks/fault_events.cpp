// SPDX-License-Identifier: Apache-2.0
// See fault_events.hpp.
#include "cli/ranks/fault_events.hpp"

namespace zt::cli {

void write_faults(const contract::RunFolder& run, int64_t generation, const std::string& writer,
                  std::span<const contract::FaultFound> faults) {
  auto events = contract::EventWriter::create(run.events(), generation, writer);
  if (!events) return;
  for (const contract::FaultFound& fault : faults) (void)events->write(fault);
}

}  // namespace zt::cli
