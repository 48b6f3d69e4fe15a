// SPDX-License-Identifier: Apache-2.0
// What every writer asks of the tensors it is given.
#pragma once

#include <span>
#include <string_view>

#include "base/error.hpp"
#include "weights/tensor_file.hpp"

namespace zt::weights::internal {

/// InvalidArgument unless `text` is UTF-8.
Status check_text(std::string_view text, std::string_view target);

/// InvalidArgument unless names are distinct, non-empty UTF-8 other than "__metadata__", and bytes fit type
/// and shape.
Status check_writable(std::span<const TensorEntry> entries, std::string_view target);

}  // namespace zt::weights::internal
