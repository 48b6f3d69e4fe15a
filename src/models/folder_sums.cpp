// SPDX-License-Identifier: Apache-2.0
// See folder_sums.hpp.
#include "models/folder_sums.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "base/text/json_reason.hpp"

namespace zt::models {
namespace {

namespace fs = std::filesystem;
constexpr const char* kFile = "sums.json";
constexpr int kVersion = 1;
constexpr uint64_t kMaxBytes = uint64_t{1} << 20;

Result<std::string> sum_of(const fs::path& path) {
  hash::Xxh128 sum;
  ZT_TRY(files::add_to(sum, path));
  return sum.hex();
}

Result<nlohmann::json> read_sums(const fs::path& path) {
  ZT_TRY_ASSIGN(const std::string text, files::read_regular(path, kMaxBytes));
  try {
    const auto json = nlohmann::json::parse(text);
    if (const int version = json.at("version"); version != kVersion)
      return fail(ErrorCode::Unsupported, fmt::format("{}: version {}, this program reads version {}",
                                                      path.string(), version, kVersion));
    for (const auto& [name, sum] : json.at("files").items()) (void)sum.get<std::string>();
    return json.at("files");
  } catch (const std::exception& e) {  // third-party leaf: nlohmann throws
    return fail(ErrorCode::Corrupt, fmt::format("{}: {}", path.string(), json_reason(e)));
  }
}

}  // namespace

Status write_sums(const fs::path& folder) {
  auto sums = nlohmann::json::object();
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    ZT_TRY_ASSIGN(sums[it->path().filename().string()], sum_of(it->path()));
  }
  if (ec) return fail(files::errno_error("list", folder, ec.value()));
  const nlohmann::json json{{"version", kVersion}, {"files", std::move(sums)}};
  return files::write_atomic(folder / kFile, json.dump(1) + "\n");
}

Status check_sums(const fs::path& folder) {
  std::error_code ec;
  if (!fs::exists(folder / kFile, ec)) return {};
  ZT_TRY_ASSIGN(const nlohmann::json sums, read_sums(folder / kFile));
  for (const auto& [name, wanted] : sums.items()) {
    ZT_TRY_ASSIGN(const std::string found, sum_of(folder / name));
    if (found != wanted.get<std::string>())
      return fail(
          ErrorCode::Corrupt,
          fmt::format("{} is not what the run has made and trained with (its sum differs): put a copy of the "
                      "whole folder back",
                      (folder / name).string()));
  }
  return {};
}

}  // namespace zt::models
