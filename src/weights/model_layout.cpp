// SPDX-License-Identifier: Apache-2.0
#include "weights/internal/model_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/files/files.hpp"
#include "base/text/text.hpp"

namespace zt::weights::internal {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr uint64_t kMaxIndexBytes = uint64_t{64} << 20;
constexpr int kMaxIndexDepth = 16;

// In order of preference. diffusers and transformers use different stems; "motion_module" and the like are
// single files, which are named by path.
constexpr std::string_view kStems[] = {"diffusion_pytorch_model", "model", "pytorch_model"};
constexpr std::string_view kEndings[] = {
    ".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pth", ".ckpt"};

std::vector<std::string> file_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ec;
  for (fs::directory_iterator item(folder, ec), end; !ec && item != end; item.increment(ec)) {
    std::error_code unreadable;
    if (!item->is_directory(unreadable)) names.push_back(item->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// STEM.VARIANT.ENDING where VARIANT is one word: fp16, non_ema...
bool is_variant(std::string_view name, std::string_view stem, std::string_view ending) {
  if (name.size() <= stem.size() + ending.size() + 1 || !name.starts_with(stem) || !name.ends_with(ending))
    return false;
  const std::string_view middle = name.substr(stem.size(), name.size() - stem.size() - ending.size());
  return middle.front() == '.' && middle.find_first_of(".-", 1) == std::string_view::npos;
}

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of("/\\") == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

}  // namespace

Result<fs::path> find_weights_file(const fs::path& folder) {
  const std::vector<std::string> names = file_names(folder);
  for (const std::string_view ending : kEndings) {
    for (const std::string_view stem : kStems) {
      const std::string wanted = fmt::format("{}{}", stem, ending);
      if (std::binary_search(names.begin(), names.end(), wanted)) return folder / wanted;
    }
  }
  for (const std::string_view ending : kEndings) {
    std::vector<std::string> variants;
    for (const std::string& name : names) {
      const bool fits = std::any_of(std::begin(kStems), std::end(kStems),
                                    [&](std::string_view stem) { return is_variant(name, stem, ending); });
      if (fits) variants.push_back(name);
    }
    if (variants.size() == 1) return folder / variants[0];
    if (variants.size() > 1) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("{} holds several variants of the weights ({}). Name the file itself.",
                              folder.string(), fmt::join(variants, ", ")));
    }
  }
  const size_t shown = std::min<size_t>(names.size(), 10);
  return fail(
      ErrorCode::NotFound,
      fmt::format("no weights in {}: wanted diffusion_pytorch_model, model or pytorch_model with "
                  ".safetensors, .bin, .pth "
                  "or .ckpt; found {}",
                  folder.string(),
                  shown == 0
                      ? "no files"
                      : fmt::format("{}", fmt::join(names.begin(),
                                                    names.begin() + static_cast<ptrdiff_t>(shown), ", "))));
}

Result<ShardIndex> parse_shard_index(std::string_view json, std::string_view label) {
  const auto corrupt = [&](std::string_view what) {
    return fail(ErrorCode::Corrupt, fmt::format("{} is not an index of sharded weights: {}", label, what));
  };
  bool is_deep = false;
  const Json root = Json::parse(
      json,
      [&](int depth, Json::parse_event_t, Json&) {
        is_deep = is_deep || depth > kMaxIndexDepth;
        return !is_deep;
      },
      /*allow_exceptions=*/false);
  if (is_deep || !root.is_object()) return corrupt("no valid JSON object");
  const auto map = root.find("weight_map");
  if (map == root.end() || !map->is_object() || map->empty()) return corrupt("it has no weight_map");
  ShardIndex index;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) return corrupt("a file name is not a string");
    const auto& name = file.get_ref<const std::string&>();
    if (!is_plain_file_name(name))
      return corrupt(fmt::format("{} does not name a file within the folder", text::quoted(name)));
    index[name].push_back(tensor);
  }
  return index;
}

Result<ShardIndex> read_shard_index(const fs::path& path) {
  ZT_TRY_ASSIGN(const std::string json, files::read_regular(path, kMaxIndexBytes));
  return parse_shard_index(json, path.string());
}

}  // namespace zt::weights::internal
