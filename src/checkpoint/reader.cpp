// SPDX-License-Identifier: Apache-2.0
// See reader.hpp.
#include "checkpoint/reader.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "checkpoint/retention.hpp"
#include "contract/scalars.hpp"
#include "tensor/from_entry.hpp"
#include "weights/dtype.hpp"

namespace zt::checkpoint {
namespace {

namespace fs = std::filesystem;
using contract::CheckpointEntry;
using contract::ManifestTensor;

/// What a search has met.
struct Search {
  std::vector<Refusal> refused;
  bool was_late = false;  ///< the run's training removed something between the listing and the reading
};

// Opens the entry, or adds to the search why not.
Result<std::optional<Reader>> try_open(const CheckpointEntry& entry, Search& search,
                                       const SharedVerification& verification = {}) {
  auto reader =
      entry.defect ? Result<Reader>(fail(*entry.defect)) : Reader::open(entry.folder, verification.share);
  ZT_TRY_ASSIGN(const bool is_whole, verification.all_agree(reader.has_value()));
  if (is_whole) return *std::move(reader);
  // Ranks that open one together have the run for themselves.
  if (verification.share.stride == 1 && contract::was_removed(entry)) {
    search.was_late = true;
    return std::nullopt;
  }
  if (reader)
    reader = fail(ErrorCode::Corrupt, "another rank can't read its part; the warning in its log says why");
  search.refused.push_back({entry.folder.filename().string(), entry.step, std::move(reader.error())});
  return std::nullopt;
}

Result<Found> find_newest(const fs::path& checkpoints, const SharedVerification& verification,
                          Search& search) {
  const auto entries = newest_first(contract::list_checkpoints(checkpoints));
  if (entries.empty()) return fail(ErrorCode::NotFound, checkpoints.string() + " has no checkpoints");
  // Of the newest attempt; steps beyond were abandoned.
  int64_t last_step = std::numeric_limits<int64_t>::max();
  for (const CheckpointEntry& entry : entries) {
    if (entry.step > last_step) continue;
    ZT_TRY_ASSIGN(auto reader, try_open(entry, search, verification));
    if (reader) {
      // Damaged ones that are older than what is used have not been passed over.
      std::erase_if(search.refused, [&](const Refusal& r) { return r.step < entry.step; });
      return Found{*std::move(reader), std::move(search.refused)};
    }
    if (!entry.defect) last_step = entry.step;
  }
  // Its first line is what is shown again where a launch's cause is summed up.
  std::string message = fmt::format("no checkpoint of {} can be used", checkpoints.string());
  for (const Refusal& r : search.refused) message += fmt::format("\n    {}: {}", r.name, r.reason.text());
  return fail(ErrorCode::Corrupt, std::move(message));
}

Result<Found> find_best(const fs::path& checkpoints, Search& search) {
  for (const CheckpointEntry& entry : best_first(contract::list_checkpoints(checkpoints))) {
    ZT_TRY_ASSIGN(auto reader, try_open(entry, search));
    if (reader) return Found{*std::move(reader), std::move(search.refused)};
  }
  std::vector<Refusal> refused = std::move(search.refused);
  search.refused.clear();
  ZT_TRY_ASSIGN(Found found, find_newest(checkpoints, {}, search));
  for (Refusal& again : found.refused) {
    if (std::none_of(refused.begin(), refused.end(), [&](const Refusal& r) { return r.name == again.name; }))
      refused.push_back(std::move(again));
  }
  found.refused = std::move(refused);
  return found;
}

/// Calls look(search) again where a training that goes on was faster.
template <class Look>
Result<Found> look_again_if_late(const fs::path& checkpoints, const Look& look) {
  constexpr int kLooks = 5;
  for (int i = 1; i <= kLooks; ++i) {
    Search search;
    Result<Found> found = look(search);
    if (!search.was_late || (found && i == kLooks)) return found;
  }
  return fail(
      ErrorCode::Unavailable,
      fmt::format("the run's training removes checkpoints of {} before they are read: let it keep more "
                  "(checkpoint.keep_last)",
                  checkpoints.string()));
}

}  // namespace

Reader::Reader(archive::StoredCheckpoint stored) : stored_(std::move(stored)) {
  for (size_t i = 0; i < manifest().tensors.size(); ++i) by_name_.emplace(manifest().tensors[i].name, i);
}

Result<Reader> Reader::open(const fs::path& folder, contract::FileShare verified) {
  ZT_TRY_ASSIGN(auto stored, archive::StoredCheckpoint::open(folder, verified));
  return Reader(std::move(stored));
}

const ManifestTensor* Reader::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &manifest().tensors[found->second];
}

Result<at::Tensor> Reader::tensor(std::string_view name) const {
  const ManifestTensor* stored = find(name);
  if (!stored) return fail(ErrorCode::NotFound, fmt::format("{} has no tensor {}", folder().string(), name));
  return elements_of(*stored, {0, c10::multiply_integers(stored->shape)}).view(stored->shape);
}

at::Tensor Reader::elements_of(const ManifestTensor& stored, params::Range wanted) const {
  const weights::DType dtype = stored_.dtype(static_cast<size_t>(&stored - manifest().tensors.data()));
  const size_t width = weights::size_bytes(dtype);
  at::Tensor out = at::empty({wanted.size()}, at::TensorOptions().dtype(tensor::scalar_type(dtype)));
  auto* bytes = static_cast<std::byte*>(out.data_ptr());
  for (const contract::ManifestChunk& chunk : stored.chunks) {
    const params::Range here = params::intersect({chunk.begin, chunk.end}, wanted);
    if (here.size() == 0) continue;
    std::memcpy(bytes + static_cast<size_t>(here.begin - wanted.begin) * width,
                stored_.bytes(chunk).data() + static_cast<size_t>(here.begin - chunk.begin) * width,
                static_cast<size_t>(here.size()) * width);
  }
  return out;
}

Status Reader::copy_into(const params::StateTensor& target) const {
  const ManifestTensor* stored = find(target.name);
  if (!stored)
    return fail(ErrorCode::NotFound, fmt::format("{} has no tensor {}", folder().string(), target.name));
  const at::IntArrayRef shape = target.piece ? target.piece->whole_shape : target.value.sizes();
  const int64_t begin = target.piece ? target.piece->begin : 0;
  const auto dtype = weights::name(tensor::stored_dtype(target.value.scalar_type()));
  const bool rounds =
      stored->dtype == weights::name(weights::DType::F32) && target.value.scalar_type() == at::kBFloat16;
  if (stored->shape != shape || (stored->dtype != dtype && !rounds))
    return fail(ErrorCode::Corrupt, fmt::format("{} is [{}] {} in {}, but this run's is [{}] {}", target.name,
                                                fmt::join(stored->shape, ", "), stored->dtype,
                                                folder().string(), fmt::join(shape, ", "), dtype));
  const at::NoGradGuard no_grad;
  target.value.copy_(elements_of(*stored, {begin, begin + target.value.numel()}).view(target.value.sizes()));
  return {};
}

Result<std::vector<params::StateScalar>> Reader::scalars() const {
  std::vector<params::StateScalar> out;
  for (const auto& [name, text] : manifest().scalars) {
    ZT_TRY_ASSIGN(const contract::Scalar value, contract::parse_scalar(name, text));
    out.push_back({name, value});
  }
  return out;
}

Result<Found> open_newest(const fs::path& checkpoints, const SharedVerification& verification) {
  return look_again_if_late(checkpoints,
                            [&](Search& search) { return find_newest(checkpoints, verification, search); });
}

Result<Found> open_best(const fs::path& checkpoints) {
  return look_again_if_late(checkpoints, [&](Search& search) { return find_best(checkpoints, search); });
}

}  // namespace zt::checkpoint
