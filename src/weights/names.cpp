// SPDX-License-Identifier: Apache-2.0
#include "weights/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/text/text.hpp"

namespace zt::weights {
namespace {

struct Renaming {
  std::string_view from, to;
};

constexpr std::string_view kMotion = "motion_modules.";

// The first rule whose `from` begins `rest` replaces it; nothing when none does.
std::optional<std::string> renamed_start(std::string_view rest, std::span<const Renaming> rules) {
  for (const Renaming& rule : rules) {
    if (rest.starts_with(rule.from)) return fmt::format("{}{}", rule.to, rest.substr(rule.from.size()));
  }
  return std::nullopt;
}

// A motion tensor's name as PREFIX "motion_modules.J." and the rest.
std::optional<std::pair<std::string_view, std::string_view>> split_motion(std::string_view name) {
  const size_t at = name.find(kMotion);
  if (at == std::string_view::npos || (at > 0 && name[at - 1] != '.')) return std::nullopt;
  const size_t end = name.find('.', at + kMotion.size());
  if (end == std::string_view::npos) return std::nullopt;
  return std::pair(name.substr(0, end + 1), name.substr(end + 1));
}

// Parts of one transformer block: diffusers' MotionAdapter -> AnimateDiff.
constexpr Renaming kBlockParts[] = {
    {"attn1.", "attention_blocks.0."},
    {"attn2.", "attention_blocks.1."},
    {"norm1.", "norms.0."},
    {"norm2.", "norms.1."},
    {"norm3.", "ff_norm."},
    {"ff.", "ff."},
};
// The same, seen from AnimateDiff.
constexpr Renaming kAdapterParts[] = {
    {"attention_blocks.0.", "attn1."},
    {"attention_blocks.1.", "attn2."},
    {"norms.0.", "norm1."},
    {"norms.1.", "norm2."},
    {"ff_norm.", "norm3."},
    {"ff.", "ff."},
};

constexpr std::string_view kTransformer = "temporal_transformer.", kBlocks = "transformer_blocks.";

// Renames what follows "transformer_blocks.K."; norm, proj_in and proj_out beside the blocks keep their
// names.
std::optional<std::string> renamed_part(std::string_view rest, std::span<const Renaming> rules) {
  if (!rest.starts_with(kBlocks)) return std::string(rest);
  const size_t end = rest.find('.', kBlocks.size());
  if (end == std::string_view::npos) return std::nullopt;
  const auto inner = renamed_start(rest.substr(end + 1), rules);
  return inner ? std::optional(fmt::format("{}{}", rest.substr(0, end + 1), *inner)) : std::nullopt;
}

constexpr Renaming kOldVaeAttention[] = {
    {"query.", "to_q."},
    {"key.", "to_k."},
    {"value.", "to_v."},
    {"proj_attn.", "to_out.0."},
};

}  // namespace

std::vector<TensorEntry> unwrap(std::span<const TensorEntry> entries) {
  constexpr std::string_view kStateDict = "state_dict.", kModule = "module.";
  const auto has_prefix = [](std::string_view prefix) {
    return [prefix](const TensorEntry& entry) { return entry.name.starts_with(prefix); };
  };
  std::vector<TensorEntry> out(entries.begin(), entries.end());
  if (std::any_of(out.begin(), out.end(), has_prefix(kStateDict))) {
    std::erase_if(out, [&](const TensorEntry& entry) { return !entry.name.starts_with(kStateDict); });
    for (TensorEntry& entry : out) entry.name.erase(0, kStateDict.size());
  }
  if (!out.empty() && std::all_of(out.begin(), out.end(), has_prefix(kModule))) {
    for (TensorEntry& entry : out) entry.name.erase(0, kModule.size());
  }
  return out;
}

Result<std::vector<TensorEntry>> rename(std::span<const TensorEntry> entries, const NameRule& rule) {
  std::vector<TensorEntry> out;
  std::unordered_set<std::string> taken;
  for (const TensorEntry& entry : entries) {
    auto name = rule(entry.name);
    if (!name) continue;
    if (!taken.insert(*name).second) {
      return fail(ErrorCode::Corrupt,
                  fmt::format("two tensors stand for {}, one of them stored as {}. The file mixes naming "
                              "schemes; export it again.",
                              text::quoted(*name), text::quoted(entry.name)));
    }
    out.push_back(entry);
    out.back().name = std::move(*name);
  }
  return out;
}

std::optional<std::string> vae_name(std::string_view name) {
  constexpr std::string_view kAttention = ".attentions.0.";
  const size_t at = name.find(kAttention);
  if (at == std::string_view::npos) return std::string(name);
  const size_t end = at + kAttention.size();
  const auto renamed = renamed_start(name.substr(end), kOldVaeAttention);
  return renamed ? fmt::format("{}{}", name.substr(0, end), *renamed) : std::string(name);
}

std::optional<std::string> motion_name(std::string_view name) {
  const auto parts = split_motion(name);
  if (!parts) return std::nullopt;
  const auto [prefix, rest] = *parts;
  if (rest.starts_with(kTransformer)) return std::string(name);
  if (rest.find("pos_embed.") != std::string_view::npos) return std::nullopt;
  const auto part = renamed_part(rest, kBlockParts);
  return part ? fmt::format("{}{}{}", prefix, kTransformer, *part) : std::string(name);
}

std::optional<std::string> motion_adapter_name(std::string_view name) {
  const auto parts = split_motion(name);
  if (!parts || !parts->second.starts_with(kTransformer) || name.ends_with(".pos_encoder.pe"))
    return std::nullopt;
  const auto part = renamed_part(parts->second.substr(kTransformer.size()), kAdapterParts);
  return part ? std::optional(fmt::format("{}{}", parts->first, *part)) : std::nullopt;
}

NameRule pose_guider_rule(std::span<const TensorEntry> entries) {
  constexpr std::string_view kEmbedding = "controlnet_cond_embedding.", kHead = "conv_out.";
  const bool is_controlnet = std::any_of(entries.begin(), entries.end(), [&](const TensorEntry& entry) {
    return entry.name.starts_with(kEmbedding);
  });
  if (!is_controlnet) return [](std::string_view name) { return std::optional(std::string(name)); };
  return [kEmbedding, kHead](std::string_view name) -> std::optional<std::string> {
    if (!name.starts_with(kEmbedding)) return std::nullopt;
    name.remove_prefix(kEmbedding.size());
    return name.starts_with(kHead) ? std::nullopt : std::optional(std::string(name));
  };
}

std::optional<std::string> clip_vision_name(std::string_view name) {
  if (name == "visual_projection.weight") return std::string(name);
  if (!name.starts_with("vision_model.") || name.ends_with(".position_ids")) return std::nullopt;
  return std::string(name);
}

}  // namespace zt::weights
