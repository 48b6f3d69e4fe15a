// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <type_traits>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "config/internal/moore.hpp"
#include "config/internal/settings.hpp"
#include "config/internal/value.hpp"

namespace zt::config {
namespace {

constexpr std::string_view kDefaultOrigin = "default", kStageOrigin = "stage 2 default";

/// A default that another field's value changes.
struct Preset {
  CompatField field;
  std::string origin;
};

/// What `compat: moore` changed, less what was written over it.
template <class Job>
std::vector<Effect> compat_effects(const std::vector<Preset>& presets, const Resolved<Job>& resolved) {
  std::vector<Effect> effects;
  for (const Preset& preset : presets)
    if (preset.origin == kCompatOrigin && resolved.origins.find(preset.field.key)->second == kCompatOrigin)
      effects.push_back({std::string(preset.field.key), std::string(preset.field.value), preset.origin,
                         std::string(preset.field.reason)});
  return effects;
}

std::vector<Preset> presets(const TrainJob& job) {
  std::vector<Preset> out;
  if (job.stage == 2)
    out.push_back({{"data.crop_scale", "[1, 1]", "whole frames"}, std::string(kStageOrigin)});
  if (job.compat == Compat::Moore)
    for (const CompatField& field : train_compat_fields()) out.push_back({field, std::string(kCompatOrigin)});
  return out;
}
std::vector<Preset> presets(const GenerateJob& job) {
  std::vector<Preset> out;
  if (job.compat == Compat::Moore)
    for (const CompatField& field : generate_compat_fields())
      out.push_back({field, std::string(kCompatOrigin)});
  return out;
}
template <class Job>
std::vector<Preset> presets(const Job&) {
  return {};
}

/// What a file says: the batches of each job it asks for.
struct Reading {
  std::vector<std::vector<Batch>> jobs;
  std::vector<Effect> effects;
};

Result<Source> read_source(const std::filesystem::path& file) {
  if (file.empty()) return Source{};
  ZT_TRY_ASSIGN(std::string text, files::read(file, kYamlLimitBytes));
  return Source{file.string(), std::move(text)};
}

template <class Job>
Result<Reading> read_text(const Listing& listing, const Source& source) {
  ZT_TRY_ASSIGN(const YamlNode root, parse_yaml(source));
  if constexpr (std::is_same_v<Job, TrainJob>) {
    if (is_moore_train(root)) {
      ZT_TRY_ASSIGN(MooreTrain moore, read_moore_train(source, root));
      return Reading{{{std::move(moore.batch)}}, std::move(moore.effects)};
    }
  }
  if constexpr (std::is_same_v<Job, GenerateJob>) {
    if (is_moore_generate(root)) {
      ZT_TRY_ASSIGN(MooreGenerate moore, read_moore_generate(source, root));
      return Reading{std::move(moore.jobs), std::move(moore.effects)};
    }
  }
  ZT_TRY_ASSIGN(std::vector<Setting> settings, flatten(listing, source, root));
  return Reading{{{Batch{source, std::move(settings)}}}, {}};
}

Status apply_all(const Listing& listing, const std::vector<Batch>& batches, Origins& origins) {
  for (const Batch& batch : batches) ZT_TRY(apply(listing, batch, origins));
  return {};
}

template <class Job>
Result<Resolved<Job>> resolve(const std::vector<Batch>& batches) {
  // Read once to learn which presets hold, then again on top of them, so that what the user wrote wins.
  Resolved<Job> asked;
  ZT_TRY(apply_all(list(asked.job), batches, asked.origins));

  Resolved<Job> resolved;
  const Listing listing = list(resolved.job);
  for (const Field& field : listing.fields()) resolved.origins[field.key] = kDefaultOrigin;
  const std::vector<Preset> defaults = presets(asked.job);
  for (const Preset& preset : defaults) {
    ZT_TRY_ASSIGN(const Batch batch,
                  default_batch(listing, preset.field.key, preset.field.value, preset.origin));
    ZT_TRY(apply(listing, batch, resolved.origins));
  }
  ZT_TRY(apply_all(listing, batches, resolved.origins));
  resolved.effects = compat_effects(defaults, resolved);
  if constexpr (requires { validate(resolved.job); }) ZT_TRY(validate(resolved.job));
  return resolved;
}

template <class Job>
Result<std::vector<Resolved<Job>>> load_all(const Source& source, const std::vector<std::string>& overrides) {
  Job keys;
  const Listing listing = list(keys);
  ZT_TRY_ASSIGN(Reading reading, read_text<Job>(listing, source));
  std::vector<Batch> sets;
  for (const std::string& assignment : overrides) {
    ZT_TRY_ASSIGN(Batch batch, parse_set(listing, assignment));
    sets.push_back(std::move(batch));
  }
  std::vector<Resolved<Job>> jobs;
  for (std::vector<Batch>& batches : reading.jobs) {
    batches.insert(batches.end(), sets.begin(), sets.end());
    ZT_TRY_ASSIGN(Resolved<Job> resolved, resolve<Job>(batches));
    resolved.effects.insert(resolved.effects.begin(), reading.effects.begin(), reading.effects.end());
    jobs.push_back(std::move(resolved));
  }
  return jobs;
}

void open_sections(const std::string& key, std::string& open, std::string& out) {
  const size_t dot = key.rfind('.');
  const std::string section = dot == std::string::npos ? "" : key.substr(0, dot);
  // Sections are listed depth first, so at most the innermost ones of `key` are new.
  for (size_t end = section.find('.');; end = section.find('.', end + 1)) {
    const std::string outer = section.substr(0, end);
    const auto depth = std::ranges::count(outer, '.');
    if (!outer.empty() && open != outer && !open.starts_with(outer + "."))
      out += fmt::format("{:{}}{}:\n", "", 2 * depth, outer.substr(outer.rfind('.') + 1));
    if (end == std::string::npos) break;
  }
  open = section;
}

/// Fields as YAML with their origins as comments; all of them, or those that are not at a default.
template <class Job>
std::string fields_text(const Resolved<Job>& resolved, bool is_all) {
  Job job = resolved.job;
  std::string out, open;
  const Listing listing = list(job);
  for (const Field& field : listing.fields()) {
    const auto origin = resolved.origins.find(field.key);
    std::string comment = origin == resolved.origins.end() ? std::string(kDefaultOrigin) : origin->second;
    if (!is_all && is_default_origin(comment)) continue;
    open_sections(field.key, open, out);
    std::ranges::replace_if(
        comment, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
    const auto depth = std::ranges::count(field.key, '.');
    out += fmt::format("{:{}}{}: {}  # {}\n", "", 2 * depth, field.key.substr(field.key.rfind('.') + 1),
                       format_value(field), comment);
  }
  return out;
}

constexpr std::string_view kSumMark = "# sum of the lines above: ";

std::string sum_of(std::string_view text) { return hash::xxh128_hex(std::as_bytes(std::span(text))); }

/// Refuses what freeze() wrote and somebody changed since, or cut short.
Status check_untouched(const Source& source) {
  const std::string_view text = source.text;
  const size_t at = text.rfind(kSumMark);
  if (at == std::string_view::npos)
    return fail(
        ErrorCode::Corrupt,
        fmt::format(
            "{} was cut short: its last line, the sum of those above, is missing. Put a whole copy in "
            "its place; without one, start a new run with `--config` and what is left of this file",
            source.name));
  if (text.substr(at) == fmt::format("{}{}\n", kSumMark, sum_of(text.substr(0, at)))) return {};
  return fail(
      ErrorCode::InvalidConfig,
      fmt::format("{} is not as zoetrope wrote it, and a run's settings do not change: take the edit back. "
                  "`zoetrope train --resume RUN --set KEY=VALUE` changes what may change in a run; for the "
                  "rest, start a new run with `--config` and this file",
                  source.name));
}

template <class Job>
Result<Resolved<Job>> only_job(const Source& source, const std::vector<std::string>& overrides) {
  ZT_TRY_ASSIGN(std::vector<Resolved<Job>> jobs, load_all<Job>(source, overrides));
  if (jobs.size() != 1)
    return fail(ErrorCode::InvalidConfig,
                fmt::format("{}: wanted one job, found {}", source.name, jobs.size()));
  return std::move(jobs.front());
}

}  // namespace

bool is_default_origin(std::string_view origin) {
  return origin == kDefaultOrigin || origin == kStageOrigin || origin == kCompatOrigin;
}

std::string list_text(std::vector<std::string> items) { return format_value({"", &items, {}}); }

template <class Job>
Result<Resolved<Job>> load(const LoadRequest& request) {
  ZT_TRY_ASSIGN(const Source source, read_source(request.file));
  return only_job<Job>(source, request.sets);
}

Result<std::vector<Resolved<GenerateJob>>> load_many(const LoadRequest& request) {
  ZT_TRY_ASSIGN(const Source source, read_source(request.file));
  return load_all<GenerateJob>(source, request.sets);
}

template <class Job>
std::string freeze(const Resolved<Job>& resolved) {
  const std::string text =
      "# Every setting and where it came from. Written by zoetrope; a run's settings do not change.\n" +
      fields_text(resolved, /*is_all=*/true);
  return fmt::format("{}{}{}\n", text, kSumMark, sum_of(text));
}

template <class Job>
std::string freeze_written(const Resolved<Job>& resolved) {
  return fields_text(resolved, /*is_all=*/false);
}

template <class Job>
Result<Job> thaw(const std::filesystem::path& file) {
  ZT_TRY_ASSIGN(const Source source, read_source(file));
  ZT_TRY(check_untouched(source));
  ZT_TRY_ASSIGN(Resolved<Job> resolved, only_job<Job>(source, {}));
  return std::move(resolved.job);
}

template <class Job>
Status check(const Job& job) {
  ZT_TRY(load_all<Job>(Source{"the job", freeze(Resolved<Job>{job, {}, {}})}, {}));
  return {};
}

template <class Job>
std::vector<KeyValue> values(const Job& job) {
  Job copy = job;
  std::vector<KeyValue> out;
  const Listing listing = list(copy);
  for (const Field& field : listing.fields()) out.push_back({field.key, format_value(field)});
  return out;
}

template <class Job>
std::string digest(const Job& job) {
  hash::Xxh128 digest;
  for (const auto& [key, value] : values(job)) digest.update(fmt::format("{}: {}\n", key, value));
  return digest.hex();
}

template <class Job>
Status check_resume(const Job& frozen, const Job& wanted, Paths paths) {
  Job before = frozen, after = wanted;
  const Listing old_listing = list(before), new_listing = list(after);
  std::string changes;
  for (size_t i = 0; i < old_listing.fields().size(); ++i) {
    const Field& field = old_listing.fields()[i];
    if (paths == Paths::Ignored && field.about.names != Names::NoPath) continue;
    const std::string was = format_value(field), is = format_value(new_listing.fields()[i]);
    const Resume may = field.about.resume;
    if (was != is && may != Resume::Allow && !(may == Resume::IfEmpty && was == "\"\""))
      changes += fmt::format("\n  {}: {} in the run, {} wanted", field.key, was, is);
  }
  if (changes.empty()) return {};
  return fail(
      ErrorCode::InvalidConfig,
      "these settings can't change when a run is resumed; take them back, or start a new run:" + changes);
}

#define ZT_INSTANTIATE(Job)                                       \
  template Result<Resolved<Job>> load<Job>(const LoadRequest&);   \
  template std::string freeze<Job>(const Resolved<Job>&);         \
  template std::string freeze_written<Job>(const Resolved<Job>&); \
  template Result<Job> thaw<Job>(const std::filesystem::path&);   \
  template Status check<Job>(const Job&);                         \
  template std::vector<KeyValue> values<Job>(const Job&);         \
  template std::string digest<Job>(const Job&);                   \
  template Status check_resume<Job>(const Job&, const Job&, Paths);
ZT_INSTANTIATE(TrainJob)
ZT_INSTANTIATE(GenerateJob)
ZT_INSTANTIATE(IngestJob)
ZT_INSTANTIATE(PoseJob)
ZT_INSTANTIATE(SynthJob)
ZT_INSTANTIATE(CacheJob)
ZT_INSTANTIATE(EvalJob)
ZT_INSTANTIATE(ExportJob)
#undef ZT_INSTANTIATE

}  // namespace zt::config
