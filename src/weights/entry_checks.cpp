// SPDX-License-Identifier: Apache-2.0
#include "weights/internal/entry_checks.hpp"

#include <fmt/format.h>

#include <unordered_set>

#include "base/text/text.hpp"

namespace zt::weights::internal {

Status check_text(std::string_view text, std::string_view target) {
  if (text::is_utf8(text)) return {};
  return fail(ErrorCode::InvalidArgument,
              fmt::format("cannot write {}: {} is not UTF-8", target, text::quoted(text)));
}

Status check_writable(std::span<const TensorEntry> entries, std::string_view target) {
  std::unordered_set<std::string_view> names;
  for (const TensorEntry& entry : entries) {
    ZT_TRY(check_text(entry.name, target));
    if (entry.name.empty() || entry.name == "__metadata__" || !names.insert(entry.name).second) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("cannot write {}: the tensor name {} is empty, reserved or given twice", target,
                              text::quoted(entry.name)));
    }
    const auto wanted = byte_count(entry.dtype, entry.shape);
    if (!wanted || *wanted != entry.bytes.size()) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("cannot write {}: tensor {} ({} [{}]) comes with {} bytes", target,
                              text::quoted(entry.name), name(entry.dtype), fmt::join(entry.shape, ", "),
                              entry.bytes.size()));
    }
  }
  return {};
}

}  // namespace zt::weights::internal
