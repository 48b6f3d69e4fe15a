// SPDX-License-Identifier: Apache-2.0
#include "contract/run_folder.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <span>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "base/text/json_reason.hpp"
#include "base/text/random_hex.hpp"
#include "base/text/run_name.hpp"
#include "base/text/text.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/events.hpp"
#include "contract/internal/append_file.hpp"
#include "contract/internal/json_number.hpp"
#include "contract/internal/launch_numbers.hpp"

namespace zt::contract {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
constexpr uint64_t kMaxIdentityBytes = 1 << 20;
constexpr std::string_view kIdentityFile = "identity.json";
constexpr const char* kUnfinished = ".run";  // a temporary name that no listing takes for a run's

Status fill(const fs::path& folder, const CreateRun& options, const Identity& identity) {
  for (const char* name : {"events", "metrics", "attempts", "checkpoints", "samples"}) {
    ZT_TRY(files::make_folders(folder / name));
  }
  ZT_TRY(files::write_atomic(folder / "run.yaml", options.run_yaml));
  return files::write_atomic(folder / kIdentityFile, to_json(identity));
}

std::string sum_of(std::string_view text) { return hash::xxh128_hex(std::as_bytes(std::span(text))); }

Status make_whole(const fs::path& folder, const CreateRun& options, const Identity& identity) {
  const fs::path unfinished = options.runs_folder / kUnfinished;
  ZT_TRY(files::make_folders(options.runs_folder));
  files::remove_leftovers_of(unfinished);
  ZT_TRY_ASSIGN(const files::Temporary made, files::Temporary::folder(unfinished));
  ZT_TRY(fill(made.path(), options, identity));
  return files::rename_durable(made.path(), folder);
}

constexpr const char* kAdvice =
    "put back a copy of it (docs/formats/run-folder.md says what it holds); its checkpoints are as they were";

bool is_run_folder(const fs::path& folder) {
  std::error_code ec;
  return fs::is_regular_file(folder / kIdentityFile, ec);
}

/// One that has lost its identity.
bool was_run_folder(const fs::path& folder) {
  std::error_code ec;
  return !is_run_folder(folder) && fs::is_regular_file(folder / "run.yaml", ec) &&
         fs::is_directory(folder / "attempts", ec) && fs::is_directory(folder / "checkpoints", ec);
}

Result<RunFolder> pick(const fs::path& runs_folder, const std::string& what,
                       std::vector<RunFolder> candidates, const std::vector<std::string>& ids) {
  if (candidates.size() == 1) return std::move(candidates.front());
  if (candidates.empty() && ids.empty())
    return fail(
        ErrorCode::NotFound,
        fmt::format("there are no runs in {}: `zoetrope train` makes one, --runs-dir says where others "
                    "are",
                    runs_folder.string()));
  if (candidates.empty()) {
    const std::string near = text::nearest(what, ids);
    const std::string hint =
        near.empty() ? "`zoetrope runs ls` lists them" : fmt::format("did you mean {}?", near);
    return fail(ErrorCode::NotFound,
                fmt::format("there is no run '{}' in {}: {}", what, runs_folder.string(), hint));
  }
  const auto is_exact = [&](const RunFolder& run) { return run.identity().name == what; };
  if (std::ranges::count_if(candidates, is_exact) == 1) return *std::ranges::find_if(candidates, is_exact);
  std::string names;
  for (const auto& run : candidates) names += "\n  " + run.identity().run_id;
  return fail(ErrorCode::InvalidArgument,
              fmt::format("'{}' fits {} runs, name one of:{}", what, candidates.size(), names));
}

/// When a run that can't be opened was made, as Identity::created_at: by what is left of its identity, or by
/// its first event; else by the time of run.yaml, which is that of the copying where the run was copied.
std::string made_at(const DamagedRun& run) {
  constexpr std::string_view kKey = "\"created_at\": \"", kForm = "2026-11-24T16:20:05.123Z";
  const std::string text = files::read_regular(run.path / kIdentityFile, kMaxIdentityBytes).value_or("");
  if (const size_t at = text.find(kKey); at != std::string::npos) {
    const std::string time = text.substr(at + kKey.size(), kForm.size());
    if (time.size() == kForm.size() && time.ends_with('Z')) return time;
  }
  if (const auto log = read_events(run.path / "events"); log && !log->events.empty())
    return log->events.front().time;
  std::error_code unknown;
  const fs::file_time_type time = fs::last_write_time(run.path / "run.yaml", unknown);
  if (unknown) return "";  // before all others
  const auto since_1970 = std::chrono::file_clock::to_sys(time).time_since_epoch();
  return clock::utc(std::chrono::duration<double>(since_1970).count());
}

/// A damaged one that is newer than the rest is not passed over: who says "latest" would get another run's
/// weights without a word.
Result<RunFolder> latest_of(const fs::path& runs_folder) {
  auto [runs, damaged] = list_runs(runs_folder);
  const auto newest = std::ranges::max_element(damaged, {}, made_at);
  if (newest != damaged.end() && (runs.empty() || made_at(*newest) > runs.back().identity().created_at))
    return fail(
        std::move(newest->defect)
            .with(fmt::format("while looking for the latest run; name another, or move this one out of {}",
                              runs_folder.string())));
  if (runs.empty()) return pick(runs_folder, "latest", {}, {});
  return std::move(runs.back());
}

/// Of all attempts that left a trace. Events and metrics of a number are written once, so that one that
/// took it again because attempts/ is gone could say nothing.
Result<int64_t> newest_generation(const RunFolder& run) {
  ZT_TRY_ASSIGN(const auto attempts, run.attempts());
  int64_t newest = attempts.empty() ? 0 : attempts.back().generation;
  for (const auto& [folder, extension] : {std::pair(run.events(), internal::kEventExtension),
                                          std::pair(run.metrics(), internal::kMetricExtension)})
    for (const internal::SegmentFile& file : internal::list_segments(folder, extension))
      if (file.generation <= internal::kMaxGeneration) newest = std::max(newest, file.generation);
  return newest;
}

// As create() makes them: it names a folder, and is printed.
bool is_run_id(std::string_view id, std::string_view name) {
  return is_run_name(name) && id.starts_with(name) && id.substr(name.size()).starts_with('-') &&
         is_run_name(id.substr(name.size() + 1));
}

}  // namespace

std::string to_json(const Identity& i) {
  const nlohmann::ordered_json j{{"version", Identity::kVersion},
                                 {"run_id", i.run_id},
                                 {"name", i.name},
                                 {"kind", i.kind},
                                 {"parent", i.parent},
                                 {"config_digest", i.config_digest},
                                 {"code_version", i.code_version},
                                 {"created_at", i.created_at},
                                 {"folder", i.folder},
                                 {"run_yaml_sum", i.run_yaml_sum},
                                 {"is_import", i.is_import},
                                 {"environment", i.environment}};
  return j.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<Identity> parse_identity(std::string_view text) {
  try {
    const json j = json::parse(text);
    if (const auto version = internal::whole<int64_t>(j.at("version")); version != Identity::kVersion) {
      return fail(ErrorCode::Unsupported,
                  fmt::format("the run has format version {}, this program reads version {}", version,
                              Identity::kVersion));
    }
    Identity i;
    i.run_id = j.at("run_id");
    i.name = j.at("name");
    i.kind = j.at("kind");
    i.parent = j.at("parent");
    i.config_digest = j.at("config_digest");
    i.code_version = j.at("code_version");
    i.created_at = j.at("created_at");
    i.folder = j.value("folder", "");
    i.run_yaml_sum = j.value("run_yaml_sum", "");
    i.is_import = j.value("is_import", false);
    i.environment = j.at("environment").get<std::map<std::string, std::string>>();
    if (!is_run_id(i.run_id, i.name))
      return fail(ErrorCode::Corrupt,
                  fmt::format("not a run's identity: {} is not a run_id of a run named {}",
                              text::quoted(i.run_id), text::quoted(i.name)));
    return i;
  } catch (const std::exception& e) {  // third-party leaf: nlohmann throws
    return fail(ErrorCode::Corrupt, fmt::format("not a run's identity: {}", json_reason(e)));
  }
}

fs::path Attempt::log(int rank) const { return folder / fmt::format("rank-{:05}.log", rank); }

fs::path Attempt::flight(int rank) const { return flight_beside(progress(rank), rank); }

fs::path Attempt::progress(int rank) const { return folder / fmt::format("rank-{:05}.progress", rank); }

fs::path flight_beside(const fs::path& progress, int64_t rank) {
  return progress.parent_path() / fmt::format("flight-{:05}.jsonl", rank);
}

Result<RunFolder> RunFolder::create(const CreateRun& options) {
  if (!is_run_name(options.name))
    return fail(ErrorCode::InvalidArgument, fmt::format("{} can't be the name of a run: use {}",
                                                        text::quoted(options.name), kRunNameRule));
  Identity identity{.run_id = options.name + "-" + random_hex(8),
                    .name = options.name,
                    .kind = options.kind,
                    .parent = options.parent,
                    .config_digest = options.config_digest,
                    .code_version = options.code_version,
                    .created_at = clock::utc_now(),
                    .run_yaml_sum = sum_of(options.run_yaml),
                    .is_import = options.is_import,
                    .environment = options.environment};
  const fs::path folder = options.runs_folder / identity.run_id;
  std::error_code unknown_place;
  identity.folder = fs::absolute(folder, unknown_place).lexically_normal().string();
  if (Status made = make_whole(folder, options, identity); !made)
    return fail(std::move(made.error()).with("while making the run folder " + folder.string()));
  return RunFolder(folder, std::move(identity));
}

Result<RunFolder> RunFolder::open(const fs::path& folder) {
  if (was_run_folder(folder))
    return fail(ErrorCode::Corrupt,
                fmt::format("the run {} has lost its {}: {}", folder.string(), kIdentityFile, kAdvice));
  if (!is_run_folder(folder)) {
    return fail(ErrorCode::NotFound,
                fmt::format("{} is not a run folder: it has no {}", folder.string(), kIdentityFile));
  }
  ZT_TRY_ASSIGN(const std::string text, files::read_regular(folder / kIdentityFile, kMaxIdentityBytes));
  auto identity = parse_identity(text);
  if (!identity) {
    if (identity.error().code == ErrorCode::Corrupt) identity.error().message += fmt::format("; {}", kAdvice);
    return fail(std::move(identity.error()).with("while reading " + (folder / kIdentityFile).string()));
  }
  return RunFolder(folder, std::move(*identity));
}

Result<RunFolder> RunFolder::find(const fs::path& runs_folder, const std::string& what) {
  if (what.find('/') != std::string::npos || is_run_folder(what)) return open(what);
  if (is_run_name(what) && is_run_folder(runs_folder / what)) return open(runs_folder / what);
  if (what == "latest") return latest_of(runs_folder);
  auto [runs, damaged] = list_runs(runs_folder);
  std::vector<RunFolder> candidates;
  std::vector<std::string> ids;
  for (const auto& run : runs) {
    ids.push_back(run.identity().run_id);
    if (!what.empty() && ids.back().starts_with(what)) candidates.push_back(run);
  }
  for (DamagedRun& run : damaged) {
    const bool fits = !what.empty() && run.path.filename().string().starts_with(what);
    if (fits && candidates.empty()) return fail(std::move(run.defect));
  }
  return pick(runs_folder, what, std::move(candidates), ids);
}

Status RunFolder::check_run_yaml() const {
  if (identity_.run_yaml_sum.empty()) return {};
  ZT_TRY_ASSIGN(const std::string text, files::read_regular(run_yaml()));
  if (sum_of(text) == identity_.run_yaml_sum) return {};
  return fail(
      ErrorCode::Corrupt,
      fmt::format("{} is not the file that the run {} was made with: put that one back, or start a new "
                  "run with this one (`zoetrope train --config`)",
                  run_yaml().string(), identity_.run_id));
}

Status RunFolder::check_import() const {
  if (!identity_.is_import || !list_checkpoints(checkpoints()).empty()) return {};
  return fail(
      ErrorCode::NotFound,
      fmt::format("the run {} was imported and has no checkpoint: the import did not come to its end. "
                  "Remove {} and import again",
                  identity_.run_id, path_.string()));
}

Result<files::Lock> RunFolder::lock() const {
  auto lock = files::Lock::acquire(path_ / "lock");
  if (!lock && lock.error().code == ErrorCode::Unavailable) {
    lock.error().message += ": wait until it ends, or stop it, and try again";
  }
  return lock;
}

Result<Attempt> RunFolder::begin_attempt() const {
  if (!is_run_folder(path_))
    return fail(ErrorCode::NotFound,
                fmt::format("{} is gone: was the run moved or removed while it ran?", path_.string()));
  ZT_TRY_ASSIGN(int64_t generation, newest_generation(*this));
  ++generation;
  ZT_TRY(files::make_folders(path_ / "attempts"));
  constexpr int kTries = 1000;  // each loses to another process that made the folder first
  for (int i = 0; i < kTries; ++i, ++generation) {
    const fs::path folder = path_ / "attempts" / fmt::format("{}", generation);
    if (::mkdir(folder.c_str(), 0755) == 0) {
      ZT_TRY(files::sync_folder(folder.parent_path()));
      return Attempt{generation, folder};
    }
    if (errno != EEXIST) return fail(files::errno_error("make folder", folder, errno));
  }
  return fail(ErrorCode::Unavailable,
              fmt::format("no free attempt number in {}", (path_ / "attempts").string()));
}

// By its name: what another host has just made is found before a listing shows it.
Result<Attempt> RunFolder::attempt(int64_t generation) const {
  fs::path folder = path_ / "attempts" / fmt::format("{}", generation);
  std::error_code ec;
  if (fs::is_directory(folder, ec)) return Attempt{generation, std::move(folder)};
  if (files::is_absent(folder))
    return fail(ErrorCode::NotFound, fmt::format("{} has no attempt {}", path_.string(), generation));
  return fail(ErrorCode::Unavailable, fmt::format("{} is not a folder that can be looked up{}",
                                                  folder.string(), ec ? ": " + ec.message() : ""));
}

Result<fs::path> RunFolder::config_file(int64_t generation) const {
  ZT_TRY_ASSIGN(const std::vector<Attempt> all, attempts());
  fs::path file = run_yaml();
  for (const Attempt& attempt : all)
    if (attempt.generation <= generation && !files::is_absent(attempt.run_yaml())) file = attempt.run_yaml();
  return file;
}

Result<std::vector<Attempt>> RunFolder::attempts() const {
  const fs::path folder = path_ / "attempts";
  std::vector<Attempt> out;
  if (files::is_absent(folder)) return out;
  std::error_code ec;
  for (fs::directory_iterator item(folder, ec), last; !ec && item != last; item.increment(ec)) {
    const std::string name = item->path().filename().string();
    const int64_t generation = text::to_number<int64_t>(name).value_or(0);
    if (generation > 0 && generation <= internal::kMaxGeneration) out.push_back({generation, item->path()});
  }
  if (ec) return fail(files::errno_error("list", folder, ec.value()));
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.generation < b.generation; });
  return out;
}

RunList list_runs(const fs::path& runs_folder) {
  RunList out;
  std::error_code ec;
  for (fs::directory_iterator item(runs_folder, ec), end; !ec && item != end; item.increment(ec)) {
    const fs::path folder = item->path();
    if (folder.filename().string().starts_with('.')) continue;  // not finished being made
    if (!is_run_folder(folder) && !was_run_folder(folder)) continue;
    if (auto run = RunFolder::open(folder))
      out.runs.push_back(std::move(*run));
    else
      out.damaged.push_back({folder, std::move(run.error())});
  }
  std::ranges::sort(out.runs, {}, [](const RunFolder& run) {
    return std::pair(run.identity().created_at, run.identity().run_id);
  });
  std::ranges::sort(out.damaged, {}, &DamagedRun::path);
  return out;
}

}  // namespace zt::contract
