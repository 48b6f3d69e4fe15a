// SPDX-License-Identifier: Apache-2.0
#include "data/internal/json_lines.hpp"

#include <fmt/format.h>

#include <limits>

#include "base/text/text.hpp"

namespace zt::data::internal {
namespace {

using nlohmann::json;
constexpr size_t kMaxLineBytes = size_t{1} << 20;

}  // namespace

std::optional<std::string_view> Lines::next() {
  if (rest_.empty()) return std::nullopt;
  ++number_;
  const size_t end = rest_.find('\n');
  const std::string_view line = rest_.substr(0, end);
  rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
  return line;
}

tl::unexpected<Error> line_error(size_t line, std::string_view what) {
  return fail(ErrorCode::Corrupt, fmt::format("line {}: {}", line, what));
}

Result<json> parse_object(std::string_view line, size_t number) {
  if (line.size() > kMaxLineBytes) return line_error(number, "longer than 1 MiB");
  auto value = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return line_error(number, "not a JSON object: " + text::quoted(line));
  return value;
}

std::optional<int64_t> whole_number(const json& object, const char* key, int64_t low, int64_t high) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number_integer()) return std::nullopt;
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (it->is_number_unsigned() && it->get<uint64_t>() > kMax) return std::nullopt;
  const auto value = it->get<int64_t>();
  if (value < low || value > high) return std::nullopt;
  return value;
}

Result<json> parse_header(Lines& lines, std::string_view format, int version) {
  const auto line = lines.next();
  if (!line) return line_error(1, "the file is empty");
  ZT_TRY_ASSIGN(auto header, parse_object(*line, 1));
  const auto it = header.find("format");
  if (it == header.end() || !it->is_string() || it->get_ref<const std::string&>() != format)
    return line_error(1, fmt::format("no \"format\":\"{}\": another kind of file", format));
  const auto found = whole_number(header, "version", 1, std::numeric_limits<int64_t>::max());
  if (!found) return line_error(1, "no version");
  if (*found != version)
    return line_error(1, fmt::format("version {}, this program reads {}", *found, version));
  return header;
}

}  // namespace zt::data::internal
