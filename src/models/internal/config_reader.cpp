// SPDX-License-Identifier: Apache-2.0
// See config_reader.hpp.
#include "models/internal/config_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace zt::models::internal {

using Json = nlohmann::ordered_json;

/// Numbers in a config above this are no size of anything.
constexpr int64_t kLargestInteger = int64_t{1} << 40;
constexpr size_t kLongestList = 64;

struct ConfigReader::State {
  Json json;
  std::string what;
  std::set<std::string, std::less<>> read;
  std::optional<Error> error;

  void fail(std::string_view key, std::string_view wanted) {
    if (error) return;
    const auto found = json.find(key);
    error = Error{ErrorCode::InvalidConfig,
                  fmt::format("{}: key \"{}\" must be {}, found {}", what, key, wanted,
                              found == json.end() ? "nothing" : found->dump().substr(0, 80))};
  }
  /// The value under a key, marked as read; null if missing or JSON null.
  const Json* take(std::string_view key) {
    read.emplace(key);
    const auto found = json.find(key);
    return found == json.end() || found->is_null() ? nullptr : &*found;
  }
};

namespace {

bool is_size(const Json& value) {
  return value.is_number_integer() && value.get<int64_t>() >= 0 && value.get<int64_t>() <= kLargestInteger;
}

}  // namespace

ConfigReader::ConfigReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ConfigReader::ConfigReader(ConfigReader&&) noexcept = default;
ConfigReader::~ConfigReader() = default;

Result<ConfigReader> ConfigReader::parse(std::string_view json, std::string_view what) {
  auto state = std::make_unique<State>();
  state->json = Json::parse(json, /*cb=*/nullptr, /*allow_exceptions=*/false);
  state->what = what;
  if (!state->json.is_object()) {
    return fail(ErrorCode::Corrupt,
                fmt::format("{}: wanted a JSON object, found something else; is this config.json?", what));
  }
  return ConfigReader(std::move(state));
}

bool ConfigReader::has(std::string_view key) const {
  const auto found = state_->json.find(key);
  return found != state_->json.end() && !found->is_null();
}

void ConfigReader::read(std::string_view key, int64_t& value) {
  const Json* found = state_->take(key);
  if (!found) return;
  if (!is_size(*found)) return state_->fail(key, "a whole number, 0 or more");
  value = found->get<int64_t>();
}

void ConfigReader::read(std::string_view key, double& value) {
  const Json* found = state_->take(key);
  if (!found) return;
  if (!found->is_number()) return state_->fail(key, "a number");
  value = found->get<double>();
}

void ConfigReader::read(std::string_view key, bool& value) {
  const Json* found = state_->take(key);
  if (!found) return;
  if (!found->is_boolean()) return state_->fail(key, "true or false");
  value = found->get<bool>();
}

void ConfigReader::read(std::string_view key, std::string& value) {
  const Json* found = state_->take(key);
  if (!found) return;
  if (!found->is_string()) return state_->fail(key, "a string");
  value = found->get<std::string>();
}

void ConfigReader::read(std::string_view key, std::vector<std::string>& value) {
  const Json* found = state_->take(key);
  if (!found) return;
  const auto is_string = [](const Json& item) { return item.is_string(); };
  if (!found->is_array() || found->size() > kLongestList ||
      !std::all_of(found->begin(), found->end(), is_string)) {
    return state_->fail(key, "a short list of strings");
  }
  value = found->get<std::vector<std::string>>();
}

void ConfigReader::read(std::string_view key, std::vector<int64_t>& value, size_t count) {
  const Json* found = state_->take(key);
  if (!found) return;
  if (count > 0 && is_size(*found)) {
    value.assign(count, found->get<int64_t>());
    return;
  }
  if (!found->is_array() || found->empty() || found->size() > kLongestList ||
      !std::all_of(found->begin(), found->end(), is_size)) {
    return state_->fail(key, "a short list of whole numbers");
  }
  value = found->get<std::vector<int64_t>>();
}

ConfigReader ConfigReader::object(std::string_view key) {
  auto nested = std::make_unique<State>();
  nested->what = fmt::format("{}: {}", state_->what, key);
  nested->json = Json::object();
  if (const Json* found = state_->take(key)) {
    if (found->is_object()) {
      nested->json = *found;
    } else {
      state_->fail(key, "an object");
    }
  }
  return ConfigReader(std::move(nested));
}

void ConfigReader::require_one_of(std::string_view key, std::initializer_list<std::string_view> values) {
  const auto found = state_->json.find(key);
  if (found == state_->json.end()) return;
  const std::string text = found->dump();
  if (std::find(values.begin(), values.end(), text) == values.end()) {
    state_->fail(key, fmt::format("{} (no other value is supported)", fmt::join(values, " or ")));
  }
}

void ConfigReader::refuse(std::string_view key, std::string_view wanted) { state_->fail(key, wanted); }

Status ConfigReader::status() const {
  if (state_->error) return fail(*state_->error);
  return {};
}

void ConfigReader::absorb(const ConfigReader& nested) {
  if (!state_->error) state_->error = nested.state_->error;
}

std::string ConfigReader::foreign() const {
  Json out = Json::object();
  for (const auto& [key, value] : state_->json.items()) {
    if (!state_->read.contains(key)) out[key] = value;
  }
  return out.dump();
}

Json with_foreign(Json start, std::string_view foreign) {
  const Json keys = Json::parse(foreign);
  for (const auto& [key, value] : keys.items()) {
    if (!start.contains(key)) start[key] = value;
  }
  return start;
}

}  // namespace zt::models::internal
