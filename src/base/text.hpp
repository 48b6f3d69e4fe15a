// SPDX-License-Identifier: Apache-2.0
// Small text functions that several folders need.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zt::text {

std::vector<std::string> split(std::string_view s, char separator);
std::string_view trim(std::string_view s);
std::string join(std::span<const std::string> parts, std::string_view separator);

/// Levenshtein distance.
size_t edit_distance(std::string_view a, std::string_view b);
/// The candidate nearest to `word`, or "" when none is within a third of its length: for "did you mean".
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// "1.5 GiB", "812 KiB", "17 B".
std::string bytes(uint64_t n);
/// "850 ms", "12.3 s", "4 min 10 s", "2 h 05 min".
std::string duration(std::chrono::duration<double> d);

}  // namespace zt::text
