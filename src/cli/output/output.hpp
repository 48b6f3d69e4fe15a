// SPDX-License-Identifier: Apache-2.0
// The two streams: results on stdout, everything else on stderr.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace zt::cli {

/// Results to stdout. What files and names bring in can give a terminal no orders (text::visible()).
void print(std::string_view text);
/// One line for the person, to stderr; as print().
void note(std::string_view line);
/// "zoetrope: note: ..." for each, as note().
void note_all(const std::vector<std::string>& notes);
/// "zoetrope: error: ..." and its hint, to stderr.
void print_error(const Error& error);
/// What to do about an error of this kind, to stderr; nothing for kinds whose messages say it themselves.
void print_hint(ErrorCode code);
/// Flushes stdout; the exit code to leave with: `code`, or 1 if results were lost (disk full; a closed pipe
/// is no loss).
int finish_output(int code);

/// A table in columns. Cells must hold no line breaks.
class Table {
 public:
  enum class Align { Left, Right };
  struct Column {
    std::string title;
    Align align = Align::Left;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> row);
  /// Lines cut to `width` columns; 0 = not cut.
  std::string text(int width) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Width for tables on stdout: the terminal's, or 0 when it is no terminal.
int table_width();

}  // namespace zt::cli
