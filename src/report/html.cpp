// SPDX-License-Identifier: Apache-2.0
#include "report/html.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "base/files/files.hpp"
#include "report/style.hpp"

namespace zt::report {
namespace {

namespace fs = std::filesystem;

std::string_view media_type(const fs::path& file) {
  const std::string ending = file.extension().string();
  if (ending == ".mp4") return "video/mp4";
  if (ending == ".png") return "image/png";
  if (ending == ".jpg" || ending == ".jpeg") return "image/jpeg";
  return "";
}

bool is_number(const std::string& cell) {
  if (cell.empty() || cell == "-") return true;
  char* end = nullptr;
  std::strtod(cell.c_str(), &end);
  return end != cell.c_str() && (*end == '\0' || *end == ' ' || *end == '%');
}

std::vector<bool> numeric_columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<bool> numeric(rows.front().size(), true);
  for (size_t r = 1; r < rows.size(); ++r)
    for (size_t c = 0; c < numeric.size() && c < rows[r].size(); ++c)
      if (!is_number(rows[r][c])) numeric[c] = false;
  return numeric;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    std::array<uint32_t, 3> b{};
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < n; ++k) b[k] = static_cast<unsigned char>(bytes[i + k]);
    const uint32_t word = b[0] << 16 | b[1] << 8 | b[2];
    for (size_t k = 0; k < 4; ++k) out += k <= n ? kDigits[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

Result<std::string> data_uri(const fs::path& file, uint64_t limit_bytes) {
  const std::string_view type = media_type(file);
  if (type.empty())
    return fail(ErrorCode::Unsupported,
                fmt::format("{} is not an mp4, png or jpg: it can't be embedded", file.string()));
  ZT_TRY_ASSIGN(const std::string bytes, files::read_regular(file, limit_bytes));
  return fmt::format("data:{};base64,{}", type, base64(bytes));
}

std::string media_figure(const fs::path& file, std::string_view caption) {
  const auto uri = data_uri(file);
  if (!uri)
    return fmt::format("<p class=\"none\">{}: {}</p>\n", escaped(caption), escaped(uri.error().message));
  const std::string element =
      uri->starts_with("data:video")
          ? fmt::format(R"(<video src="{}" autoplay loop muted playsinline controls></video>)", *uri)
          : fmt::format(R"(<img src="{}" alt="{}">)", *uri, escaped(caption));
  return fmt::format("<figure class=\"media\">{}<figcaption>{}</figcaption></figure>\n", element,
                     escaped(caption));
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return "";
  const auto numeric = numeric_columns(rows);
  std::string out = "<div class=\"wide\"><table>";
  for (size_t r = 0; r < rows.size(); ++r) {
    out += "<tr>";
    for (size_t c = 0; c < rows[r].size(); ++c) {
      const bool right = c < numeric.size() && numeric[c];
      out += fmt::format("<{0}{1}>{2}</{0}>", r == 0 ? "th" : "td", right ? " class=\"number\"" : "",
                         escaped(rows[r][c]));
    }
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

std::string facts(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string out = "<dl>";
  for (const auto& [name, value] : items)
    if (!value.empty())
      out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value));
  return out + "</dl>\n";
}

std::string page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<meta name=\"color-scheme\" content=\"light dark\"><title>{}</title>\n"
      "<style>{}</style></head>\n<body><main>\n{}</main></body></html>\n",
      escaped(title), kStyle, body);
}

}  // namespace zt::report
