// SPDX-License-Identifier: Apache-2.0
#include "config/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <type_traits>

#include "config/internal/value.hpp"
#include "config/listing.hpp"

namespace zt::config {
namespace {

using Json = nlohmann::ordered_json;

/// "number, 0 to 10, steps".
std::string values_text(const Field& field) {
  std::string out = type_text(field);
  if (const std::string range = range_text(field.about); !range.empty()) out += ", " + range;
  if (!field.about.unit.empty()) out += fmt::format(", {}", field.about.unit);
  return out;
}

std::string_view section_of(std::string_view key) {
  const size_t dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}

std::string_view section_help(const Listing& listing, std::string_view key) {
  const auto found = std::ranges::find(listing.sections(), key, &Section::key);
  return found == listing.sections().end() ? std::string_view() : found->help;
}

/// Calls `begin(section)` before the first field of each section and `each(field)` for every field.
template <class Begin, class Each>
void walk(const Listing& listing, Begin begin, Each each) {
  std::string_view open = "\n";
  for (const Field& field : listing.fields()) {
    if (section_of(field.key) != open) begin(open = section_of(field.key));
    each(field);
  }
}

Json number(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<int64_t>(value);
  return value;
}

template <class T>
Json type_schema(const About& about) {
  Json out;
  if constexpr (std::is_same_v<T, bool>) out["type"] = "boolean";
  if constexpr (std::is_same_v<T, std::string>) out["type"] = "string";
  if constexpr (std::is_same_v<T, int64_t>) out["type"] = "integer";
  if constexpr (std::is_same_v<T, double>) out["type"] = "number";
  if (std::isfinite(about.min)) out["minimum"] = number(about.min);
  if (std::isfinite(about.max)) out["maximum"] = number(about.max);
  return out;
}

template <class T>
Json list_schema(const std::vector<T>&, const About& about) {
  Json out{{"type", "array"}, {"items", type_schema<T>(about)}};
  if (about.count != 0) out["minItems"] = out["maxItems"] = about.count;
  return out;
}
template <class T>
Json list_schema(const T&, const About& about) {
  return type_schema<T>(about);
}

Json field_schema(const Field& field) {
  Json out = std::visit(
      [&](const auto& member) -> Json {
        using M = std::decay_t<decltype(member)>;
        if constexpr (std::is_same_v<M, Choice>) {
          return {{"enum", member.names}, {"default", member.names[member.get(member.member)]}};
        } else {
          Json schema = list_schema(*member, field.about);
          schema["default"] = *member;
          return schema;
        }
      },
      field.member);
  out["description"] = field.about.help;
  if (!field.about.unit.empty()) out["x-unit"] = field.about.unit;
  out["x-resume"] = field.about.resume == Resume::Allow;
  return out;
}

/// The object schema that a dotted section key stands for, made on first use.
Json& section_schema(Json& root, const Listing& listing, std::string_view key) {
  if (key.empty()) return root;
  Json& outer = section_schema(root, listing, section_of(key));
  const std::string name(key.substr(section_of(key).empty() ? 0 : section_of(key).size() + 1));
  Json& section = outer["properties"][name];
  if (section.is_null())
    section = {
        {"type", "object"}, {"additionalProperties", false}, {"description", section_help(listing, key)}};
  return section;
}

std::string_view compat_value(std::span<const CompatField> fields, std::string_view key) {
  const auto found = std::ranges::find(fields, key, &CompatField::key);
  return found == fields.end() ? std::string_view() : found->value;
}

/// A cell of a Markdown table: a bar would end it.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

template <class Job>
std::string job_page(std::string_view verb, std::string_view about, std::span<const CompatField> compat) {
  Job job;
  const Listing listing = list(job);
  std::string out = fmt::format("\n## {}\n\n{}\n", verb, about);
  const auto begin = [&](std::string_view section) {
    if (!section.empty())
      out += fmt::format("\n### {}: {}\n\n{}.\n", verb, section, section_help(listing, section));
    out += fmt::format("\n| key | default |{} values | meaning |\n|---|---|{}---|---|\n",
                       compat.empty() ? "" : " moore |", compat.empty() ? "" : "---|");
  };
  walk(listing, begin, [&](const Field& field) {
    const std::string_view theirs = compat_value(compat, field.key);
    const bool is_other = !theirs.empty() && theirs != format_value(field);
    const std::string moore = compat.empty() ? "" : is_other ? fmt::format(" `{}` |", theirs) : " |";
    out += fmt::format("| `{}`{} | `{}` |{} {} | {} |\n", field.key,
                       field.about.resume == Resume::Allow ? " *" : "", format_value(field), moore,
                       cell(values_text(field)), cell(field.about.help));
  });
  return out;
}

constexpr std::string_view kPageHead =
    R"(<!-- Generated from the describe() listings of src/config by `zoetrope config docs`; do not edit. -->
# Settings

A job is a YAML file, overrides on the command line, or both: `--set optimizer.learning_rate=1e-3`, for a list
`--set data.splits=train,val`. A value comes from, later ones winning: the default below, the stage's default,
`compat: moore`, the file, files of accelerate and DeepSpeed (`docs/coming-from-deepspeed.md`), `--set`. An unknown key, a
wrong type or a value out of range is an error that names the line.
Relative paths start at the working folder. `run.yaml` in a run's folder holds every value with its origin, and its paths
absolute.

- **moore**: the default under `compat: moore`, where the reference (MooreThreads/Moore-AnimateAnyone) does otherwise.
- A key with `*` may change when a run is resumed; a change of any other is refused.
- `train` and `generate` also take Moore-AnimateAnyone's own yaml files: `docs/decisions/0001-moore-files.md`.
)";

}  // namespace

template <class Job>
std::string settings_help() {
  Job job;
  const Listing listing = list(job);
  size_t width = 0;
  for (const Field& field : listing.fields())
    width = std::max(width, field.key.size() + 1 + std::min<size_t>(format_value(field).size(), 24));
  std::string out;
  const auto begin = [&](std::string_view section) {
    if (!section.empty()) out += fmt::format("\n{}: {}\n", section, section_help(listing, section));
  };
  walk(listing, begin, [&](const Field& field) {
    const std::string setting = fmt::format("{}={}", field.key, format_value(field));
    out += fmt::format("  {:{}}  {} ({})\n", setting, width, field.about.help, values_text(field));
  });
  return out;
}

template <class Job>
std::string json_schema() {
  Job job;
  const Listing listing = list(job);
  Json root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
            {"type", "object"},
            {"additionalProperties", false}};
  for (const Field& field : listing.fields()) {
    const size_t dot = field.key.rfind('.');
    section_schema(root, listing, section_of(field.key))["properties"][field.key.substr(dot + 1)] =
        field_schema(field);
  }
  return root.dump(2) + "\n";
}

std::string settings_page() {
  std::string out(kPageHead);
  out +=
      job_page<TrainJob>("train", "One training run: `zoetrope train --config FILE`.", train_compat_fields());
  out += job_page<GenerateJob>("generate", "One generated video: `zoetrope generate`.",
                               generate_compat_fields());
  out += job_page<IngestJob>("data ingest", "Videos into a clip index: `zoetrope data ingest`.", {});
  out += job_page<PoseJob>("data pose", "Key-points from footage: `zoetrope data pose`.", {});
  out += job_page<SynthJob>("data synth", "Puppet videos: `zoetrope data synth`.", {});
  out += job_page<EvalJob>("eval", "Measures of results against the truth: `zoetrope eval`.", {});
  out += job_page<ExportJob>("ckpt export", "Weights for other programs: `zoetrope ckpt export`.", {});
  return out;
}

#define ZT_INSTANTIATE(Job)                  \
  template std::string settings_help<Job>(); \
  template std::string json_schema<Job>();
ZT_INSTANTIATE(TrainJob)
ZT_INSTANTIATE(GenerateJob)
ZT_INSTANTIATE(IngestJob)
ZT_INSTANTIATE(PoseJob)
ZT_INSTANTIATE(SynthJob)
ZT_INSTANTIATE(EvalJob)
ZT_INSTANTIATE(ExportJob)
#undef ZT_INSTANTIATE

}  // namespace zt::config
