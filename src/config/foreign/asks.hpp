// SPDX-License-Identifier: Apache-2.0
// What foreign files ask of a job, key by key, and how it is applied: a value of the command line wins over
// them, they win over what the job leaves open, and where the job's own file says otherwise that is an error.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "config/foreign/key_file.hpp"
#include "config/load.hpp"

namespace zt::config::foreign {

/// One key of theirs.
struct Ask {
  enum class Kind {
    Says,    ///< `text` is what becomes of it
    Leaves,  ///< the same for a key that the file leaves open: `absent`
    Wants,   ///< our key `ours` shall have the value `text`, given as YAML
    Brings,  ///< so it shall if the job leaves it open: a default that comes with the entry's value
    Keeps,   ///< "auto": our key keeps the value it has
  };
  Kind kind = Kind::Says;
  const KeyFile* file = nullptr;
  const Entry* entry = nullptr;    ///< null for Leaves
  const KeyRow* absent = nullptr;  ///< for Leaves only
  std::string ours;
  std::string text;
};

Ask says(const KeyFile& file, const Entry& entry, std::string effect);
Ask leaves(const KeyFile& file, std::string_view key, std::string effect);
Ask wants(const KeyFile& file, const Entry& entry, std::string_view ours, std::string text);
Ask brings(const KeyFile& file, const Entry& entry, std::string_view ours, std::string_view text);
Ask keeps(const KeyFile& file, const Entry& entry, std::string_view ours);
/// keeps() for "auto", else wants() its value.
Ask takes(const KeyFile& file, const Entry& entry, std::string_view ours);
/// What a mapped, fixed or unused key becomes. Requires a row that is not Special.
Ask plain_ask(const KeyFile& file, const Entry& entry);

/// The job's value of a key, as YAML.
std::string value_of(const TrainJob& job, std::string_view key);

/// Applies asks to a copy of a job.
class AskApplier {
 public:
  explicit AskApplier(Resolved<TrainJob> own) : resolved_(std::move(own)) {}

  /// Errors: InvalidConfig, pointing at a value that is out of our range.
  Status apply(const std::vector<Ask>& asks);
  /// The job with what was applied up to now.
  const Resolved<TrainJob>& so_far() const { return resolved_; }
  /// One line for each value that the job's own file, or another of these files, says otherwise; "" = none.
  const std::string& contradictions() const { return contradictions_; }
  /// The job, its effects added. Requires that there are no contradictions.
  Resolved<TrainJob> finish() && { return std::move(resolved_); }

 private:
  Status apply(const Ask& ask);
  Result<std::string> settle(const Ask& ask);
  std::string kept(const std::string& ours) const;

  Resolved<TrainJob> resolved_;
  std::string contradictions_;
};

}  // namespace zt::config::foreign
