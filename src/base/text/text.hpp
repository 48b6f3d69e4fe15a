// SPDX-License-Identifier: Apache-2.0
// Small text functions that several folders need.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace zt::text {

std::vector<std::string> split(std::string_view s, char separator);
std::string_view trim(std::string_view s);
std::string join(std::span<const std::string> parts, std::string_view separator);

/// The number that the whole text is, as std::from_chars reads it: no blanks and no '+'. Nothing for any
/// other text, and where the number does not fit. A double may be "inf" or "nan". For int, int64_t, uint16_t,
/// unsigned, uint64_t and double.
template <class Number>
requires std::is_arithmetic_v<Number> std::optional<Number> to_number(std::string_view text);

/// Levenshtein distance.
size_t edit_distance(std::string_view a, std::string_view b);
/// The candidate nearest to `word`, or "" when none is within a third of its length: for "did you mean".
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// Whether every byte belongs to a well-formed UTF-8 sequence (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view s);
/// Outside text made safe for a message: in double quotes, control and non-ASCII bytes as \xNN, cut after
/// `limit` bytes with "..." and the length.
std::string quoted(std::string_view s, size_t limit = 80);

/// The text with a '?' for every control character but tab and line end: what a terminal shows of it is what
/// it says. One column each, as before.
std::string visible(std::string_view s);

/// "1.5 GiB", "812 KiB", "17 B".
std::string bytes(uint64_t n);
/// "850 ms", "12.3 s", "4 min 10 s", "2 h 05 min".
std::string duration(std::chrono::duration<double> d);

}  // namespace zt::text
