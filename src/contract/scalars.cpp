// SPDX-License-Identifier: Apache-2.0
// See scalars.hpp.
#include "contract/scalars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text/text.hpp"

namespace zt::contract {
namespace {

constexpr std::string_view kStep = "train.step";
constexpr std::array<std::string_view, 7> kCounts = {kStep,
                                                     "train.next_sample",
                                                     "train.data_set",
                                                     "train.early_decay_start",
                                                     "train.early_decay_end",
                                                     "ema.num_updates",
                                                     "scaler.good_steps"};
constexpr std::array<std::string_view, 3> kCountPrefixes = {"optimizer.step/", "train.suspect_clip.",
                                                            "train.left_out_clip."};
constexpr std::array<std::string_view, 2> kLossPrefixes = {"train.loss.", "train.losses."};
constexpr std::array<std::string_view, 2> kTimes = {"train.elapsed_s", "train.early_decay_cap_s"};
constexpr std::string_view kLossScale = "scaler.scale";

bool is_count(std::string_view name) {
  const auto begins_name = [&](std::string_view prefix) { return name.starts_with(prefix); };
  return std::ranges::find(kCounts, name) != kCounts.end() ||
         std::ranges::any_of(kCountPrefixes, begins_name) ||
         (std::ranges::any_of(kLossPrefixes, begins_name) && name.ends_with(".count"));
}

bool is_time(std::string_view name) { return std::ranges::find(kTimes, name) != kTimes.end(); }

Error no_such(std::string_view name, std::string_view text, std::string_view wanted) {
  return Error{ErrorCode::Corrupt, fmt::format("scalar {} is {}, which is not a {}", text::quoted(name),
                                               text::quoted(text), wanted)};
}

}  // namespace

std::string scalar_text(const Scalar& scalar) {
  // The alternate form always has a point or an exponent, so a reader can tell 1.0 from 1.
  if (const double* number = std::get_if<double>(&scalar)) return fmt::format("{:#}", *number);
  return fmt::format("{}", std::get<int64_t>(scalar));
}

Result<Scalar> parse_scalar(std::string_view name, std::string_view text) {
  if (const auto whole = text::to_number<int64_t>(text)) return *whole;
  if (const auto number = text::to_number<double>(text)) return *number;
  return fail(no_such(name, text, "number"));
}

Status check_scalars(const std::map<std::string, std::string>& scalars, int64_t step) {
  for (const auto& [name, text] : scalars) {
    ZT_TRY_ASSIGN(const Scalar scalar, parse_scalar(name, text));
    const int64_t* whole = std::get_if<int64_t>(&scalar);
    const double number = std::visit([](auto value) { return static_cast<double>(value); }, scalar);
    if (is_count(name) && (whole == nullptr || *whole < 0)) return fail(no_such(name, text, "count"));
    if (is_time(name) && !(std::isfinite(number) && number >= 0)) return fail(no_such(name, text, "time"));
    if (name == kLossScale && !(std::isfinite(number) && number > 0))
      return fail(no_such(name, text, "positive number"));
    if (name == kStep && *whole != step)
      return fail(ErrorCode::Corrupt,
                  fmt::format("scalar \"{}\" is {}, but the manifest is of step {}", name, *whole, step));
  }
  return {};
}

}  // namespace zt::contract
