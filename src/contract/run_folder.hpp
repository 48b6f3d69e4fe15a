// SPDX-License-Identifier: Apache-2.0
// The run folder: everything a run is, in files that all programs read. Format: docs/formats/run-folder.md.
//
//   runs/<run-id>/run.yaml        resolved configuration, frozen
//   runs/<run-id>/identity.json   ids, parent, digest, code version, environment
//   runs/<run-id>/lock            held by the one process group that writes
//   runs/<run-id>/events/ metrics/ attempts/<generation>/ checkpoints/ samples/ report.html
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/files/files.hpp"
#include "base/files/run_places.hpp"

namespace zt::contract {

/// identity.json: what a run is, written once.
struct Identity {
  static constexpr int kVersion = 1;
  std::string run_id;             ///< name + "-" + 8 hex digits; also the folder's name
  std::string name;               ///< as the user chose it
  std::string kind;               ///< "stage1", "stage2", ...: what the run does, for listings
  std::string parent;             ///< run id this run starts from; empty if none
  std::string config_digest;      ///< of the values of run.yaml (config/load.hpp)
  std::string code_version;       ///< of the program that submitted it
  std::string created_at;         ///< UTC, ISO 8601
  std::string folder = {};        ///< absolute path it was made at; empty in runs of older programs
  std::string run_yaml_sum = {};  ///< XXH3-128 of that file; empty in runs of older programs
  bool is_import = false;         ///< its first checkpoint is other programs' weights
  std::map<std::string, std::string> environment;  ///< host, kernel, CPU, cores, memory...
};

std::string to_json(const Identity& identity);
/// Errors: Corrupt for anything but a complete identity, Unsupported for another version.
Result<Identity> parse_identity(std::string_view json);

struct CreateRun {
  std::filesystem::path runs_folder = "runs";
  std::string name = {};      ///< letters, digits, '.', '_', '-'; at most 80
  std::string run_yaml = {};  ///< the resolved configuration's text
  std::string config_digest = {};
  std::string kind = {};
  std::string parent = {};
  std::string code_version = {};
  std::map<std::string, std::string> environment = {};
  bool is_import = false;
};

/// One time that a run's ranks meet: at a launch, or again after some of them died. Its number is the
/// generation of everything that they write meanwhile.
struct Attempt {
  int64_t generation = 0;
  std::filesystem::path folder;
  /// Standard error of a rank.
  std::filesystem::path log(int rank = 0) const;
  /// The configuration, where this attempt was given other values than run.yaml (see RunFolder::config_file).
  std::filesystem::path run_yaml() const { return folder / "run.yaml"; }
  /// Progress words of a rank (contract/words/progress.hpp).
  std::filesystem::path progress(int rank = 0) const;
  /// Where the ranks of another program's launch find their store (contract/store_address.hpp).
  std::filesystem::path store() const { return folder / "store.json"; }
  /// Last exchanges of a rank (contract/words/flight.hpp), where there was a reason to write them down.
  std::filesystem::path flight(int rank = 0) const;
};

/// The flight record of a rank whose progress words are at `progress`: beside them. What a launch's ranks
/// write and its launcher reads.
std::filesystem::path flight_beside(const std::filesystem::path& progress, int64_t rank);

class RunFolder {
 public:
  /// Makes the folder with a fresh id. The folder appears complete or not at all. Errors: InvalidArgument for
  /// a name that is no plain file name, else those of the file system.
  static Result<RunFolder> create(const CreateRun& options);
  /// Errors: NotFound if `folder` is no run, Corrupt if its identity is lost or can't be read.
  static Result<RunFolder> open(const std::filesystem::path& folder);
  /// Opens what a user names: a path to a run folder, a run id, a name that one run of `runs_folder`
  /// has, or a prefix of an id that fits exactly one; "latest" is the newest. Errors: NotFound with the
  /// nearest id, InvalidArgument listing the candidates; those of open() if only damaged ones fit, or one of
  /// them is the newest.
  static Result<RunFolder> find(const std::filesystem::path& runs_folder, const std::string& what);

  const std::filesystem::path& path() const { return path_; }
  const Identity& identity() const { return identity_; }
  /// For reading its configuration (config::thaw_run).
  RunPlaces places() const { return {.made = identity_.folder, .now = path_}; }
  std::filesystem::path run_yaml() const { return path_ / "run.yaml"; }
  std::filesystem::path events() const { return path_ / "events"; }
  std::filesystem::path metrics() const { return path_ / "metrics"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path samples() const { return path_ / "samples"; }
  /// Clips that its ranks must not read, if there are any (contract/left_out.hpp).
  std::filesystem::path left_out() const { return path_ / "left-out.json"; }
  std::filesystem::path report() const { return path_ / "report.html"; }
  /// Name of the checkpoint of model.stage1_run that its ranks began from, once they have.
  std::filesystem::path stage1_checkpoint() const { return path_ / "stage1-checkpoint"; }

  /// Taken by the process that writes (rank 0's worker) for as long as it lives. Errors: Unavailable, naming
  /// the pid and host of the holder.
  Result<files::Lock> lock() const;

  /// Begins an attempt: makes attempts/<n> with n above every earlier one. Two callers never get the same
  /// number.
  Result<Attempt> begin_attempt() const;
  /// An attempt by its generation. Errors: NotFound; Unavailable if its folder can't be looked up.
  Result<Attempt> attempt(int64_t generation) const;
  /// The configuration that attempt `generation` runs with: run.yaml of the newest attempt up to it that has
  /// one (a resume may change the fields that are allowed to change), else the run's own. Errors: as
  /// attempts().
  Result<std::filesystem::path> config_file(int64_t generation) const;
  /// Every attempt, oldest first; none where there is no folder of them. Errors: Permission or Unavailable if
  /// that can't be read.
  Result<std::vector<Attempt>> attempts() const;
  /// Whether run.yaml is the one that the run was made with. Errors: Corrupt for another, and those of
  /// files::read.
  Status check_run_yaml() const;
  /// Whether an import that made the run came to its end: without its checkpoint the run would train from its
  /// start, and call it a resume. Errors: NotFound.
  Status check_import() const;

 private:
  RunFolder(std::filesystem::path path, Identity identity)
      : path_(std::move(path)), identity_(std::move(identity)) {}
  std::filesystem::path path_;
  Identity identity_;
};

/// A folder that is a run, but whose identity is lost or can't be read.
struct DamagedRun {
  std::filesystem::path path;
  Error defect;
};
struct RunList {
  std::vector<RunFolder> runs;      ///< oldest first
  std::vector<DamagedRun> damaged;  ///< by name
};
/// Every run of a folder; entries that are no run are skipped, an absent folder gives none.
RunList list_runs(const std::filesystem::path& runs_folder);

}  // namespace zt::contract
