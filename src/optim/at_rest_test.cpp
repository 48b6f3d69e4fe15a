// SPDX-License-Identifier: Apache-2.0
// A step tells what did not keep its bits since the step before.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "optim/adamw.hpp"
#include "optim/ema.hpp"
#include "support/optimizer_formats.hpp"
#include "support/optimizer_steps.hpp"

namespace zt::optim {
namespace {

struct Case {
  test::Format format;
  bool is_offloaded = false;
};

void train_once(test::Rank& rank, bool all = true) {
  test::fill_gradients(*rank.store,
                       all ? std::vector<std::string>{"net", "late"} : std::vector<std::string>{"net"}, 1);
  rank.adamw.step({.lr = 1e-2, .ema = &rank.ema, .clear_gradients = true});
}

void flip_a_bit(const at::Tensor& tensor) { *static_cast<uint8_t*>(tensor.data_ptr()) ^= 0x04; }

class AtRest : public ::testing::TestWithParam<Case> {
 protected:
  bool is_copy_of_master(const std::string& name) const {
    return name.starts_with("segment") && !name.ends_with("master") &&
           rank_.adamw.master(std::stoul(name.substr(8))).defined();
  }
  test::Rank rank_{GetParam().format, GetParam().is_offloaded};
};

TEST_P(AtRest, NothingIsSaidOfWhatKeptItsBits) {
  for (int i = 0; i < 6; ++i) {
    train_once(rank_, /*all=*/i != 2 && i != 3);
    EXPECT_EQ(rank_.adamw.changed_at_rest(), std::nullopt) << i;
    const EmaScope exchanged(&rank_.ema);  // and back
  }
}

// Every tensor that a step starts from; a bf16 copy of a master is not one.
TEST_P(AtRest, AFlippedBitIsFoundByTheNextStepAndNamed) {
  train_once(rank_);
  int flipped = 0;
  for (const params::StateTensor& tensor : rank_.state()) {
    if (is_copy_of_master(tensor.name)) continue;
    flip_a_bit(tensor.value);
    train_once(rank_);
    const std::string found = rank_.adamw.changed_at_rest().value_or("nothing");
    const std::string kind = tensor.name.starts_with("optimizer") ? "optimizer state of"
                             : tensor.name.starts_with("ema")     ? "averages of"
                                                                  : "weights of";
    EXPECT_EQ(found.find(kind), 0U) << tensor.name << ": " << found;
    train_once(rank_);
    EXPECT_EQ(rank_.adamw.changed_at_rest(), std::nullopt) << tensor.name;
    ++flipped;
  }
  EXPECT_GE(flipped, 12);
}

TEST_P(AtRest, ARestoreIsNoFault) {
  train_once(rank_);
  for (const params::StateTensor& tensor : rank_.state()) flip_a_bit(tensor.value);
  ASSERT_TRUE(rank_.adamw.set_scalars(rank_.adamw.scalars()));

  train_once(rank_);

  EXPECT_EQ(rank_.adamw.changed_at_rest(), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Of, AtRest,
                         ::testing::Values(Case{test::kFormats[0]}, Case{test::kFormats[1]},
                                           Case{test::kFormats[2]}, Case{test::kFormats[3]},
                                           Case{test::kFormats[4]}, Case{test::kFormats[5]},
                                           Case{test::kFormats[0], true}, Case{test::kFormats[2], true}),
                         [](const auto& test) {
                           return std::string(test.param.format.name) +
                                  (test.param.is_offloaded ? "Offloaded" : "");
                         });

}  // namespace
}  // namespace zt::optim
