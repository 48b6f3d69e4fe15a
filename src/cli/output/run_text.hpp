// SPDX-License-Identifier: Apache-2.0
// How a run stands, in the words of `zoetrope runs ls | show | compare`.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "contract/run_folder.hpp"
#include "contract/run_state.hpp"

namespace zt::cli {

/// "120/400", or "120" where the total is not known.
std::string step_text(const contract::RunState& state);
/// Four digits, or "-" for none.
std::string number_text(const std::optional<double>& value);
/// One run in the JSON of all three.
nlohmann::ordered_json run_json(const contract::RunFolder& run, const contract::RunState& state);

/// One that can't be read is a row like the others: this in place of its state.
inline constexpr const char* kDamaged = "damaged";
nlohmann::ordered_json damaged_json(const std::filesystem::path& folder, const Error& defect);
/// What is wrong with it, for a note below the table.
std::string damaged_text(const std::filesystem::path& folder, const Error& defect);

}  // namespace zt::cli
