// SPDX-License-Identifier: Apache-2.0
// load_sample() for callers that load many: files stay open between calls.
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "data/internal/source_pool.hpp"
#include "data/sample_loader.hpp"

namespace zt::data::internal {

Result<Sample> load_sample(const ClipIndex& index, const SamplePlan& plan, const LoadOptions& options,
                           SourcePool& sources);

/// Bytes of the source pictures that load_sample() holds at its peak.
uint64_t decode_bytes(const ClipIndex& index, const SamplePlan& plan, const LoadOptions& options);

}  // namespace zt::data::internal
