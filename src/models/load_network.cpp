// SPDX-License-Identifier: Apache-2.0
// See load_network.hpp.
#include "models/load_network.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "tensor/from_entry.hpp"
#include "weights/safetensors.hpp"
#include "weights/torch_zip_writer.hpp"

namespace zt::models {
namespace {

using Names = std::unordered_set<std::string_view>;

bool is_mid_motion(std::string_view name) { return name.starts_with("mid_block.motion_modules."); }
bool is_motion_output(std::string_view name) {
  return name.find(".temporal_transformer.proj_out.") != std::string_view::npos;
}
bool is_position_table(std::string_view name) { return name.ends_with(".pos_encoder.pe"); }

bool belongs(std::string_view name, Contents contents) {
  if (contents == Contents::Whole) return true;
  return is_motion(name) == (contents == Contents::MotionOnly);
}

/// A parameter's name in files, or nothing if it is another network's.
std::optional<std::string_view> name_in_file(std::string_view full, std::string_view network) {
  if (!full.starts_with(network) || full.substr(network.size(), 1) != ".") return std::nullopt;
  return full.substr(network.size() + 1);
}

bool may_be_missing(std::string_view name, const LoadRules& rules, bool file_has_mid_motion) {
  // Position tables are sinusoids: the start values are right.
  if (is_position_table(name)) return true;
  if (rules.zero_motion_output && is_motion_output(name)) return true;
  if (rules.allow_missing_mid_motion && !file_has_mid_motion && is_mid_motion(name)) return true;
  return std::any_of(rules.optional_suffixes.begin(), rules.optional_suffixes.end(),
                     [&](const std::string& suffix) { return name.ends_with(suffix); });
}

/// A clip length other than ours: the start value, a sinusoid, is right for any.
bool is_table_of_other_length(std::string_view name, const at::Tensor& ours,
                              const weights::TensorEntry& theirs) {
  return is_position_table(name) && theirs.shape.size() == 3 && theirs.shape[0] == 1 &&
         theirs.shape[1] != ours.size(1) && theirs.shape[2] == ours.size(2);
}

/// Copies what fits and sorts the file's names into the report.
void copy_tensors(params::ParamStore& store, std::span<const weights::TensorEntry> entries,
                  const LoadRules& rules, LoadReport& report) {
  for (const weights::TensorEntry& entry : entries) {
    const std::string full = fmt::format("{}.{}", report.network, entry.name);
    const params::StoredParam* param = store.find(full);
    if (!param || !belongs(entry.name, rules.contents)) {
      report.unexpected.push_back(entry.name);
    } else if ((rules.zero_motion_output && is_motion_output(entry.name)) ||
               is_table_of_other_length(entry.name, param->value, entry)) {
      continue;  // stays at its start value
    } else if (weights::is_floating(entry.dtype) && param->value.sizes() == entry.shape) {
      const at::Tensor value = tensor::from_entry(entry);
      store.assign(full, value);
      report.loaded.push_back(entry.name);
      if (!std::isfinite(value.sum(at::kDouble).item<double>())) report.not_finite.push_back(entry.name);
    } else {
      report.wrong_shape.push_back(fmt::format("{} ({} {} in the file, {} here)", entry.name,
                                               weights::name(entry.dtype), fmt::join(entry.shape, "x"),
                                               fmt::join(param->value.sizes(), "x")));
    }
  }
}

/// " (a, b, c, ...)"; nothing for no names.
std::string first_names(const std::vector<std::string>& names) {
  constexpr size_t kNamed = 3;
  if (names.empty()) return "";
  const auto end = names.begin() + static_cast<ptrdiff_t>(std::min(names.size(), kNamed));
  return fmt::format(" ({}{})", fmt::join(names.begin(), end, ", "), names.size() > kNamed ? ", ..." : "");
}

Status check(const LoadReport& report, bool wants_motion, bool has_motion) {
  if (wants_motion && !has_motion) {
    return fail(
        ErrorCode::InvalidConfig,
        fmt::format("{} holds no motion modules, but they are on. Set model.mm_path to a motion module file "
                    "(motion_module.pth, AnimateDiff, MotionAdapter).",
                    report.file));
  }
  if (!report.not_finite.empty())
    return fail(
        ErrorCode::Corrupt,
        fmt::format("{}: {} of {} tensors of {} hold a NaN or an infinity, the first is {}: the file is "
                    "damaged, or its training diverged",
                    report.file, report.not_finite.size(), report.loaded.size(), report.network,
                    report.not_finite.front()));
  if (report.missing.empty() && report.wrong_shape.empty()) return {};
  const bool is_missing = !report.missing.empty();
  return fail(
      ErrorCode::Corrupt,
      fmt::format(
          "{}. First {}: {}. The file belongs to a network of another kind or size; check the path and "
          "the sizes under `model`.",
          report.summary(), is_missing ? "missing" : "of another shape",
          is_missing ? report.missing.front() : report.wrong_shape.front()));
}

}  // namespace

bool is_motion(std::string_view name) { return name.find("motion_modules.") != std::string_view::npos; }

std::string LoadReport::summary() const {
  std::string text = fmt::format("{} from {}: {} loaded, {} missing, {} unexpected{}, {} of another shape",
                                 network, file, loaded.size(), missing.size(), unexpected.size(),
                                 first_names(unexpected), wrong_shape.size());
  if (!skipped.empty()) text += fmt::format(", {} objects skipped{}", skipped.size(), first_names(skipped));
  return text;
}

Result<LoadReport> load_network(params::ParamStore& store, std::string_view network,
                                const weights::TensorFile& file, const LoadRules& rules) {
  ZT_TRY(file.check_sums());
  std::vector<weights::TensorEntry> entries = weights::unwrap(file.entries());
  if (rules.rename) {
    ZT_TRY_ASSIGN(entries, weights::rename(entries, rules.rename));
  }
  LoadReport report;
  report.network = network;
  report.file = file.files().empty() ? "memory" : file.files().front().string();
  report.skipped = file.skipped();
  copy_tensors(store, entries, rules, report);

  Names in_file;
  bool has_motion = false, has_mid_motion = false, wants_motion = false;
  for (const weights::TensorEntry& entry : entries) {
    in_file.insert(entry.name);
    has_motion = has_motion || is_motion(entry.name);
    has_mid_motion = has_mid_motion || is_mid_motion(entry.name);
  }
  for (const params::StoredParam& param : store.params()) {
    const auto name = name_in_file(param.info.name, network);
    if (!name || !belongs(*name, rules.contents)) continue;
    wants_motion = wants_motion || is_motion(*name);
    if (!in_file.contains(*name) && !may_be_missing(*name, rules, has_mid_motion))
      report.missing.emplace_back(*name);
  }
  ZT_TRY(check(report, wants_motion, has_motion));
  return report;
}

Status save_network(const params::ParamStore& store, std::string_view network,
                    const std::filesystem::path& path, SaveFormat format, Contents contents) {
  const std::vector<NamedTensor> tensors = network_tensors(store, network, contents);
  std::vector<weights::TensorEntry> entries;
  for (const auto& [name, value] : tensors) entries.push_back(tensor::to_entry(name, value));
  if (format == SaveFormat::TorchZip) return weights::write_torch_zip(path, entries);
  return weights::write_safetensors(path, entries, {{"format", "pt"}});
}

std::vector<NamedTensor> network_tensors(const params::ParamStore& store, std::string_view network,
                                         Contents contents) {
  std::vector<NamedTensor> out;
  for (const params::StoredParam& param : store.params()) {
    const auto name = name_in_file(param.info.name, network);
    if (!name || !belongs(*name, contents)) continue;
    out.push_back({std::string(*name), param.value.detach().cpu().contiguous()});
  }
  return out;
}

}  // namespace zt::models
