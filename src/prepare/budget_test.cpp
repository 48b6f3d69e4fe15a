// SPDX-License-Identifier: Apache-2.0
// Expected numbers by hand, at Stable Diffusion's sizes.
#include "prepare/budget.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zt::prepare {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kAny = int64_t{1} << 50;

data::ClipIndex clips(int64_t count, int64_t frames) {
  data::ClipIndex index;
  for (int64_t i = 0; i < count; ++i) {
    data::ClipRecord clip;
    clip.num_frames = frames;
    clip.width = 1920;
    clip.height = 1080;
    index.clips.push_back(clip);
  }
  return index;
}

data::SamplePlanOptions whole_frames() {
  data::SamplePlanOptions plan;
  plan.width = plan.height = 512;
  plan.crop_mode = data::CropMode::Whole;
  return plan;
}

TEST(PrepareBudget, EncodersAreCountedPerProcess) {
  const EncoderShapes shapes = encoder_shapes({}).value();
  EXPECT_EQ(encoder_demand(shapes).bytes, 4ULL * (83'653'863 + 303'966'208));
  EXPECT_EQ(encoder_demand(shapes, 3).bytes, 3 * encoder_demand(shapes).bytes);
  // Three maps of 128 channels at picture size.
  EXPECT_EQ(encoding_demand(shapes, whole_frames(), 2).bytes, 2ULL * 3 * 128 * 512 * 512 * 4);
}

TEST(PrepareBudget, TheCacheHoldsMomentsAndAnEmbeddingOfEveryFrame) {
  config::CacheSettings cache;
  cache.size_limit_mib = 0;
  const EncoderShapes shapes = encoder_shapes({}).value();
  // Two files, each in blocks of 4 KiB with a header.
  const uint64_t each = (2 * 4 * 64 * 64 * 4 + 4096) + 4096;

  EXPECT_EQ(cache_demand(cache, shapes, clips(10, 24), whole_frames(), kAny, 0).bytes, 240 * each);
  EXPECT_EQ(cache_demand(cache, shapes, clips(10, 24), whole_frames(), 100, 0).bytes, 100 * each)
      << "no step asks for the others";
  EXPECT_EQ(cache_demand(cache, shapes, clips(10, 24), whole_frames(), kAny, 40 * each).bytes, 200 * each);
  cache.dtype = config::CacheDtype::Fp16;
  EXPECT_EQ(cache_demand(cache, shapes, clips(10, 24), whole_frames(), kAny, 0).bytes,
            240U * ((2 * 4 * 64 * 64 * 2 + 4096) + 4096));
}

TEST(PrepareBudget, RandomCropsAreNotKept) {
  config::CacheSettings cache;
  data::SamplePlanOptions plan = whole_frames();
  plan.crop_mode = data::CropMode::Shared;
  plan.crop.scale_min = 0.9;
  const EncoderShapes shapes = encoder_shapes({}).value();

  EXPECT_EQ(cache_demand(cache, shapes, clips(1, 10), plan, kAny, 0).bytes, 10U * 4096);
  plan.crop_variants = 3;
  EXPECT_EQ(cache_demand(cache, shapes, clips(1, 10), plan, kAny, 0).bytes,
            10U * (3 * (2 * 4 * 64 * 64 * 4 + 4096) + 4096));
}

TEST(PrepareBudget, TheCacheGrowsNoLargerThanItsLimit) {
  config::CacheSettings cache;
  cache.size_limit_mib = 1;
  const EncoderShapes shapes = encoder_shapes({}).value();

  const auto demand = cache_demand(cache, shapes, clips(1000, 24), whole_frames(), kAny, 1 << 18);

  EXPECT_EQ(demand.bytes, (1U << 20) - (1U << 18));
  EXPECT_THAT(demand.what, HasSubstr("cache.size_limit_mib"));
  EXPECT_EQ(cache_demand(cache, shapes, clips(1000, 24), whole_frames(), kAny, 1 << 21).bytes, 0U);
}

TEST(PrepareBudget, FittingHoldsEveryPictureTwice) {
  config::ModelJob model;
  model.codec.fit_pictures = 2000;
  config::DataJob data;
  EXPECT_EQ(fit_demand(model, data, 1000).bytes, 2ULL * 3 * 2000 * 512 * 512 * 4);
  EXPECT_EQ(fit_demand(model, data, 10).bytes, 2ULL * 3 * 80 * 512 * 512 * 4)
      << "eight pictures of each clip";
}

TEST(PrepareBudget, DecodedPicturesAreBoundedByTheirSetting) {
  config::DataJob data;
  EXPECT_EQ(decoding_demand(clips(1, 24), data, 2, 8).bytes, 2U * 8 * 3 * 1920 * 1080);
  data.decode_memory_mib = 10;
  EXPECT_EQ(decoding_demand(clips(1, 24), data, 2, 8).bytes, 10U << 20);
}

}  // namespace
}  // namespace zt::prepare
