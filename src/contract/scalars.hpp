// SPDX-License-Identifier: Apache-2.0
// The numbers of a checkpoint's manifest ("scalars"): their text, and which of them can be. Both programs
// judge by this, so that what `ckpt verify` calls good a resume can take. Names and form:
// docs/formats/checkpoint.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.hpp"

namespace zt::contract {

/// A whole number, or one with a point, an exponent, `inf` or `nan`, which is told from it by its text alone.
using Scalar = std::variant<int64_t, double>;

/// The shortest text that parse_scalar() makes the same number of.
std::string scalar_text(const Scalar& scalar);
/// Errors: Corrupt if the text is no number.
Result<Scalar> parse_scalar(std::string_view name, std::string_view text);

/// Errors: Corrupt, naming the first that is no number, or that by its name is a count, a time, the loss
/// scale or the step and can't be one. `step`: the manifest's.
Status check_scalars(const std::map<std::string, std::string>& scalars, int64_t step);

}  // namespace zt::contract
