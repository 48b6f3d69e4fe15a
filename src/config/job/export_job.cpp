// SPDX-License-Identifier: Apache-2.0
#include "config/job/export_job.hpp"

#include "config/internal/rules.hpp"
#include "config/listing.hpp"

namespace zt::config {

void describe(Listing& l, ExportJob& j) {
  l.field("run", j.run, {.help = "run whose weights are written"});
  l.field("output", j.output, {.help = "folder to make; it may be there if it is empty"});
  l.field("layout", j.layout, {.help = "whose files: docs/formats/export.md"});
  l.field("checkpoint", j.checkpoint,
          {.help = "best (lowest validation loss), newest, or a name such as step-00001200"});
  l.field("use_ema", j.use_ema, {.help = "averaged weights where the checkpoint has them"});
}

Status validate(const ExportJob& job) {
  if (job.run.empty()) return broken("run is not set: give the run whose weights are to be written");
  if (job.output.empty()) return broken("output is not set: give the folder to make (-o)");
  return {};
}

}  // namespace zt::config
