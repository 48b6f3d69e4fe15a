// SPDX-License-Identifier: Apache-2.0
#include "weights/model_folder.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/files/files.hpp"
#include "weights/safetensors.hpp"

namespace zt::weights {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr int kMaxConfigDepth = 64;
constexpr size_t kMaxConfigBytes = size_t{16} << 20;

Result<OrderedJson> parse_object(std::string_view text, std::string_view what) {
  if (text.empty()) return OrderedJson::object();
  bool is_deep = text.size() > kMaxConfigBytes;
  const auto watch_depth = [&](int depth, OrderedJson::parse_event_t, OrderedJson&) {
    is_deep = is_deep || depth > kMaxConfigDepth;
    return !is_deep;
  };
  OrderedJson parsed;
  if (!is_deep) parsed = OrderedJson::parse(text, watch_depth, /*allow_exceptions=*/false);
  if (is_deep || !parsed.is_object())
    return fail(ErrorCode::Corrupt, fmt::format("{} is not a JSON object", what));
  return parsed;
}

}  // namespace

Result<std::string> merge_config(std::string_view original, std::string_view updates) {
  ZT_TRY_ASSIGN(OrderedJson config, parse_object(original, "the model's config.json"));
  ZT_TRY_ASSIGN(const OrderedJson changed, parse_object(updates, "the set of configuration changes"));
  for (const auto& [key, value] : changed.items()) config[key] = value;
  return config.dump(2) + "\n";
}

Status write_model_folder(const std::filesystem::path& folder, std::string_view config_json,
                          std::span<const TensorEntry> entries, std::string_view stem) {
  ZT_TRY(parse_object(config_json, "the model's config.json"));
  ZT_TRY(files::make_folders(folder));
  ZT_TRY(write_safetensors(folder / fmt::format("{}.safetensors", stem), entries, {{"format", "pt"}}));
  return files::write_atomic(folder / "config.json", config_json);
}

}  // namespace zt::weights
