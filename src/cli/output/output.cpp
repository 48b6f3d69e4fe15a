// SPDX-License-Identifier: Apache-2.0
#include "cli/output/output.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "base/error_policy.hpp"
#include "base/terminal.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {

namespace {
bool is_pipe_closed = false;  // whoever read the results has had enough of them
}

void print(std::string_view text) {
  const std::string shown = text::visible(text);
  errno = 0;
  if (std::fwrite(shown.data(), 1, shown.size(), stdout) < shown.size() && errno == EPIPE)
    is_pipe_closed = true;
}

void note(std::string_view line) {
  std::fflush(stdout);  // a terminal shows both: keep their order
  const std::string text = text::visible(line) + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void note_all(const std::vector<std::string>& notes) {
  for (const std::string& text : notes) note("zoetrope: note: " + text);
}

void print_error(const Error& error) {
  note("zoetrope: error: " + error.text());
  print_hint(error.code);
}

void print_hint(ErrorCode code) {
  using enum ErrorCode;
  constexpr std::array kMessagesLackAdvice = {Permission, Unavailable, Timeout, PeerLost, Internal};
  if (std::ranges::find(kMessagesLackAdvice, code) != kMessagesLackAdvice.end())
    note("hint: " + std::string(policy(code).operator_text));
}

int finish_output(int code) {
  errno = 0;
  const bool is_lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (!is_lost || errno == EPIPE || is_pipe_closed) return code;
  note("zoetrope: error: the output could not be written completely");
  return code == contract::kExitOk ? contract::kExitFailed : code;
}

void Table::add(std::vector<std::string> row) {
  row.resize(columns_.size());
  rows_.push_back(std::move(row));
}

std::string Table::text(int width) const {
  std::vector<int> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    widths.push_back(terminal::columns(columns_[c].title));
    for (const auto& row : rows_) widths[c] = std::max(widths[c], terminal::columns(row[c]));
  }
  std::string out;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const std::string& cell = cell_of(c);
      const std::string pad(static_cast<size_t>(widths[c] - terminal::columns(cell)), ' ');
      line += columns_[c].align == Align::Right ? pad + cell : cell + pad;
      if (c + 1 < columns_.size()) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += (width > 0 ? terminal::fit(line, width) : line) + "\n";
  };
  add_line([&](size_t c) -> const std::string& { return columns_[c].title; });
  for (const auto& row : rows_) add_line([&](size_t c) -> const std::string& { return row[c]; });
  return out;
}

int table_width() {
  const auto traits = terminal::inspect(1);
  return traits.is_tty ? traits.width : 0;
}

}  // namespace zt::cli
