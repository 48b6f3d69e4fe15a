// SPDX-License-Identifier: Apache-2.0
// Reads a network's config.json key by key. A key that is null or missing leaves the default; a key of the
// wrong type is an error that names it; keys nobody asked for are kept as text, so that they survive being
// written again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::models::internal {

class ConfigReader {
 public:
  /// Errors: Corrupt if `json` is not one JSON object. `what` names the file in messages.
  static Result<ConfigReader> parse(std::string_view json, std::string_view what);
  ConfigReader(ConfigReader&&) noexcept;
  ~ConfigReader();

  bool has(std::string_view key) const;
  void read(std::string_view key, int64_t& value);
  void read(std::string_view key, double& value);
  void read(std::string_view key, bool& value);
  void read(std::string_view key, std::string& value);
  void read(std::string_view key, std::vector<std::string>& value);
  /// A list, or one number that stands for `count` equal ones (0: a list only).
  void read(std::string_view key, std::vector<int64_t>& value, size_t count = 0);
  /// The object under a key as a reader of its own; an empty one if there is none.
  ConfigReader object(std::string_view key);
  /// A key we keep but can only compute one way: its value, if there, must print as one of these JSON texts.
  void require_one_of(std::string_view key, std::initializer_list<std::string_view> values);
  /// Any other reason to refuse the file.
  void refuse(std::string_view key, std::string_view wanted);

  /// The first error met, of nested readers too if they were handed back with absorb().
  Status status() const;
  void absorb(const ConfigReader& nested);
  /// The keys that were not read, as JSON.
  std::string foreign() const;

 private:
  struct State;
  explicit ConfigReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// `start`, and behind it those keys of `foreign` (ConfigReader::foreign) that it does not have.
nlohmann::ordered_json with_foreign(nlohmann::ordered_json start, std::string_view foreign);

}  // namespace zt::models::internal
