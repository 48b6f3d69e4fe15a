// SPDX-License-Identifier: Apache-2.0
// Values on their way from one source into a job. Reading a file (ours or a foreign one) gives a Batch;
// applying it writes the members and remembers where each came from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/internal/yaml.hpp"
#include "config/listing.hpp"
#include "config/load.hpp"

namespace zt::config {

struct Setting {
  std::string key;  ///< dotted, ours
  YamlNode node;
  std::string origin;
};

struct Batch {
  Source source;
  std::vector<Setting> settings;
};

/// "train.yaml:12".
std::string origin_of(const Source& source, Position at);

/// Settings of a tree in our own format. Errors: InvalidConfig for keys the listing does not have, naming the
/// nearest.
Result<std::vector<Setting>> flatten(const Listing& listing, const Source& source, const YamlNode& root);

/// The batch of one "a.b=c" of the command line.
Result<Batch> parse_set(const Listing& listing, const std::string& assignment);

/// One default, given as text by us.
Result<Batch> default_batch(const Listing& listing, std::string_view key, std::string_view text,
                            const std::string& origin);

/// Whether nobody wrote the key, nor asked for compat: moore's value of it.
bool is_open(const Origins& origins, std::string_view key);

/// Writes a batch into the listed job.
Status apply(const Listing& listing, const Batch& batch, Origins& origins);

/// The same of those settings whose keys are open. Returns "key=value" of each that changed the job.
Result<std::vector<std::string>> apply_open(const Listing& listing, Batch batch, Origins& origins);

}  // namespace zt::config
