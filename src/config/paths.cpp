// SPDX-License-Identifier: Apache-2.0
#include "config/paths.hpp"

#include <fmt/format.h>

#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/internal/rules.hpp"
#include "config/listing.hpp"

namespace zt::config {
namespace {

namespace fs = std::filesystem;

struct NamedPath {
  std::string key;
  std::string* path;
  Names names;
};

// Every path that is set.
template <class Job>
std::vector<NamedPath> paths_of(Job& job) {
  std::vector<NamedPath> out;
  const Listing listing = list(job);
  const auto add = [&](const Field& field, std::string& path) {
    if (!path.empty()) out.push_back({field.key, &path, field.about.names});
  };
  for (const Field& field : listing.fields()) {
    if (field.about.names == Names::NoPath) continue;
    if (const auto* one = std::get_if<std::string*>(&field.member)) add(field, **one);
    if (const auto* many = std::get_if<std::vector<std::string>*>(&field.member))
      for (std::string& path : **many) add(field, path);
  }
  return out;
}

// Absolute, and without a slash at its end.
fs::path in_full(const fs::path& path) {
  std::error_code ec;
  const fs::path full = fs::absolute(path, ec).lexically_normal();
  return full.has_filename() ? full : full.parent_path();
}

// Without "." and "..", unless that leads elsewhere: behind a link ".." is a folder above the link's target.
fs::path tidied(const fs::path& path) {
  std::error_code ec;
  const fs::path tidy = path.lexically_normal();
  return fs::weakly_canonical(path, ec) == fs::weakly_canonical(tidy, ec) ? tidy : path;
}

// What was moved: the folders that are left when the end which both places share is taken off.
RunPlaces moved_folder(const RunPlaces& run) {
  RunPlaces folder{in_full(run.made), in_full(run.now)};
  while (folder.made.has_relative_path() && folder.made.filename() == folder.now.filename())
    folder = {folder.made.parent_path(), folder.now.parent_path()};
  return folder;
}

// `counts`: whether a key is read.
template <class Job>
Status check_named(const Resolved<Job>& resolved, const std::function<bool(std::string_view)>& counts) {
  Job job = resolved.job;
  for (const NamedPath& named : paths_of(job)) {
    std::error_code ec;
    if (named.names != Names::Input || !counts(named.key) || fs::exists(*named.path, ec)) continue;
    const auto origin = resolved.origins.find(named.key);
    return fail(ErrorCode::NotFound,
                fmt::format("{}: there is no {} ({})", named.key, *named.path,
                            origin == resolved.origins.end() ? "default" : origin->second));
  }
  return {};
}

}  // namespace

void make_paths_absolute(TrainJob& job, const fs::path& base) {
  for (const NamedPath& named : paths_of(job)) *named.path = tidied(base / *named.path).string();
}

Status require_data(const DataJob& job) {
  if (!job.index.empty() || !job.meta_paths.empty()) return {};
  return fail(ErrorCode::InvalidConfig,
              "there is no data: set data.index (`zoetrope data ingest` writes one) or data.meta_paths");
}

Status check_inputs(const Resolved<TrainJob>& resolved) {
  return check_named(resolved, [](std::string_view) { return true; });
}

Status check_inputs(const Resolved<GenerateJob>& resolved) {
  const GenerateJob& job = resolved.job;
  return check_named(resolved, [&](std::string_view key) {
    if (key == "reference_keypoints") return job.align;
    return job.run.empty() || !key.starts_with("model.");
  });
}

Status require_encoders(const ModelJob& model) {
  if (model.allow_random_start || !model.stage1_run.empty()) return {};
  constexpr std::string_view kForTests = "(model.allow_random_start: true for a test of speed or memory)";
  if (model.vae_model_path.empty() && model.codec.kind == CodecKind::Vae)
    return broken(fmt::format(
        "the codec of pictures has no trained weights: set model.vae_model_path, or model.codec.kind: "
        "linear, which is fitted to the data {}",
        kForTests));
  if (model.image_encoder_path.empty() && !model.base_model_path.empty())
    return broken(fmt::format(
        "model.base_model_path was trained with an image encoder: set model.image_encoder_path {}",
        kForTests));
  return {};
}

bool holds_keypoints(const fs::path& poses) {
  std::error_code unknown;
  if (!fs::is_regular_file(poses, unknown)) return false;  // a pipe would wait for its writer
  std::ifstream file(poses, std::ios::binary);
  return file.get() == '{';
}

void follow_move(TrainJob& job, const RunPlaces& run) {
  if (run.made.empty()) return;
  const RunPlaces folder = moved_folder(run);
  for (const NamedPath& named : paths_of(job)) {
    const fs::path below = fs::path(*named.path).lexically_relative(folder.made);
    const fs::path moved = (folder.now / below).lexically_normal();
    std::error_code ec;
    if (!below.empty() && *below.begin() != ".." && !fs::exists(*named.path, ec) && fs::exists(moved, ec))
      *named.path = moved.string();
  }
}

Result<TrainJob> thaw_run(const fs::path& file, const RunPlaces& run) {
  ZT_TRY_ASSIGN(TrainJob job, thaw<TrainJob>(file));
  follow_move(job, run);
  return job;
}

}  // namespace zt::config
