// SPDX-License-Identifier: Apache-2.0
// Which batch items attend to which bank row: see attention.hpp.
#include <ATen/ATen.h>

#include <algorithm>

#include "nn/attention/attention.hpp"
#include "tensor/require.hpp"

namespace zt::nn {
namespace {

at::Tensor index_tensor(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device, /*non_blocking=*/true);
}

bool is_run(const std::vector<int64_t>& items) {
  for (size_t i = 1; i < items.size(); ++i) {
    if (items[i] != items[i - 1] + 1) return false;
  }
  return true;
}

/// (B * frames, ...) as (B, frames, ...).
at::Tensor unfold_frames(const at::Tensor& x, int64_t frames) {
  return x.unflatten(0, {x.size(0) / frames, frames});
}

}  // namespace

ReferenceRows::ReferenceRows(std::vector<int64_t> bank_row, int64_t num_rows, at::Device device)
    : batch_(static_cast<int64_t>(bank_row.size())) {
  std::vector<int64_t> rows;
  for (int64_t item = 0; item < batch_; ++item) {
    const int64_t row = bank_row[static_cast<size_t>(item)];
    ZT_REQUIRE(row >= -1 && row < num_rows, "batch item ", item, " asks for bank row ", row, " of ",
               num_rows);
    (row < 0 ? without_ : with_).push_back(item);
    if (row >= 0) rows.push_back(row);
  }
  is_identity_ = static_cast<int64_t>(rows.size()) == num_rows && is_run(rows);
  // Where each item lies in [with..., without...].
  std::vector<int64_t> place(bank_row.size());
  for (size_t i = 0; i < with_.size(); ++i) place[static_cast<size_t>(with_[i])] = static_cast<int64_t>(i);
  for (size_t i = 0; i < without_.size(); ++i) {
    place[static_cast<size_t>(without_[i])] = static_cast<int64_t>(with_.size() + i);
  }
  with_index_ = index_tensor(with_, device);
  without_index_ = index_tensor(without_, device);
  merge_index_ = index_tensor(place, device);
  row_index_ = index_tensor(rows, device);
}

at::Tensor ReferenceRows::select(const at::Tensor& x, int64_t frames, const std::vector<int64_t>& items,
                                 const at::Tensor& index) const {
  ZT_REQUIRE(x.size(0) == batch_ * frames, "wanted ", batch_, " items of ", frames, " frames, got ", x);
  if (static_cast<int64_t>(items.size()) == batch_) return x;
  if (is_run(items)) {
    return x.narrow(0, items.front() * frames, static_cast<int64_t>(items.size()) * frames);
  }
  return unfold_frames(x, frames).index_select(0, index).flatten(0, 1);
}

at::Tensor ReferenceRows::select_with(const at::Tensor& x, int64_t frames) const {
  return select(x, frames, with_, with_index_);
}

at::Tensor ReferenceRows::select_without(const at::Tensor& x, int64_t frames) const {
  return select(x, frames, without_, without_index_);
}

at::Tensor ReferenceRows::merge(const at::Tensor& with, const at::Tensor& without, int64_t frames) const {
  if (with_.back() < without_.front()) return at::cat({with, without}, 0);
  if (without_.back() < with_.front()) return at::cat({without, with}, 0);
  return unfold_frames(at::cat({with, without}, 0), frames).index_select(0, merge_index_).flatten(0, 1);
}

at::Tensor ReferenceRows::rows(const at::Tensor& bank_RTC, int64_t frames) const {
  const at::Tensor chosen_WTC = is_identity_ ? bank_RTC : bank_RTC.index_select(0, row_index_);
  if (frames == 1) return chosen_WTC;
  return chosen_WTC.unsqueeze(1).expand({-1, frames, -1, -1}).flatten(0, 1);
}

}  // namespace zt::nn
