// SPDX-License-Identifier: Apache-2.0
// What ingest found out so far, one line per video, so that an interrupted call continues and a repeated one
// looks only at what changed (docs/formats/ingest.md).
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "data/ingest/internal/examine.hpp"

namespace zt::data::ingest_internal {

/// Digest of a candidate, of the paths of its files and of what internal::stamp_of() says of each: equal
/// stamps, equal outcome.
std::string stamp_of(const Candidate& candidate);

/// Threads: find() from any, add() from one at a time.
class Journal {
 public:
  /// Reads what an earlier call with an equal `job_digest` left, or starts anew. A torn or damaged line is
  /// forgotten. Errors: those of writing.
  static Result<Journal> open(const std::filesystem::path& path, const std::string& job_digest);
  /// An earlier outcome under this id, if the stamp is still the same and all files it names are there, seen
  /// from the journal's folder.
  std::optional<Outcome> find(const std::string& id, const std::string& stamp) const;
  /// Requires: is_final(outcome).
  Status add(const std::string& id, const std::string& stamp, const Outcome& outcome);

 private:
  struct Entry {
    std::string stamp;
    Outcome outcome;
  };
  std::filesystem::path path_;
  std::map<std::string, Entry> entries_;
  std::ofstream out_;
};

}  // namespace zt::data::ingest_internal
