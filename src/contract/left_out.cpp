// SPDX-License-Identifier: Apache-2.0
#include "contract/left_out.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/files/files.hpp"
#include "base/text/json_reason.hpp"
#include "contract/internal/json_number.hpp"

namespace zt::contract {

std::string to_json(const std::vector<LeftOutClip>& clips) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const LeftOutClip& one : clips) list.push_back({{"clip", one.clip}, {"why", one.why}});
  const nlohmann::ordered_json json{{"version", LeftOutClip::kVersion}, {"clips", std::move(list)}};
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<std::vector<LeftOutClip>> parse_left_out(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (const auto version = internal::whole<int64_t>(json.at("version")); version != LeftOutClip::kVersion)
      return fail(ErrorCode::Unsupported,
                  fmt::format("clips left out in version {}, this program reads version {}", version,
                              LeftOutClip::kVersion));
    std::vector<LeftOutClip> clips;
    for (const auto& one : json.at("clips"))
      clips.push_back({internal::whole<int64_t>(one.at("clip")), one.at("why")});
    return clips;
  } catch (const std::exception& e) {  // third-party leaf: nlohmann throws
    return fail(ErrorCode::Corrupt, fmt::format("not a list of clips left out: {}", json_reason(e)));
  }
}

Result<std::vector<LeftOutClip>> read_left_out(const std::filesystem::path& path) {
  constexpr uint64_t kMaxBytes = uint64_t{1} << 20;
  if (files::is_absent(path)) return std::vector<LeftOutClip>();
  ZT_TRY_ASSIGN(const std::string text, files::read_regular(path, kMaxBytes));
  auto clips = parse_left_out(text);
  if (!clips)
    return fail(std::move(clips.error()).with(path.string() + " (remove it to use all clips again)"));
  return clips;
}

}  // namespace zt::contract
