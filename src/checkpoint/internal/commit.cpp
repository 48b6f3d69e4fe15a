// SPDX-License-Identifier: Apache-2.0
// See commit.hpp. Order of the writes and the reasons: docs/formats/checkpoint.md.
#include "checkpoint/internal/commit.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/files/checked_file.hpp"
#include "base/files/files.hpp"
#include "base/files/temporary.hpp"
#include "base/log.hpp"
#include "checkpoint/internal/part.hpp"
#include "contract/manifest.hpp"
#include "contract/scalars.hpp"

namespace zt::checkpoint::internal {
namespace {

namespace fs = std::filesystem;

contract::Manifest describe(const Save& save) {
  contract::Manifest m;
  m.step = save.snapshot.step;
  m.generation = save.options.generation;
  m.run_id = save.options.run_id;
  m.config_digest = save.options.config_digest;
  m.written_at = clock::utc_now();
  for (const params::StateScalar& scalar : save.snapshot.scalars)
    m.scalars[scalar.name] = contract::scalar_text(scalar.value);
  m.metrics = save.snapshot.metrics;
  return m;
}

Status rename_to(const fs::path& finished, const fs::path& target) {
  if (::rename(finished.c_str(), target.c_str()) == 0) return {};
  return fail(files::errno_error("rename to", target, errno));
}

// Puts `finished` in the place of `target`; whoever writes the next file there syncs their folder. A
// checkpoint that is there already is exchanged in one step, so that there is one at every moment; it goes
// with the temporary name that it then has.
Status put_in_place(const fs::path& finished, const fs::path& target) {
  std::error_code ec;
  if (!fs::exists(target, ec)) return rename_to(finished, target);
  if (::renameat2(AT_FDCWD, finished.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
    ZT_TRY(files::sync_folder(target.parent_path()));
    return remove_checkpoint(finished);
  }
  if (errno != EINVAL && errno != ENOSYS) return fail(files::errno_error("exchange", target, errno));
  // A file system that can't exchange (NFS): for a moment this step has no checkpoint.
  ZT_TRY(remove_checkpoint(target));
  return rename_to(finished, target);
}

Status refuse_if_superseded(const Save& save) {
  for (const contract::CheckpointEntry& entry : save.checkpoints.list()) {
    if (entry.generation > save.options.generation)
      return fail(ErrorCode::Superseded,
                  fmt::format("attempt {} has saved {} in {}: this is attempt {}, which may save no more",
                              entry.generation, entry.folder.filename().string(),
                              save.options.folder.string(), save.options.generation));
  }
  return {};
}

// What ranks tell each other during a save. An error goes as text behind kFailed.
constexpr std::string_view kFailed = "failed: ";
constexpr const char *kFolder = "folder", *kEnd = "end";
constexpr uint64_t kMaxPartBytes = uint64_t{256} << 20;

std::string key(int64_t number, std::string_view what) { return fmt::format("{}/{}", number, what); }
std::string key(const Save& save, std::string_view what) { return key(save.number, what); }
std::string part_key(const Save& save, int rank) { return key(save, fmt::format("part/{}", rank)); }

Result<std::string> unless_failed(std::string text, std::string_view who) {
  if (!text.starts_with(kFailed)) return text;
  return fail(ErrorCode::PeerLost, fmt::format("{}: {}", who, text.substr(kFailed.size())));
}

// What a rank wrote is told in a file beside it, which is gone before the checkpoint is whole.
fs::path part_file(const fs::path& folder, int rank) { return folder / fmt::format("rank-{:05}.json", rank); }

Result<contract::ManifestPart> take_part(const fs::path& file) {
  ZT_TRY_ASSIGN(const std::string text, files::read_regular(file, kMaxPartBytes));
  ZT_TRY_ASSIGN(contract::ManifestPart part, contract::parse_manifest_part(text));
  std::error_code ec;
  fs::remove(file, ec);  // that it is gone by then is no error
  if (ec) return fail(files::errno_error("remove", file, ec.value()));
  return part;
}

// The parts of the other ranks.
Result<std::vector<contract::ManifestPart>> collect_parts(const Save& save, const fs::path& folder) {
  std::vector<contract::ManifestPart> parts;
  Meeting* const meeting = save.options.meeting.get();
  if (!meeting) return parts;
  std::vector<std::string> keys;
  for (int rank = 1; rank < meeting->size(); ++rank) keys.push_back(part_key(save, rank));
  ZT_TRY_ASSIGN(const auto texts, meeting->await(keys, save.options.deadline));
  for (size_t i = 0; i < texts.size(); ++i) {
    meeting->forget(keys[i]);
    ZT_TRY(unless_failed(texts[i], fmt::format("rank {} could not save", i + 1)));
    ZT_TRY_ASSIGN(contract::ManifestPart part, take_part(part_file(folder, static_cast<int>(i) + 1)));
    parts.push_back(std::move(part));
  }
  return parts;
}

// A file of an unfinished folder, synced and read back.
Status write_checked(const fs::path& path, const std::string& text) {
  ZT_TRY_ASSIGN(files::CheckedFile file, files::CheckedFile::create(path));
  ZT_TRY(file.write(std::as_bytes(std::span(text))));
  ZT_TRY(file.finish());
  return {};
}

// Data files, then manifest; each is synced and read back. Then the folder is synced.
Result<uint64_t> write_folder(const Save& save, const fs::path& folder) {
  Meeting* const meeting = save.options.meeting.get();
  if (meeting) ZT_TRY(meeting->post(key(save, kFolder), folder.string()));
  auto own = write_part(save, /*rank=*/0, folder);
  // Whatever became of it: the others' files are in the folder, so it stays until they are done.
  auto parts = collect_parts(save, folder);
  if (!own) return fail(own.error());
  if (!parts) return fail(parts.error());
  // Who is in this save has heard all of the one before.
  if (meeting)
    for (const char* what : {kFolder, kEnd}) meeting->forget(key(save.number - 1, what));
  contract::Manifest manifest = describe(save);
  manifest.world_size = static_cast<int>(parts->size()) + 1;
  contract::add_part(manifest, own->part);
  uint64_t bytes = own->bytes;
  for (const contract::ManifestPart& part : *parts) {
    contract::add_part(manifest, part);
    for (const contract::ManifestFile& file : part.files) bytes += file.size_bytes;
  }
  const std::string text = contract::to_json(manifest);
  ZT_TRY(write_checked(folder / "manifest.json", text));
  ZT_TRY(files::sync_folder(folder));
  return bytes + text.size();
}

/// The others wait for what comes of it, so nothing may be thrown past them.
template <class Work>
std::invoke_result_t<Work> caught(const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::Exhausted, "memory ran out");
  } catch (const std::exception& e) {
    return fail(ErrorCode::Internal, e.what());
  }
}

Result<uint64_t> commit_as_first(const Save& save) {
  const SaverOptions& options = save.options;
  // Not the run's own folder: where its disk is gone, or it was moved, nothing goes to the place it had.
  std::error_code ec;
  fs::create_directory(options.folder, ec);
  if (ec) return fail(files::errno_error("make folder", options.folder, ec.value()));
  ZT_TRY(refuse_if_superseded(save));
  ZT_TRY(remove_leftovers(save.checkpoints));

  const std::string name = contract::checkpoint_name(save.snapshot.step);
  const fs::path target = options.folder / name;
  // Gone at once after an error, because the disk may be full.
  ZT_TRY_ASSIGN(const files::Temporary unfinished, files::Temporary::folder(target));
  ZT_TRY_ASSIGN(const uint64_t bytes, write_folder(save, unfinished.path()));
  ZT_TRY(refuse_if_superseded(save));
  ZT_TRY(put_in_place(unfinished.path(), target));
  ZT_TRY(files::write_atomic(options.folder / "latest", name + "\n"));
  return bytes;
}

Result<uint64_t> commit_as_other(const Save& save) {
  Meeting& meeting = *save.options.meeting;
  const auto hear = [&](std::string_view what) -> Result<std::string> {
    auto texts = meeting.await({key(save, what)}, save.options.deadline);
    if (!texts && texts.error().code == ErrorCode::Timeout) texts.error().code = ErrorCode::PeerLost;
    if (!texts) return fail(std::move(texts).error().with("while waiting for rank 0 to save"));
    return unless_failed(std::move(texts->front()), "rank 0 could not save");
  };
  ZT_TRY_ASSIGN(const fs::path folder, hear(kFolder));
  const auto write = [&]() -> Result<uint64_t> {
    ZT_TRY_ASSIGN(const WrittenPart written, write_part(save, meeting.rank(), folder));
    ZT_TRY(write_checked(part_file(folder, meeting.rank()), contract::to_json(written.part)));
    return written.bytes;
  };
  const Result<uint64_t> written = caught(write);
  if (!written) call_off(save, written.error());
  if (!written) return fail(written.error());
  ZT_TRY(meeting.post(part_key(save, meeting.rank()), "written"));
  ZT_TRY(hear(kEnd));
  return written;
}

void warn_unless(const Status& told) {
  if (!told)
    log::warn("checkpoint", "the other ranks can't be told how the save ended: " + told.error().text());
}

}  // namespace

Result<uint64_t> commit(const Save& save) {
  Meeting* const meeting = save.options.meeting.get();
  if (!meeting) return commit_as_first(save);
  if (meeting->rank() != 0) return commit_as_other(save);
  auto bytes = caught([&] { return commit_as_first(save); });
  if (!bytes) call_off(save, bytes.error());
  if (bytes) warn_unless(meeting->post(key(save, kEnd), "saved"));
  return bytes;
}

void call_off(const Save& save, const Error& why) {
  Meeting* const meeting = save.options.meeting.get();
  if (!meeting) return;
  const std::string told = std::string(kFailed) + why.text();
  if (meeting->rank() != 0) return warn_unless(meeting->post(part_key(save, meeting->rank()), told));
  warn_unless(meeting->post(key(save, kEnd), told));
  warn_unless(meeting->post(key(save, kFolder), told));  // before it was named the others wait for that
}

std::vector<int64_t> prune(contract::CheckpointFolder& checkpoints, const Retention& retention,
                           int64_t verified_step) {
  std::vector<int64_t> removed;
  for (const auto& entry : expendable(checkpoints.list(), retention, verified_step)) {
    if (Status done = remove_checkpoint(entry.folder)) {
      removed.push_back(entry.step);
    } else {
      log::warn("checkpoint", "an old checkpoint stays for now: " + done.error().text());
    }
  }
  return removed;
}

}  // namespace zt::checkpoint::internal
