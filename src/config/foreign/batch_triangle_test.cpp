// SPDX-License-Identifier: Apache-2.0
// The table of DeepSpeed's documentation ("Batch Size Related Parameters") and of its code's assertions.
#include "config/foreign/batch_triangle.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zt::config::foreign {
namespace {

using std::nullopt;

void expect(const BatchKeys& keys, int64_t ranks, int64_t micro, int64_t accumulation) {
  const auto batch = complete_batch(keys, ranks);
  ASSERT_TRUE(batch) << batch.error().text();
  EXPECT_EQ(batch->micro, micro);
  EXPECT_EQ(batch->accumulation, accumulation);
}

TEST(BatchTriangle, AnyTwoGiveTheThird) {
  expect({32, 4, nullopt}, 2, 4, 4);
  expect({32, nullopt, 2}, 4, 4, 2);
  expect({nullopt, 4, 8}, 2, 4, 8);
  expect({64, 4, 8}, 2, 4, 8);
}

TEST(BatchTriangle, OneAloneAccumulatesNothing) {
  expect({32, nullopt, nullopt}, 4, 8, 1);
  expect({nullopt, 3, nullopt}, 4, 3, 1);
}

TEST(BatchTriangle, RefusesWhatDoesNotAgree) {
  for (const BatchKeys& keys :
       {BatchKeys{60, 4, 4}, BatchKeys{30, nullopt, nullopt}, BatchKeys{33, 4, nullopt},
        BatchKeys{2, nullopt, 4}, BatchKeys{2, nullopt, nullopt}}) {
    const auto batch = complete_batch(keys, 4);
    ASSERT_FALSE(batch) << *keys.total;
    EXPECT_EQ(batch.error().code, ErrorCode::InvalidConfig);
    EXPECT_THAT(batch.error().message, testing::HasSubstr("must be train_micro_batch_size_per_gpu x "));
  }
}

TEST(BatchTriangle, NamesTheNumbersThatAreGiven) {
  const auto words = [](const BatchKeys& keys) { return complete_batch(keys, 2).error().message; };
  EXPECT_THAT(words({5, nullopt, nullopt}), testing::EndsWith(": 5 is not a multiple of 2 ranks"));
  EXPECT_THAT(words({5, 2, nullopt}), testing::EndsWith(": 5 is not a multiple of 2 x 2 ranks"));
  EXPECT_THAT(words({5, nullopt, 3}), testing::EndsWith(": 5 is not a multiple of 3 x 2 ranks"));
  EXPECT_THAT(words({5, 1, 1}), testing::EndsWith(": 5 is not 1 x 1 x 2"));
}

TEST(BatchTriangle, WantsABatchSize) {
  for (const BatchKeys& keys : {BatchKeys{}, BatchKeys{nullopt, nullopt, 4}}) {
    const auto batch = complete_batch(keys, 2);
    ASSERT_FALSE(batch);
    EXPECT_THAT(batch.error().message, testing::HasSubstr("must be given"));
  }
}

TEST(BatchTriangle, RefusesZeroNegativeAndHugeNumbers) {
  for (const int64_t wrong : {int64_t{0}, int64_t{-4}, INT64_MAX})
    for (const BatchKeys& keys :
         {BatchKeys{wrong, nullopt, nullopt}, BatchKeys{8, wrong, nullopt}, BatchKeys{8, 1, wrong}})
      EXPECT_FALSE(complete_batch(keys, 2)) << wrong;
}

}  // namespace
}  // namespace zt::config::foreign
