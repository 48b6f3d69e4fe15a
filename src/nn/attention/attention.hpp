// SPDX-License-Identifier: Apache-2.0
// Multi-head attention, and attention of frames to themselves and to reference rows.
// Shapes: N = B * frames pictures (frame index fastest), S query tokens, T key tokens, C width, R bank rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "nn/linear.hpp"
#include "nn/rows/projection.hpp"
#include "params/param_source.hpp"

namespace zt::nn {

/// softmax(q k^T / sqrt(C / heads)) v per head. q_NSC, k_NTC, v_NTC -> (N, S, C).
at::Tensor attend(const at::Tensor& q_NSC, const at::Tensor& k_NTC, const at::Tensor& v_NTC, int64_t heads);
/// The same over the frames of every position; all (B, F, S, C).
at::Tensor attend_over_frames(const at::Tensor& q_BFSC, const at::Tensor& k_BFSC, const at::Tensor& v_BFSC,
                              int64_t heads);

/// The projections of one attention layer; names to_q, to_k, to_v (no bias), to_out.0.
struct Attention {
  struct Options {
    int64_t width = 0;
    int64_t context_width = 0;  ///< of keys and values
    int64_t inner_width = 0;    ///< 0 = width
    int64_t heads = 8;
    bool qkv_bias = false;
  };
  Attention() = default;
  Attention(const params::ParamSource& source, const Options& options);

  /// Plain attention of x to context.
  at::Tensor forward(const at::Tensor& x_NSC, const at::Tensor& context_NTD) const;
  /// What forward gives when the context is one token: softmax over one key is 1, so every position gets
  /// to_out(to_v(token)). context_B1D -> (B, 1, C). to_q and to_k have no influence and get no gradient.
  at::Tensor forward_single_token(const at::Tensor& context_B1D) const;

  /// Attention of norm(x) + positions to itself, before to_out: (N, S, C), or over the frames of every
  /// position where x is (B, F, S, C).
  at::Tensor attend_to_itself(const ProjectionInput& input) const;

  Linear to_q, to_k, to_v, to_out;
  int64_t heads = 8;
};

/// Which bank row each batch item attends to, prepared once per forward pass of a network.
class ReferenceRows {
 public:
  /// No reference for any item.
  ReferenceRows() = default;
  /// bank_row: per batch item its row in [0, num_rows) or -1 for none.
  ReferenceRows(std::vector<int64_t> bank_row, int64_t num_rows, at::Device device);

  bool any() const { return !with_.empty(); }
  bool all() const { return without_.empty() && any(); }
  /// Items with (or without) a reference as one tensor; x is (B * frames, ...).
  at::Tensor select_with(const at::Tensor& x, int64_t frames) const;
  at::Tensor select_without(const at::Tensor& x, int64_t frames) const;
  /// Puts the two selections back in item order.
  at::Tensor merge(const at::Tensor& with, const at::Tensor& without, int64_t frames) const;
  /// The bank row of each item with a reference, repeated per frame: (R, T, C) -> (W * frames, T, C).
  at::Tensor rows(const at::Tensor& bank_RTC, int64_t frames) const;

 private:
  at::Tensor select(const at::Tensor& x, int64_t frames, const std::vector<int64_t>& items,
                    const at::Tensor& index) const;
  int64_t batch_ = 0;
  bool is_identity_ = false;
  std::vector<int64_t> with_, without_;
  at::Tensor with_index_, without_index_, merge_index_, row_index_;
};

/// Keys and values of a bank entry, projected by the layer that reads it.
struct ReferenceKeys {
  at::Tensor key_RTC, value_RTC;
};

/// Self-attention of norm(x) over a picture's own tokens and its reference row's, before to_out: keys = [own,
/// reference]. Items without a row attend to themselves only.
at::Tensor reference_attention(const Attention& attention, const ProjectionInput& input,
                               const ReferenceKeys& reference, const ReferenceRows& rows, int64_t frames);

}  // namespace zt::nn
