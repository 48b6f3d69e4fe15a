// SPDX-License-Identifier: Apache-2.0
// The one place where `compat: moore` is spelled out: every field in which our default differs from the
// reference (MooreThreads/Moore-AnimateAnyone, commit a914ef3), with the reference's value.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "config/enum_names.hpp"

namespace zt::config {

/// Whose behaviour the defaults follow. A field that the user sets wins over both.
enum class Compat { None, Moore };
template <>
struct EnumNames<Compat> {
  static constexpr std::array<std::string_view, 2> values = {"none", "moore"};
};

/// One changed field: dotted key, value as it would stand in YAML, and what the reference does.
struct CompatField {
  std::string_view key;
  std::string_view value;
  std::string_view reason;
};

std::span<const CompatField> train_compat_fields();
std::span<const CompatField> generate_compat_fields();

}  // namespace zt::config
