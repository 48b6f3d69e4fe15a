// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/asks.hpp"

#include <fmt/format.h>

#include <utility>

#include "config/internal/foreign.hpp"
#include "config/internal/settings.hpp"
#include "config/internal/value.hpp"

namespace zt::config::foreign {
namespace {

constexpr std::string_view kSet = "--set";

Ask about(const KeyFile& file, const Entry& entry, Ask::Kind kind) {
  Ask ask;
  ask.kind = kind;
  ask.file = &file;
  ask.entry = &entry;
  return ask;
}

/// The job with the asked value, from the place that asks. Errors: InvalidConfig at that place.
Result<Resolved<TrainJob>> with_value(const Resolved<TrainJob>& own, const Ask& ask,
                                      const std::string& origin) {
  Resolved<TrainJob> with = own;
  YamlNode node;
  node.kind = YamlNode::Kind::Scalar;
  node.text = ask.text;
  node.at = ask.entry->at;
  ZT_TRY(apply(list(with.job), Batch{ask.file->source, {{ask.ours, std::move(node), origin}}}, with.origins));
  return with;
}

}  // namespace

std::string value_of(const TrainJob& job, std::string_view key) {
  TrainJob copy = job;
  const Listing listing = list(copy);
  const Field* field = listing.find(key);
  return field ? format_value(*field) : std::string();
}

Ask says(const KeyFile& file, const Entry& entry, std::string effect) {
  Ask ask = about(file, entry, Ask::Kind::Says);
  ask.text = std::move(effect);
  return ask;
}

Ask leaves(const KeyFile& file, std::string_view key, std::string effect) {
  Ask ask;
  ask.kind = Ask::Kind::Leaves;
  ask.file = &file;
  ask.absent = file.table->find(key);
  ask.text = std::move(effect);
  return ask;
}

Ask wants(const KeyFile& file, const Entry& entry, std::string_view ours, std::string text) {
  Ask ask = about(file, entry, Ask::Kind::Wants);
  ask.ours = ours;
  ask.text = std::move(text);
  return ask;
}

Ask brings(const KeyFile& file, const Entry& entry, std::string_view ours, std::string_view text) {
  Ask ask = about(file, entry, Ask::Kind::Brings);
  ask.ours = ours;
  ask.text = text;
  return ask;
}

Ask keeps(const KeyFile& file, const Entry& entry, std::string_view ours) {
  Ask ask = about(file, entry, Ask::Kind::Keeps);
  ask.ours = ours;
  return ask;
}

Ask takes(const KeyFile& file, const Entry& entry, std::string_view ours) {
  return entry.is_auto ? keeps(file, entry, ours) : wants(file, entry, ours, entry.value);
}

namespace {

/// Whether the section that the key is in has a switch that is not on.
bool is_switched_off(const KeyFile& file, std::string_view key) {
  const std::string name = fmt::format("{}.enabled", key.substr(0, key.find('.')));
  if (!file.table->find(name)) return false;
  const Entry* enabled = file.find(name);
  return !enabled || enabled->value == "false";
}

Ask warning_ask(const KeyFile& file, const Entry& entry) {
  const KeyRow& row = *entry.row;
  if (is_switched_off(file, row.key)) return says(file, entry, "not used: the section is not enabled");
  if (!row.text.empty() && lower(entry.value) == row.text) return says(file, entry, "as here");
  return says(file, entry, fmt::format("warning: not used, so numbers may differ: {}", row.reason));
}

}  // namespace

Ask plain_ask(const KeyFile& file, const Entry& entry) {
  const KeyRow& row = *entry.row;
  if (row.does == Does::Map) return takes(file, entry, row.text);
  if (row.does == Does::Only) return says(file, entry, "as here");
  if (row.does == Does::Warn) return warning_ask(file, entry);
  return says(file, entry, fmt::format("not used: {}", row.reason));
}

std::string AskApplier::kept(const std::string& ours) const {
  const std::string& origin = resolved_.origins.find(ours)->second;
  const std::string value = value_of(resolved_.job, ours);
  if (is_default_origin(origin)) return fmt::format("{} = {}, the {}", ours, value, origin);
  return fmt::format("{} = {}, as {} says", ours, value, origin);
}

/// Behind the origin of a value that was brought: who wants another one, wins.
constexpr std::string_view kBroughtMark = " (its default)";

/// What becomes of a value that is wanted or brought.
Result<std::string> AskApplier::settle(const Ask& ask) {
  const bool is_brought = ask.kind == Ask::Kind::Brings;
  const std::string from = ask.file->origin(*ask.entry) + (is_brought ? std::string(kBroughtMark) : "");
  ZT_TRY_ASSIGN(Resolved<TrainJob> with, with_value(resolved_, ask, from));
  const std::string before = value_of(resolved_.job, ask.ours), after = value_of(with.job, ask.ours);
  const std::string origin = resolved_.origins.find(ask.ours)->second;
  if (is_default_origin(origin) || (origin.ends_with(kBroughtMark) && !is_brought)) {
    resolved_ = std::move(with);
    return fmt::format("{} = {}{}", ask.ours, after, is_brought ? ", its default" : "");
  }
  if (before == after || is_brought) return kept(ask.ours);
  if (origin == kSet) return fmt::format("{} stays {}: {} wins", ask.ours, before, kSet);
  contradictions_ += fmt::format("\n  {} = {} needs {} = {}; {} says {}", from, ask.entry->value, ask.ours,
                                 after, origin, before);
  return std::string();
}

Status AskApplier::apply(const Ask& ask) {
  const std::string& name = ask.file->source.name;
  if (ask.kind == Ask::Kind::Leaves) {
    resolved_.effects.push_back(
        {std::string(ask.absent->key), fmt::format("absent ({})", ask.absent->default_text), name, ask.text});
    return {};
  }
  std::string effect = ask.text;
  if (ask.kind == Ask::Kind::Keeps) {
    effect = kept(ask.ours);
  } else if (ask.kind != Ask::Kind::Says) {
    ZT_TRY_ASSIGN(effect, settle(ask));
  }
  const Entry& entry = *ask.entry;
  if (entry.is_old) effect = fmt::format("old spelling of {}; {}", entry.row->key, effect);
  resolved_.effects.push_back(
      {entry.written, entry.value, fmt::format("{}:{}", name, entry.key_at.line + 1), std::move(effect)});
  return {};
}

Status AskApplier::apply(const std::vector<Ask>& asks) {
  for (const Ask& ask : asks) ZT_TRY(apply(ask));
  return {};
}

}  // namespace zt::config::foreign
