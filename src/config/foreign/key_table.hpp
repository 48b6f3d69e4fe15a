// SPDX-License-Identifier: Apache-2.0
// What becomes of every key of DeepSpeed's JSON and of accelerate's YAML: tables that drive reading, the
// printed list of effects and docs/deepspeed.md. A key that is in no table is an error, since it might change
// the maths. Sources: DeepSpeed edaa722 (2026-08), deepspeed/runtime/config.py and runtime/zero/config.py;
// accelerate 16cb6eb (2026-07), src/accelerate/commands/config/config_args.py and utils/dataclasses.py.
#pragma once

#include <span>
#include <string_view>

namespace zt::config::foreign {

enum class Type { Bool, Int, Number, Text, Numbers, Any };

enum class Does {
  Map,      ///< its value goes to the key `text` of ours
  Only,     ///< only the value `text` is accepted, for `reason`
  Ignore,   ///< accepted with any value, for `reason`
  Warn,     ///< as Ignore, but other values than `text` make other numbers there
  Off,      ///< a section of any keys, accepted unless it says `enabled: true`, for `reason`
  Refuse,   ///< only null is accepted, for `reason`
  Renamed,  ///< an old spelling of the key `text` of the same file
  Special,  ///< read by code of its own; `reason` says what becomes of it
};

/// Texts point at literals.
struct KeyRow {
  std::string_view key;  ///< dotted
  Type type;
  std::string_view default_text;  ///< theirs; "" = none
  Does does;
  std::string_view text = "";
  std::string_view reason = "";
  bool can_be_auto = false;  ///< "auto" has a meaning here
};

/// One kind of file.
struct KeyTable {
  std::string_view program;  ///< "DeepSpeed"
  std::span<const KeyRow> rows;

  /// Null when there is none of that dotted key.
  const KeyRow* find(std::string_view key) const;
  bool has_section(std::string_view key) const;
};

const KeyTable& deepspeed_table();
const KeyTable& accelerate_table();

}  // namespace zt::config::foreign
