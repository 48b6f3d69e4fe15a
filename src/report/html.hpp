// SPDX-License-Identifier: Apache-2.0
// A self-contained page: text escaped, files embedded as data URIs, style inline. It opens from file:// and
// loads nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace zt::report {

/// Text for element content and attribute values.
std::string escaped(std::string_view text);
std::string base64(std::string_view bytes);

/// A file as "data:video/mp4;base64,...", its type told by the ending (.mp4, .png, .jpg). Errors: Unsupported
/// for another ending; Exhausted above `limit_bytes`; those of reading.
Result<std::string> data_uri(const std::filesystem::path& file, uint64_t limit_bytes = uint64_t{16} << 20);

/// A figure with the picture or the clip (looping, muted); where the file can't be embedded, a line that says
/// why.
std::string media_figure(const std::filesystem::path& file, std::string_view caption);

/// A table; the first row is the head. Cells are text. Columns whose body cells are all numbers are
/// right-aligned.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// Name and value pairs.
std::string facts(const std::vector<std::pair<std::string, std::string>>& items);

/// The whole document around the body, which is HTML.
std::string page(std::string_view title, std::string_view body);

}  // namespace zt::report
