// SPDX-License-Identifier: Apache-2.0
#include "data/ingest/ingest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <span>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "base/parallel.hpp"
#include "base/process/resources.hpp"
#include "base/signals.hpp"
#include "data/clip_index.hpp"
#include "data/ingest/internal/candidate.hpp"
#include "data/ingest/internal/examine.hpp"
#include "data/ingest/internal/journal.hpp"
#include "data/internal/footage_demand.hpp"
#include "data/internal/shortage.hpp"
#include "data/keypoints/pose_demand.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;
using ingest_internal::Candidate;
using ingest_internal::Discovery;
using ingest_internal::Examination;
using ingest_internal::Journal;
using ingest_internal::Outcome;

// What an outcome depends on beside the files. Splits are chosen afterwards; how people are searched for
// counts only where somebody searches.
std::string digest_of(const config::IngestJob& job, bool has_estimator) {
  const config::PoseSearch& pose = job.pose;
  std::string text = fmt::format("{} {} {} {} {} {} {} {} {} {}", job.min_frames, job.max_frames,
                                 job.min_side_px, job.split_shots, job.shot_threshold, job.verify_frames,
                                 job.extract_pose, job.min_pose_share, job.max_people, has_estimator);
  if (has_estimator)
    text += fmt::format(" {} {} {} {} {} {} {}", pose.models_dir, pose.min_confidence, pose.max_people,
                        pose.max_gap_frames, pose.smoothing, pose.hands, pose.face);
  return hash::xxh128_hex(std::as_bytes(std::span(text)));
}

// Names as file names: what is not plain becomes '_', a name that is taken gets a number.
std::vector<std::string> make_ids(const std::vector<Candidate>& candidates) {
  constexpr size_t kLongest = 150;
  std::set<std::string> taken;
  std::vector<std::string> ids;
  for (const Candidate& candidate : candidates) {
    std::string id = candidate.name.substr(candidate.name.size() - std::min(kLongest, candidate.name.size()));
    for (char& c : id) {
      const bool is_plain =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
      if (c == '/') c = '-';
      if (!is_plain && c != '-') c = '_';
    }
    if (id.empty() || id[0] == '.') id = "clip" + id;
    std::string unique = id;
    for (int n = 2; !taken.insert(unique).second; ++n) unique = fmt::format("{}_{}", id, n);
    ids.push_back(unique);
  }
  return ids;
}

// The same for every shot of a video, for any order of the videos, and for any others beside it.
std::string choose_split(const config::IngestJob& job, const std::string& name) {
  const double place =
      static_cast<double>(hash::xxh64(name, static_cast<uint64_t>(job.seed)) >> 11) * 0x1.0p-53;
  return place < job.val_fraction ? "val" : "train";
}

// Too little of memory, descriptors or disk: whatever was being looked at is not to blame, and an index
// without it would be taken for the whole.
std::optional<Error> shortage_in(const std::vector<Finding>& findings) {
  const auto found = std::ranges::find(findings, ErrorCode::Exhausted, &Finding::code);
  if (found == findings.end()) return std::nullopt;
  return Error{found->code,
               fmt::format("{}: no index is written: {}", found->detail, data::internal::kShortageAdvice),
               {}};
}

struct Examined {
  std::vector<Outcome> outcomes;
  int64_t unchanged = 0;
};

size_t threads_of(const config::IngestJob& job) {
  return static_cast<size_t>(job.threads > 0 ? job.threads : resources::cores());
}

Result<Examined> examine_all(const Discovery& found, const std::vector<std::string>& ids,
                             const Examination& how, Journal& journal, const IngestProgress& progress) {
  const size_t threads = threads_of(how.job);
  const size_t total = found.candidates.size();
  Examined examined;
  examined.outcomes.resize(total);
  std::mutex mutex;
  std::optional<Error> error;
  std::atomic<bool> is_over = false;
  int64_t done = 0;
  parallel_for(total, threads, [&](size_t i) {
    if (is_over || signals::stop() != signals::Stop::None) return;
    const std::string stamp = stamp_of(found.candidates[i]);
    auto earlier = journal.find(ids[i], stamp);
    const bool is_known = earlier.has_value();
    Outcome outcome = is_known ? *std::move(earlier) : examine(found.candidates[i], ids[i], how);
    const std::lock_guard lock(mutex);
    if (!error) error = shortage_in(outcome.rejects);
    if (!is_known && is_final(outcome)) {
      if (Status added = journal.add(ids[i], stamp, outcome); !added && !error)
        error = std::move(added).error();
    }
    if (error || (how.job.strict && !outcome.rejects.empty())) is_over = true;
    examined.unchanged += is_known ? 1 : 0;
    examined.outcomes[i] = std::move(outcome);
    if (++done; progress) progress(done, static_cast<int64_t>(total), found.candidates[i].name);
  });
  if (error) return fail(*std::move(error));
  if (signals::stop() != signals::Stop::None)
    return fail(ErrorCode::Cancelled,
                "stopped on request; the same command continues with the videos that are left");
  return examined;
}

// Room for what an earlier call has not looked at.
Status check_memory(const Discovery& found, const std::vector<std::string>& ids, const config::IngestJob& job,
                    const Journal& journal, bool has_estimator) {
  std::vector<fs::path> videos, without_pose;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Candidate& candidate = found.candidates[i];
    if (journal.find(ids[i], stamp_of(candidate))) continue;
    videos.push_back(candidate.video);
    if (candidate.pose.empty() && candidate.keypoints.empty()) without_pose.push_back(candidate.video);
  }
  std::vector<resources::Demand> demands = {
      internal::decoding_demand(internal::extents_of(videos, threads_of(job)))};
  if (has_estimator && !without_pose.empty()) {
    const int64_t num_people = std::max(job.pose.max_people, job.max_people > 0 ? job.max_people + 1 : 0);
    for (resources::Demand& demand :
         internal::searching_demands(internal::extents_of(without_pose, threads_of(job)), num_people))
      demands.push_back(std::move(demand));
  }
  return resources::require_memory(demands, "look at fewer videos at a time: --set threads=1");
}

// Room for the key-points that will be found in footage without, unless an earlier call found them.
Status check_disk(const Discovery& found, const std::vector<std::string>& ids, const config::IngestJob& job,
                  const fs::path& folder) {
  std::vector<fs::path> videos;
  std::error_code ignored;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Candidate& candidate = found.candidates[i];
    if (!candidate.pose.empty() || !candidate.keypoints.empty()) continue;
    if (!fs::exists(folder / "keypoints" / (ids[i] + ".jsonl"), ignored)) videos.push_back(candidate.video);
  }
  if (videos.empty()) return {};
  const resources::Demand demand = pose_demand(videos, job.pose.max_people, /*has_previews=*/false);
  return resources::require_disk(folder, {&demand, 1}, "free space, or name another output folder (-o)");
}

Error strict_error(const Finding& reject) {
  return {reject.may_pass() ? reject.code : ErrorCode::Corrupt,
          fmt::format("{}: {}: {}", reject.what, reject.reason, reject.detail),
          {}};
}

IngestReport summarise(const config::IngestJob& job, Discovery found, Examined examined,
                       std::vector<ClipRecord>& clips) {
  IngestReport report;
  std::set<std::string> ids;
  report.found = static_cast<int64_t>(found.candidates.size() + found.rejects.size());
  report.unchanged = examined.unchanged;
  report.rejects = std::move(found.unread);
  std::move(found.rejects.begin(), found.rejects.end(), std::back_inserter(report.rejects));
  for (size_t i = 0; i < examined.outcomes.size(); ++i) {
    Outcome& outcome = examined.outcomes[i];
    report.opened += outcome.is_probed ? 1 : 0;
    report.decoded += outcome.is_decoded ? 1 : 0;
    report.with_pose += outcome.has_pose ? 1 : 0;
    std::move(outcome.rejects.begin(), outcome.rejects.end(), std::back_inserter(report.rejects));
    std::move(outcome.remarks.begin(), outcome.remarks.end(), std::back_inserter(report.remarks));
    for (ClipRecord& clip : outcome.clips) {
      // The first shot of dance.mp4 and all of dance-000.mp4 have the same name.
      while (!ids.insert(clip.id).second) clip.id += "-b";
      if (clip.split.empty()) clip.split = choose_split(job, found.candidates[i].name);
      ++report.clips;
      report.frames += clip.num_frames;
      clips.push_back(std::move(clip));
    }
  }
  return report;
}

}  // namespace

fs::path ingest_folder(const config::IngestJob& job) {
  if (!job.output.empty()) return job.output;
  const fs::path input = job.input;
  std::error_code error;
  return (fs::is_directory(input, error) ? input : input.parent_path()) / ".zoetrope";
}

Result<IngestReport> ingest(const config::IngestJob& job, const PoseEstimator& estimator,
                            const IngestProgress& progress) {
  ZT_TRY_ASSIGN(Discovery found, ingest_internal::discover(job));
  for (const auto* findings : {&found.unread, &found.rejects}) {
    if (auto shortage = shortage_in(*findings)) return fail(*std::move(shortage));
    if (job.strict && !findings->empty()) return fail(strict_error(findings->front()));
  }
  const fs::path folder = ingest_folder(job);
  ZT_TRY(files::make_folders(folder));
  ZT_TRY_ASSIGN(const files::Lock lock, files::Lock::acquire(folder / "ingest.lock"));
  files::remove_leftovers(folder);
  ZT_TRY_ASSIGN(Journal journal,
                Journal::open(folder / "journal.jsonl", digest_of(job, estimator != nullptr)));
  const std::vector<std::string> ids = make_ids(found.candidates);
  ZT_TRY(check_memory(found, ids, job, journal, estimator != nullptr));
  if (estimator) ZT_TRY(check_disk(found, ids, job, folder));
  const Examination how{job, folder, estimator};
  ZT_TRY_ASSIGN(Examined examined, examine_all(found, ids, how, journal, progress));

  std::vector<ClipRecord> clips;
  IngestReport report = summarise(job, std::move(found), std::move(examined), clips);
  report.index = folder / "index.jsonl";
  if (job.strict && !report.rejects.empty()) return fail(strict_error(report.rejects.front()));
  if (clips.empty())
    return fail(ErrorCode::InvalidArgument,
                fmt::format("{} holds no usable clip\n{}", job.input, report.text()));
  ZT_TRY(write_index(report.index, clips));
  return report;
}

}  // namespace zt::data
