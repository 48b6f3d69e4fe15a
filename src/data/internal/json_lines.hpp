// SPDX-License-Identifier: Apache-2.0
// What the two JSON Lines formats of this folder (key-points, index) share: walking lines, and a header line
// that names format, version and count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace zt::data::internal {

/// Lines of a text, without their ends; a last line without an end counts too.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> next();
  size_t number() const { return number_; }  ///< of the line given last; the first is 1
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  size_t number_ = 0;
};

/// Corrupt: "line 3: what".
tl::unexpected<Error> line_error(size_t line, std::string_view what);

/// The line as a JSON object. Errors: Corrupt; also for lines above 1 MiB.
Result<nlohmann::json> parse_object(std::string_view line, size_t number);

/// A whole number in [low, high]; nothing if it is absent or anything else.
std::optional<int64_t> whole_number(const nlohmann::json& object, const char* key, int64_t low, int64_t high);

/// Reads the first line and checks its "format" and "version".
Result<nlohmann::json> parse_header(Lines& lines, std::string_view format, int version);

}  // namespace zt::data::internal
