// SPDX-License-Identifier: Apache-2.0
// See memory_tier.hpp. Layout: docs/formats/memory-snapshot.md.
#include "checkpoint/memory_tier.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "base/hash.hpp"

namespace zt::checkpoint {
namespace {

using Bytes = std::span<std::byte>;
constexpr size_t kAlignment = 64;
constexpr int64_t kWhole = 0;  ///< kinds of scalars
constexpr int64_t kReal = 1;

/// In front of the scalars, which are followed by the tensors.
struct Preface {
  uint64_t layout;  ///< digest of names, types and places of all tensors
  uint64_t num_scalars;
};
/// In front of a scalar's name.
struct ScalarHead {
  int64_t kind;
  uint64_t bits;
  uint64_t name_bytes;
};

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

size_t scalar_bytes(const std::vector<params::StateScalar>& scalars) {
  size_t total = 0;
  for (const params::StateScalar& s : scalars) total += sizeof(ScalarHead) + s.name.size();
  return total;
}

uint64_t layout_of(const std::vector<params::StateTensor>& tensors) {
  uint64_t digest = 0;
  for (const params::StateTensor& t : tensors)
    digest = hash::xxh64(fmt::format("{} {} {} {}\n", t.name, static_cast<int>(t.value.scalar_type()),
                                     t.value.numel(), t.piece ? t.piece->begin : -1),
                         digest);
  return digest;
}

/// Goes through a slot from front to back.
class Place {
 public:
  explicit Place(std::byte* start) : start_(start) {}
  std::byte* next(size_t bytes) { return start_ + std::exchange(offset_, offset_ + bytes); }
  void align() { offset_ = aligned(offset_); }
  size_t offset() const { return offset_; }

 private:
  std::byte* start_;
  size_t offset_ = 0;
};

template <class T>
void put(Place& place, const T& value) {
  std::memcpy(place.next(sizeof value), &value, sizeof value);
}
template <class T>
T take(Place& place) {
  T value;
  std::memcpy(&value, place.next(sizeof value), sizeof value);
  return value;
}

void put_scalar(Place& place, const params::StateScalar& scalar) {
  ScalarHead head{kWhole, 0, scalar.name.size()};
  if (const double* real = std::get_if<double>(&scalar.value)) {
    head.kind = kReal;
    std::memcpy(&head.bits, real, sizeof head.bits);
  } else {
    std::memcpy(&head.bits, &std::get<int64_t>(scalar.value), sizeof head.bits);
  }
  put(place, head);
  std::memcpy(place.next(scalar.name.size()), scalar.name.data(), scalar.name.size());
}

params::StateScalar take_scalar(Place& place) {
  const auto head = take<ScalarHead>(place);
  params::StateScalar scalar{
      std::string(reinterpret_cast<const char*>(place.next(head.name_bytes)), head.name_bytes), int64_t{0}};
  if (head.kind == kReal) scalar.value = 0.0;
  std::visit([&](auto& value) { std::memcpy(&value, &head.bits, sizeof head.bits); }, scalar.value);
  return scalar;
}

/// The tensor's elements where the place is: the same type and shape, over the slot's memory.
at::Tensor elements_at(Place& place, const at::Tensor& like) {
  place.align();
  return at::from_blob(place.next(like.nbytes()), like.sizes(), like.options().device(at::kCPU));
}

/// copy_() costs more than the bytes of most tensors, of which there are thousands.
void put_elements(Place& place, const at::Tensor& value) {
  if (!value.is_cpu() || !value.is_contiguous()) {
    elements_at(place, value).copy_(value);
    return;
  }
  place.align();
  std::memcpy(place.next(value.nbytes()), value.const_data_ptr(), value.nbytes());
}

/// Sums a slot from front to back, each part while it is still in the cache.
class RunningSum {
 public:
  RunningSum(const std::byte* start, int64_t step) : start_(start), sum_(static_cast<uint64_t>(step)) {}
  /// Everything below `end` is written.
  void up_to(size_t end) {
    sum_.update({start_ + summed_, end - summed_});
    summed_ = end;
  }
  uint64_t digest() const { return sum_.digest(); }

 private:
  const std::byte* start_;
  hash::Xxh64 sum_;
  size_t summed_ = 0;
};

}  // namespace

Result<MemoryTier> MemoryTier::open(int fd) {
  MemoryTier tier;
  if (fd < 0) return tier;
  ZT_TRY_ASSIGN(auto file, exchange::SnapshotFile::open(fd));
  tier.file_.emplace(std::move(file));
  return tier;
}

std::vector<exchange::SnapshotFile::Held> MemoryTier::held() const {
  return file_ ? file_->held() : std::vector<exchange::SnapshotFile::Held>();
}

std::vector<int64_t> MemoryTier::steps() const {
  std::vector<int64_t> steps;
  for (const exchange::SnapshotFile::Held& one : held()) steps.push_back(one.step);
  return steps;
}

size_t MemoryTier::snapshot_bytes(const Snapshot& snapshot) {
  size_t total = aligned(sizeof(Preface) + scalar_bytes(snapshot.scalars));
  for (const params::StateTensor& t : snapshot.tensors) total += aligned(t.value.nbytes());
  return total;
}

Status MemoryTier::keep(const Snapshot& snapshot, int64_t generation) {
  if (!file_) return {};
  ZT_TRY(file_->reserve(snapshot_bytes(snapshot)));
  const at::NoGradGuard no_grad;
  std::byte* const slot = file_->begin().data();
  Place place(slot);
  RunningSum sum(slot, snapshot.step);
  put(place, Preface{layout_of(snapshot.tensors), snapshot.scalars.size()});
  for (const params::StateScalar& scalar : snapshot.scalars) put_scalar(place, scalar);
  for (const params::StateTensor& t : snapshot.tensors) {
    put_elements(place, t.value);
    sum.up_to(place.offset());
  }
  sum.up_to(place.offset());
  file_->commit(snapshot.step, generation, place.offset(), sum.digest());
  return {};
}

Result<std::vector<params::StateScalar>> MemoryTier::restore(
    int64_t step, const std::vector<params::StateTensor>& tensors) const {
  const auto all = held();
  const auto found = std::ranges::find(all, step, &exchange::SnapshotFile::Held::step);
  if (found == all.end())
    return fail(ErrorCode::NotFound, fmt::format("step {} is not in this rank's memory", step));
  const at::NoGradGuard no_grad;
  Place place(const_cast<std::byte*>(found->bytes.data()));  // read only: from_blob has no const form
  const auto preface = take<Preface>(place);
  if (preface.layout != layout_of(tensors))
    return fail(ErrorCode::Corrupt,
                fmt::format("step {} in this rank's memory has other tensors than this run", step));
  std::vector<params::StateScalar> scalars;
  for (uint64_t i = 0; i < preface.num_scalars; ++i) scalars.push_back(take_scalar(place));
  for (const params::StateTensor& t : tensors) t.value.copy_(elements_at(place, t.value));
  return scalars;
}

void MemoryTier::drop_after(int64_t step) {
  if (file_) file_->drop_after(step);
}

}  // namespace zt::checkpoint
