// SPDX-License-Identifier: Apache-2.0
#include "checkpoint/memory_tier.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

namespace zt::checkpoint {
namespace {

/// Pieces, bytes and strides as a rank has them.
Snapshot snapshot_of(int64_t step) {
  Snapshot s;
  s.step = step;
  s.tensors = {{"param/w", at::arange(7, at::kFloat) + double(step), params::Piece{{3, 4}, 2}},
               {"optimizer.code/w", at::arange(5, at::kByte)},
               {"ema/w", at::full({2, 3, 4, 4}, double(step)).contiguous(at::MemoryFormat::ChannelsLast)}};
  s.scalars = {{"optimizer.step/net", step},
               {"train.best_loss", std::numeric_limits<double>::infinity()},
               {"train.elapsed_s", 0.1}};
  return s;
}

std::vector<params::StateTensor> empty_like(const Snapshot& snapshot) {
  std::vector<params::StateTensor> tensors;
  for (const params::StateTensor& t : snapshot.tensors)
    tensors.push_back({t.name, at::zeros_like(t.value), t.piece});
  return tensors;
}

struct Kept {
  files::Descriptor fd = *exchange::SnapshotFile::make();
  MemoryTier tier = *MemoryTier::open(fd.get());
};

TEST(MemoryTier, SuccessorFindsTheVeryTensorsAndScalars) {
  Kept kept;
  for (int64_t step : {10, 11, 12}) ASSERT_TRUE(kept.tier.keep(snapshot_of(step), /*generation=*/1));

  const MemoryTier successor = *MemoryTier::open(kept.fd.get());

  EXPECT_EQ(successor.steps(), (std::vector<int64_t>{11, 12}));
  for (int64_t step : {11, 12}) {
    const Snapshot wanted = snapshot_of(step);
    const auto tensors = empty_like(wanted);
    const auto scalars = successor.restore(step, tensors);
    ASSERT_TRUE(scalars) << scalars.error().text();
    for (size_t i = 0; i < tensors.size(); ++i)
      EXPECT_TRUE(at::equal(tensors[i].value, wanted.tensors[i].value)) << tensors[i].name;
    ASSERT_EQ(scalars->size(), wanted.scalars.size());
    for (size_t i = 0; i < scalars->size(); ++i) {
      EXPECT_EQ((*scalars)[i].name, wanted.scalars[i].name);
      EXPECT_EQ((*scalars)[i].value, wanted.scalars[i].value);
    }
  }
}

TEST(MemoryTier, WhatChangesAfterwardsIsNotInIt) {
  Kept kept;
  const Snapshot live = snapshot_of(3);
  ASSERT_TRUE(kept.tier.keep(live, 1));
  live.tensors[0].value.zero_();

  const auto tensors = empty_like(live);
  ASSERT_TRUE(kept.tier.restore(3, tensors));

  EXPECT_TRUE(at::equal(tensors[0].value, snapshot_of(3).tensors[0].value));
}

TEST(MemoryTier, OtherTensorsAreRefused) {
  Kept kept;
  ASSERT_TRUE(kept.tier.keep(snapshot_of(3), 1));
  auto other_piece = empty_like(snapshot_of(3)), other_name = other_piece, fewer = other_piece;
  other_piece[0].piece->begin = 3;
  other_name[1].name = "optimizer.code/v";
  fewer.pop_back();

  for (const auto& tensors : {other_piece, other_name, fewer})
    EXPECT_EQ(kept.tier.restore(3, tensors).error().code, ErrorCode::Corrupt);
}

TEST(MemoryTier, StepThatItHasNotIsNotFound) {
  Kept kept;
  ASSERT_TRUE(kept.tier.keep(snapshot_of(3), 1));
  ASSERT_TRUE(kept.tier.keep(snapshot_of(4), 1));
  kept.tier.drop_after(3);

  EXPECT_EQ(kept.tier.steps(), (std::vector<int64_t>{3}));
  EXPECT_EQ(kept.tier.restore(4, empty_like(snapshot_of(4))).error().code, ErrorCode::NotFound);
}

TEST(MemoryTier, WithoutAFileKeepsNothing) {
  MemoryTier tier = *MemoryTier::open(-1);

  EXPECT_FALSE(tier.is_open());
  EXPECT_TRUE(tier.keep(snapshot_of(3), 1));
  EXPECT_TRUE(tier.steps().empty());
}

}  // namespace
}  // namespace zt::checkpoint
