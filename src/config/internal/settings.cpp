// SPDX-License-Identifier: Apache-2.0
#include "config/internal/settings.hpp"

#include <fmt/format.h>

#include "base/text/text.hpp"
#include "config/internal/value.hpp"

namespace zt::config {
namespace {

/// What may have been meant: a near key of the same section, or the same key of another one.
std::string suggestion(const Listing& listing, const std::string& prefix, const std::string& key) {
  std::vector<std::string> siblings;
  std::string elsewhere;
  const auto look_at = [&](const std::string& dotted) {
    if (dotted.starts_with(prefix) && dotted.find('.', prefix.size()) == std::string::npos)
      siblings.push_back(dotted.substr(prefix.size()));
    if (dotted.ends_with("." + key) && elsewhere.empty()) elsewhere = dotted;
  };
  for (const Field& field : listing.fields()) look_at(field.key);
  for (const Section& section : listing.sections()) look_at(section.key);
  const std::string near = text::nearest(key, siblings);
  if (!near.empty()) return prefix + near;
  return elsewhere;
}

std::string unknown_key(const Listing& listing, const std::string& prefix, const std::string& key) {
  std::string what = fmt::format("unknown key {}", text::quoted(prefix + key));
  const std::string meant = suggestion(listing, prefix, key);
  if (!meant.empty()) what += fmt::format("; did you mean {}?", meant);
  return what;
}

Status flatten_map(const Listing& listing, const Source& source, const YamlNode& map,
                   const std::string& prefix, std::vector<Setting>& settings) {
  for (const YamlNode& child : map.children) {
    const std::string key = prefix + child.key;
    if (listing.find(key)) {
      settings.push_back({key, child, origin_of(source, child.key_at)});
    } else if (!listing.has_section(key)) {
      return fail(source.error(child.key_at, unknown_key(listing, prefix, child.key)));
    } else if (child.kind == YamlNode::Kind::Map) {
      ZT_TRY(flatten_map(listing, source, child, key + ".", settings));
    } else if (child.kind != YamlNode::Kind::Null) {
      return fail(
          source.error(child.at, fmt::format("{} is a section: wanted keys and values below it", key)));
    }
  }
  return {};
}

}  // namespace

std::string origin_of(const Source& source, Position at) {
  return fmt::format("{}:{}", source.name, at.line + 1);
}

Result<std::vector<Setting>> flatten(const Listing& listing, const Source& source, const YamlNode& root) {
  std::vector<Setting> settings;
  if (root.kind == YamlNode::Kind::Null) return settings;
  if (root.kind != YamlNode::Kind::Map)
    return fail(source.error(root.at, "wanted keys and values, as in \"stage: 1\""));
  ZT_TRY(flatten_map(listing, source, root, "", settings));
  return settings;
}

Result<Batch> parse_set(const Listing& listing, const std::string& assignment) {
  // Frozen configurations are UTF-8, so a name in other bytes could not be handed on.
  if (!text::is_utf8(assignment))
    return fail(
        ErrorCode::InvalidConfig,
        fmt::format("--set {}: not UTF-8 text; if it is a file's name, rename the file or make a link "
                    "with another name",
                    text::quoted(assignment)));
  const Source source{"--set " + assignment, ""};
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos)
    return fail(source.error({}, "wanted KEY=VALUE, as in optimizer.learning_rate=1e-5"));
  const std::string key(text::trim(std::string_view(assignment).substr(0, equals)));
  const Field* field = listing.find(key);
  if (!field && listing.has_section(key))
    return fail(source.error({}, fmt::format("{} is a section: set one of its keys", key)));
  if (!field) {
    const size_t dot = key.rfind('.');
    const std::string prefix = dot == std::string::npos ? "" : key.substr(0, dot + 1);
    return fail(source.error({}, unknown_key(listing, prefix, key.substr(prefix.size()))));
  }
  ZT_TRY_ASSIGN(YamlNode node, node_of_text(*field, std::string_view(assignment).substr(equals + 1)));
  return Batch{source, {{key, std::move(node), "--set"}}};
}

Result<Batch> default_batch(const Listing& listing, std::string_view key, std::string_view text,
                            const std::string& origin) {
  const Field* field = listing.find(key);
  if (!field) return fail(ErrorCode::Internal, fmt::format("{} changes {}, which is not a key", origin, key));
  ZT_TRY_ASSIGN(YamlNode node, node_of_text(*field, text));
  return Batch{{origin, ""}, {{field->key, std::move(node), origin}}};
}

bool is_open(const Origins& origins, std::string_view key) {
  const auto origin = origins.find(key);
  return origin == origins.end() || (is_default_origin(origin->second) && origin->second != kCompatOrigin);
}

Status apply(const Listing& listing, const Batch& batch, Origins& origins) {
  for (const Setting& setting : batch.settings) {
    const Field* field = listing.find(setting.key);
    if (!field)
      return fail(ErrorCode::Internal,
                  fmt::format("{} sets {}, which is not a key", setting.origin, setting.key));
    if (const auto problem = assign(*field, setting.node))
      return fail(batch.source.error(problem->at, problem->what));
    origins[setting.key] = setting.origin;
  }
  return {};
}

Result<std::vector<std::string>> apply_open(const Listing& listing, Batch batch, Origins& origins) {
  std::erase_if(batch.settings, [&](const Setting& setting) { return !is_open(origins, setting.key); });
  std::vector<std::string> before, changed;
  for (const Setting& setting : batch.settings)
    if (const Field* field = listing.find(setting.key)) before.push_back(format_value(*field));
  ZT_TRY(apply(listing, batch, origins));
  for (size_t i = 0; i < batch.settings.size(); ++i) {
    const std::string value = format_value(*listing.find(batch.settings[i].key));
    if (value != before[i]) changed.push_back(fmt::format("{}={}", batch.settings[i].key, value));
  }
  return changed;
}

}  // namespace zt::config
