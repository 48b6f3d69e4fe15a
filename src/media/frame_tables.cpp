// SPDX-License-Identifier: Apache-2.0
#include "media/frame_tables.hpp"

#include <fmt/format.h>

#include <system_error>

#include "media/internal/frame_table.hpp"

namespace zt::media {

std::string FrameTables::name_of(const std::filesystem::path& file) {
  std::error_code unknown;
  const auto size = std::filesystem::file_size(file, unknown);
  const auto modified = std::filesystem::last_write_time(file, unknown).time_since_epoch().count();
  return fmt::format("{} {} {}", size, modified, file.string());
}

std::optional<FrameTables::Table> FrameTables::find(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->table;
}

void FrameTables::keep(const std::string& name, const Table& table) {
  const size_t bytes = sizeof(Entry) + 2 * name.size() + (table ? table->bytes() : 0);
  const std::lock_guard lock(mutex_);
  if (bytes > max_bytes_ || by_name_.contains(name)) return;  // or another thread's reader was faster
  entries_.push_front({name, table, bytes});
  by_name_.emplace(name, entries_.begin());
  bytes_ += bytes;
  while (bytes_ > max_bytes_) {
    bytes_ -= entries_.back().bytes;
    by_name_.erase(entries_.back().name);
    entries_.pop_back();
  }
}

}  // namespace zt::media
