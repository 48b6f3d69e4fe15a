// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/page.hpp"

#include <fmt/format.h>

#include <string_view>

#include "config/foreign/key_table.hpp"

namespace zt::config {
namespace {

using foreign::Does;
using foreign::KeyRow;
using foreign::Type;

std::string_view type_text(const KeyRow& row) {
  switch (row.type) {
    case Type::Bool:
      return "true or false";
    case Type::Int:
      return "whole number";
    case Type::Number:
      return "number";
    case Type::Numbers:
      return "numbers";
    case Type::Text:
      return "text";
    case Type::Any:
      return "anything";
  }
  return "";
}

std::string effect_text(const KeyRow& row) {
  switch (row.does) {
    case Does::Map:
      return fmt::format("`{}`", row.text);
    case Does::Only:
      return fmt::format("only `{}`: {}", row.text, row.reason);
    case Does::Ignore:
      return fmt::format("not used: {}", row.reason);
    case Does::Warn:
      return fmt::format("warning{}: {}", row.text.empty() ? "" : fmt::format(" unless `{}`", row.text),
                         row.reason);
    case Does::Off:
      return fmt::format("only with `enabled: false`: {}", row.reason);
    case Does::Refuse:
      return fmt::format("refused: {}", row.reason);
    case Does::Renamed:
      return fmt::format("old spelling of `{}`", row.text);
    case Does::Special:
      return std::string(row.reason);
  }
  return "";
}

std::string table_text(const foreign::KeyTable& table) {
  std::string out = "\n| key | type | its default | here |\n|---|---|---|---|\n";
  for (const KeyRow& row : table.rows)
    out += fmt::format("| `{}` | {}{} | {} | {} |\n", row.key, type_text(row),
                       row.can_be_auto ? ", `auto`" : "", row.default_text, effect_text(row));
  return out;
}

constexpr std::string_view kHead =
    R"(<!-- Generated from src/config/foreign/*_keys.cpp by `zoetrope config foreign`; do not edit. -->
# DeepSpeed's and accelerate's keys

What becomes of every key of a DeepSpeed JSON (`zoetrope train --deepspeed`) and of an accelerate YAML (`--accelerate`);
docs/coming-from-deepspeed.md says how to use them. A key in none of these tables is an error, since it might change the maths.

- A key in the last column is a key of the job (docs/config.md) that gets the value.
- **not used**: accepted with any value, for the reason given. **only**: any other value is an error. **warning**: accepted and not
  used either, but there it makes other numbers; the table of what became of a file says so, unless its section is switched off.
- `auto` takes the value that the job has.
)";

}  // namespace

std::string foreign_page() {
  std::string out(kHead);
  out += "\n## DeepSpeed\n" + table_text(foreign::deepspeed_table());
  out +=
      "\n## accelerate\n\nKeys of `fsdp_config` and `parallelism_config` may have the prefix `fsdp_` or "
      "`parallelism_config_`.\n" +
      table_text(foreign::accelerate_table());
  return out;
}

}  // namespace zt::config
