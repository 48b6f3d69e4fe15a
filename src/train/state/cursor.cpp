// SPDX-License-Identifier: Apache-2.0
// See cursor.hpp.
#include "train/state/cursor.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "base/hash.hpp"

namespace zt::train {
namespace {

using Scalars = std::vector<params::StateScalar>;

void append(Scalars& scalars, const std::string& prefix, const diffusion::TimestepLosses& losses) {
  for (size_t i = 0; i < losses.buckets().size(); ++i) {
    const auto& bucket = losses.buckets()[i];
    const std::string name = prefix + "." + std::to_string(i);
    scalars.push_back({name + ".sum", bucket.sum});
    scalars.push_back({name + ".weight", bucket.weight});
    scalars.push_back({name + ".count", bucket.count});
  }
}

Status restore(diffusion::TimestepLosses& losses, const Scalars& scalars, const std::string& prefix) {
  std::vector<diffusion::TimestepLosses::Bucket> buckets(losses.buckets().size());
  for (size_t i = 0; i < buckets.size(); ++i) {
    const std::string name = prefix + "." + std::to_string(i);
    ZT_TRY_ASSIGN(buckets[i].sum, params::find_number(scalars, name + ".sum"));
    ZT_TRY_ASSIGN(buckets[i].weight, params::find_number(scalars, name + ".weight"));
    ZT_TRY_ASSIGN(buckets[i].count, params::find_count(scalars, name + ".count"));
  }
  losses.restore(std::move(buckets));
  return {};
}

constexpr const char* kDataSet = "train.data_set";
constexpr std::string_view kSuspect = "train.suspect_clip.", kLeftOut = "train.left_out_clip.";

/// Each clip is a scalar of its own, named by its number.
void append(Scalars& scalars, std::string_view prefix, const std::set<int64_t>& clips) {
  for (const int64_t clip : clips) scalars.push_back({std::string(prefix) + std::to_string(clip), clip});
}

std::set<int64_t> clips_from(const Scalars& scalars, std::string_view prefix) {
  std::set<int64_t> clips;
  for (const params::StateScalar& scalar : scalars) {
    if (!scalar.name.starts_with(prefix)) continue;
    if (const int64_t* clip = std::get_if<int64_t>(&scalar.value)) clips.insert(*clip);
  }
  return clips;
}

}  // namespace

Cursor::Cursor(int64_t num_timesteps)
    : losses(std::min(kLossBuckets, num_timesteps), num_timesteps), loss(1, num_timesteps) {}

int64_t data_set_number(std::string_view digest) {
  if (digest.empty()) return 0;
  return static_cast<int64_t>(hash::xxh64(std::as_bytes(std::span(digest)), /*seed=*/0) >> 1);
}

void drop_decay_of_other_cap(Cursor& cursor, double time_cap_s) {
  if (cursor.decay_cap_s == time_cap_s) return;
  cursor.early_decay.reset();
  cursor.decay_cap_s = 0;
}

std::vector<params::StateScalar> to_scalars(const Cursor& cursor) {
  std::vector<params::StateScalar> scalars = {
      {"train.step", cursor.step},
      {"train.next_sample", static_cast<int64_t>(cursor.next_sample)},
      {"train.elapsed_s", cursor.elapsed_s},
      {"train.best_loss", cursor.best_loss},
      {"train.early_decay_start", cursor.early_decay ? cursor.early_decay->start : int64_t{0}},
      {"train.early_decay_end", cursor.early_decay ? cursor.early_decay->end : int64_t{0}},
      {"train.early_decay_cap_s", cursor.decay_cap_s},
  };
  if (cursor.data_set != 0) scalars.push_back({kDataSet, cursor.data_set});
  append(scalars, "train.losses", cursor.losses);
  append(scalars, "train.loss", cursor.loss);
  append(scalars, kSuspect, cursor.clips.suspects);
  append(scalars, kLeftOut, cursor.clips.left_out);
  return scalars;
}

Result<Cursor> cursor_from_scalars(const std::vector<params::StateScalar>& scalars, int64_t num_timesteps) {
  Cursor cursor(num_timesteps);
  ZT_TRY_ASSIGN(cursor.step, params::find_count(scalars, "train.step"));
  ZT_TRY_ASSIGN(const int64_t next_sample, params::find_count(scalars, "train.next_sample"));
  cursor.next_sample = static_cast<uint64_t>(next_sample);
  ZT_TRY_ASSIGN(cursor.elapsed_s, params::find_number(scalars, "train.elapsed_s"));
  ZT_TRY_ASSIGN(cursor.best_loss, params::find_number(scalars, "train.best_loss"));
  ZT_TRY_ASSIGN(const int64_t decay_start, params::find_count(scalars, "train.early_decay_start"));
  ZT_TRY_ASSIGN(const int64_t decay_end, params::find_count(scalars, "train.early_decay_end"));
  ZT_TRY_ASSIGN(cursor.decay_cap_s, params::find_number(scalars, "train.early_decay_cap_s"));
  if (decay_end > 0) cursor.early_decay = optim::EarlyDecay{decay_start, decay_end};
  ZT_TRY(restore(cursor.losses, scalars, "train.losses"));
  ZT_TRY(restore(cursor.loss, scalars, "train.loss"));
  if (const auto data_set = params::find_count(scalars, kDataSet)) cursor.data_set = *data_set;
  cursor.clips = {clips_from(scalars, kSuspect), clips_from(scalars, kLeftOut)};
  return cursor;
}

}  // namespace zt::train
