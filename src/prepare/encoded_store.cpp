// SPDX-License-Identifier: Apache-2.0
// See encoded_store.hpp.
#include "prepare/encoded_store.hpp"

#include <ATen/ATen.h>

#include <atomic>
#include <cstring>
#include <span>

#include "base/log.hpp"

namespace zt::prepare {
namespace {

/// Log variances at or below this are the clamp's floor: the codec is deterministic.
constexpr double kLogvarFloor = -30;

at::ScalarType scalar_type(config::CacheDtype dtype) {
  switch (dtype) {
    case config::CacheDtype::Fp32:
      return at::kFloat;
    case config::CacheDtype::Fp16:
      return at::kHalf;
    case config::CacheDtype::Bf16:
      return at::kBFloat16;
  }
  return at::kFloat;
}

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

void warn_once(const Error& error) {
  static std::atomic<bool> warned{false};
  if (!warned.exchange(true)) log::warn("prepare", "the cache can't keep new entries: " + error.text());
}

}  // namespace

data::CacheKey EncodedStore::start_key(std::string_view kind, const data::ClipRecord& clip, int64_t frame,
                                       const std::string& encoder) const {
  data::CacheKey key(kind);
  key.add("content", clip.content)
      .add("frame", clip.first_frame + frame)
      .add("encoder", encoder)
      .add("dtype", at::toString(scalar_type(dtype_)));
  // With the defaults keys are those of caches that were filled before.
  if (math_.allow_tf32) key.add("math", "tf32");
  if (!math_.is_repeatable) key.add("algorithms", "any");
  return key;
}

std::string EncodedStore::moments_key(const data::ClipRecord& clip, const FrameCrop& where,
                                      const std::string& codec) const {
  return start_key("moments", clip, where.frame, codec)
      .add("left", where.crop.left)
      .add("top", where.crop.top)
      .add("right", where.crop.right)
      .add("bottom", where.crop.bottom)
      .add("width", int64_t{where.width})
      .add("height", int64_t{where.height})
      .hex();
}

std::string EncodedStore::embedding_key(const data::ClipRecord& clip, int64_t frame,
                                        const std::string& encoder) const {
  return start_key("embedding", clip, frame, encoder).hex();
}

std::optional<at::Tensor> EncodedStore::find(const std::string& key, int64_t unit_elements) const {
  const auto bytes = store_->get(key);
  if (!bytes) return std::nullopt;
  const at::ScalarType type = scalar_type(dtype_);
  const size_t unit_bytes = static_cast<size_t>(unit_elements) * c10::elementSize(type);
  const size_t units = unit_bytes == 0 ? 0 : bytes->size() / unit_bytes;
  if (units < 1 || units > 2 || units * unit_bytes != bytes->size()) return std::nullopt;
  at::Tensor values = at::empty({static_cast<int64_t>(units), unit_elements}, type);
  std::memcpy(values.mutable_data_ptr(), bytes->data(), bytes->size());
  return values.to(at::kFloat);
}

at::Tensor EncodedStore::keep(const std::string& key, const at::Tensor& values) const {
  const at::Tensor stored = values.to(at::kCPU, scalar_type(dtype_)).contiguous();
  if (!key.empty()) {
    if (const Status status = store_->put(key, bytes_of(stored)); !status) warn_once(status.error());
  }
  return stored.to(at::kFloat);
}

std::optional<PictureMoments> EncodedStore::find_moments(const data::ClipRecord& clip, const FrameCrop& where,
                                                         const std::string& codec,
                                                         at::IntArrayRef shape) const {
  if (!is_usable(clip)) return std::nullopt;
  const auto values = find(moments_key(clip, where, codec), c10::multiply_integers(shape));
  if (!values) return std::nullopt;
  PictureMoments moments{values->select(0, 0).view(shape), {}};
  if (values->size(0) == 2) moments.logvar_CHW = values->select(0, 1).view(shape);
  return moments;
}

PictureMoments EncodedStore::keep_moments(const data::ClipRecord& clip, const FrameCrop& where,
                                          const std::string& codec, const PictureMoments& moments) const {
  const std::string key = is_usable(clip) ? moments_key(clip, where, codec) : "";
  const bool is_random =
      moments.logvar_CHW.defined() && moments.logvar_CHW.max().item<double>() > kLogvarFloor;
  if (!is_random) return {keep(key, moments.mean_CHW), {}};
  const at::Tensor both = keep(key, at::stack({moments.mean_CHW, moments.logvar_CHW}));
  return {both.select(0, 0), both.select(0, 1)};
}

std::optional<at::Tensor> EncodedStore::find_embedding(const data::ClipRecord& clip, int64_t frame,
                                                       const std::string& encoder, int64_t width) const {
  if (!is_usable(clip)) return std::nullopt;
  const auto values = find(embedding_key(clip, frame, encoder), width);
  if (!values || values->size(0) != 1) return std::nullopt;
  return values->select(0, 0);
}

at::Tensor EncodedStore::keep_embedding(const data::ClipRecord& clip, int64_t frame,
                                        const std::string& encoder, const at::Tensor& embedding_D) const {
  return keep(is_usable(clip) ? embedding_key(clip, frame, encoder) : "", embedding_D);
}

}  // namespace zt::prepare
