// SPDX-License-Identifier: Apache-2.0
// See checkpoint_folder.hpp.
#include "contract/checkpoint_folder.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <system_error>
#include <thread>

#include "base/clock.hpp"
#include "base/files/files.hpp"
#include "base/text/text.hpp"

namespace zt::contract {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPrefix = "step-";

/// Of a finished checkpoint's folder name; nothing of unfinished ones and strangers.
std::optional<int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  return text::to_number<int64_t>(name);
}

CheckpointEntry read_entry(const fs::path& folder, int64_t step) {
  CheckpointEntry entry;
  entry.folder = folder;
  entry.step = step;
  std::error_code unknown;
  const auto manifest_bytes = fs::file_size(folder / "manifest.json", unknown);
  if (!unknown) entry.manifest_bytes = manifest_bytes;
  auto manifest = read_manifest(folder);
  if (manifest)
    if (Status named = check_name(folder, manifest->step); !named) manifest = fail(std::move(named.error()));
  if (manifest) {
    entry.generation = manifest->generation;
    entry.files = std::move(manifest->files);
    entry.metrics = std::move(manifest->metrics);
    entry.written_at = std::move(manifest->written_at);
  } else {
    entry.defect = manifest.error();
  }
  return entry;
}

}  // namespace

std::string checkpoint_name(int64_t step) { return fmt::format("{}{:08}", kPrefix, step); }

Status check_name(const fs::path& folder, int64_t step) {
  const fs::path plain = folder.has_filename() ? folder : folder.parent_path();
  const auto named = step_of(plain.filename().string());
  if (!named || *named == step) return {};
  return fail(ErrorCode::Corrupt,
              fmt::format("{} is the checkpoint of step {} by its manifest", folder.string(), step));
}

uint64_t CheckpointEntry::size_bytes() const {
  uint64_t sum = manifest_bytes;
  for (const ManifestFile& file : files) sum += file.size_bytes;
  return sum;
}

std::vector<CheckpointEntry> CheckpointFolder::list() {
  std::vector<CheckpointEntry> out;
  Manifests seen;
  std::error_code ec;
  for (fs::directory_iterator item(path_, ec), end; !ec && item != end; item.increment(ec)) {
    if (const auto step = step_of(item->path().filename().string()))
      out.push_back(look(item->path(), *step, seen));
  }
  known_ = std::move(seen);
  std::ranges::sort(out, {}, &CheckpointEntry::step);
  return out;
}

// What can't be read is not kept: the next look may find the disk well again.
CheckpointEntry CheckpointFolder::look(const fs::path& folder, int64_t step, Manifests& seen) const {
  struct stat st {};
  if (::stat((folder / "manifest.json").c_str(), &st) != 0) return read_entry(folder, step);
  const int64_t changed_ns = st.st_mtim.tv_sec * int64_t{1'000'000'000} + st.st_mtim.tv_nsec;
  const auto size_bytes = static_cast<uint64_t>(st.st_size);
  const auto before = known_.find(folder);
  if (before != known_.end()) {
    const Known& known = before->second;
    if (known.inode == st.st_ino && known.size_bytes == size_bytes && known.changed_ns == changed_ns)
      return seen.insert(*before).first->second.entry;
  }
  CheckpointEntry entry = read_entry(folder, step);
  if (!entry.defect) seen[folder] = {st.st_ino, size_bytes, changed_ns, entry};
  return entry;
}

bool was_removed(const CheckpointEntry& entry) {
  constexpr auto kLook = std::chrono::milliseconds(10);
  if (!files::is_absent(entry.folder / "manifest.json")) return false;
  const clock::Deadline end = clock::in(std::chrono::seconds(1));
  while (entry.defect && !files::is_absent(entry.folder)) {
    if (clock::left(end).count() == 0) return false;
    std::this_thread::sleep_for(kLook);
  }
  return true;
}

std::vector<CheckpointEntry> list_checkpoints(const fs::path& checkpoints) {
  return CheckpointFolder(checkpoints).list();
}

}  // namespace zt::contract
