// SPDX-License-Identifier: Apache-2.0
#include "data/ingest/internal/journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "base/text/text.hpp"
#include "data/internal/footage_stamp.hpp"

namespace zt::data::ingest_internal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kJournalVersion = 3;

json to_json(const std::vector<Finding>& findings) {
  json list = json::array();
  for (const Finding& f : findings) list.push_back({f.what, f.reason, f.detail});
  return list;
}

std::vector<Finding> findings_of(const json& list) {
  std::vector<Finding> findings;
  for (const json& f : list) findings.push_back({f.at(0), f.at(1), f.at(2)});
  return findings;
}

// Throws json::exception or gives nothing for anything that format() would not have written.
std::optional<Outcome> outcome_of(const json& line) {
  Outcome outcome;
  outcome.is_probed = line.at("probed");
  outcome.is_decoded = line.at("decoded");
  outcome.has_pose = line.at("pose");
  outcome.rejects = findings_of(line.at("rejects"));
  outcome.remarks = findings_of(line.at("remarks"));
  auto clips = parse_index(line.at("clips").get<std::string>(), {});
  if (!clips) return std::nullopt;
  outcome.clips = std::move(clips->clips);
  return outcome;
}

std::string header(const std::string& job_digest) {
  return json{{"format", "zoetrope-ingest-journal"}, {"version", kJournalVersion}, {"job", job_digest}}
      .dump();
}

}  // namespace

std::string stamp_of(const Candidate& c) {
  std::string text = fmt::format("{}\n{}\n{}\n{}\n{}\n", c.name, c.where, c.split, c.character, c.motion);
  for (const fs::path* path : {&c.video, &c.pose, &c.keypoints, &c.mask, &c.labels, &c.background})
    text += path->string() + '\n' + internal::stamp_of(*path);
  if (!c.mask.empty() || !c.labels.empty()) text += "masks and labels decoded\n";  // earlier versions did not
  return hash::xxh128_hex(std::as_bytes(std::span(text)));
}

Result<Journal> Journal::open(const fs::path& path, const std::string& job_digest) {
  Journal journal;
  journal.path_ = path;
  const std::string wanted = header(job_digest);
  std::error_code error;
  std::string text;
  if (fs::exists(path, error)) {
    ZT_TRY_ASSIGN(text, files::read(path));
  }
  if (!text.starts_with(wanted + "\n")) {
    text = wanted + "\n";
    ZT_TRY(files::write_atomic(path, text));
  }
  const std::vector<std::string> lines = text::split(text, '\n');
  for (size_t i = 1; i < lines.size(); ++i) {
    try {  // nlohmann's typed access throws; a line that is not ours is forgotten
      const json line = json::parse(lines[i]);
      if (auto outcome = outcome_of(line))
        journal.entries_[line.at("id")] = {line.at("stamp"), *std::move(outcome)};
    } catch (const json::exception&) {
      continue;
    }
  }
  journal.out_.open(path, std::ios::binary | std::ios::app);
  if (text.back() != '\n')
    journal.out_ << '\n' << std::flush;  // ends a torn line: the next one starts afresh
  if (!journal.out_) return fail(files::errno_error("open", path, errno));
  return journal;
}

std::optional<Outcome> Journal::find(const std::string& id, const std::string& stamp) const {
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.stamp != stamp) return std::nullopt;
  // Key-points that this program found and somebody removed: only another search brings them back. Another
  // file that is there but not where the record says: the records are relative to a folder that was moved.
  const auto is_gone = [&](const ClipRecord& clip) {
    const fs::path folder = path_.parent_path();
    const std::array named{&clip.video, &clip.pose_video, &clip.keypoints,
                           &clip.mask,  &clip.labels,     &clip.background};
    return std::ranges::any_of(
        named, [&](const std::string* file) { return !file->empty() && files::is_absent(folder / *file); });
  };
  if (std::ranges::any_of(it->second.outcome.clips, is_gone)) return std::nullopt;
  return it->second.outcome;
}

Status Journal::add(const std::string& id, const std::string& stamp, const Outcome& outcome) {
  const json line{{"id", id},
                  {"stamp", stamp},
                  {"probed", outcome.is_probed},
                  {"decoded", outcome.is_decoded},
                  {"pose", outcome.has_pose},
                  {"rejects", to_json(outcome.rejects)},
                  {"remarks", to_json(outcome.remarks)},
                  {"clips", format_index(outcome.clips)}};
  out_ << line.dump(-1, ' ', false, json::error_handler_t::replace) << '\n' << std::flush;
  if (!out_) return fail(files::errno_error("write", path_, errno));
  return {};
}

}  // namespace zt::data::ingest_internal
