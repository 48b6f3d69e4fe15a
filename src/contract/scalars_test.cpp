// SPDX-License-Identifier: Apache-2.0
// What can be is read off docs/formats/checkpoint.md.
#include "contract/scalars.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "contract/manifest.hpp"

namespace zt::contract {
namespace {

using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(Scalars, AreWrittenSoThatWholeNumbersStayApart) {
  EXPECT_EQ(scalar_text(int64_t{1}), "1");
  EXPECT_EQ(scalar_text(1.0), "1.0");
  EXPECT_EQ(scalar_text(3e-5), "3.e-05");
  EXPECT_EQ(scalar_text(kInf), "inf");
}

TEST(Scalars, AreReadAsWhatTheyWere) {
  EXPECT_EQ(parse_scalar("a", "-7").value(), Scalar(int64_t{-7}));
  EXPECT_EQ(parse_scalar("a", "1.0").value(), Scalar(1.0));
  EXPECT_EQ(parse_scalar("a", "3.e-05").value(), Scalar(3e-5));
  EXPECT_EQ(parse_scalar("a", "-inf").value(), Scalar(-kInf));
  EXPECT_TRUE(std::isnan(std::get<double>(parse_scalar("a", "nan").value())));
}

TEST(Scalars, OfTrainingAreTaken) {
  EXPECT_TRUE(check_scalars({{"train.step", "12"},
                             {"train.next_sample", "48"},
                             {"train.elapsed_s", "0.0"},
                             {"train.best_loss", "inf"},
                             {"train.loss.0.sum", "nan"},
                             {"train.loss.0.count", "3"},
                             {"train.suspect_clip.5", "5"},
                             {"optimizer.step/denoising_unet", "12"},
                             {"ema.num_updates", "12"},
                             {"scaler.scale", "65536.0"},
                             {"scaler.good_steps", "0"},
                             {"of.a.later.program", "-1.5"}},
                            12));
  EXPECT_TRUE(check_scalars({}, 0));
}

TEST(Scalars, ThatCannotBeAreRefusedByName) {
  for (const auto& [name, text] :
       std::vector<std::pair<std::string, std::string>>{{"of.a.later.program", "banana"},
                                                        {"of.a.later.program", ""},
                                                        {"of.a.later.program", " 1"},
                                                        {"of.a.later.program", "1.0x"},
                                                        {"train.step", "11"},
                                                        {"train.step", "12.0"},
                                                        {"train.next_sample", "-1"},
                                                        {"train.next_sample", "99999999999999999999"},
                                                        {"train.losses.3.count", "nan"},
                                                        {"train.left_out_clip.2", "-2"},
                                                        {"optimizer.step/denoising_unet", "1e3"},
                                                        {"ema.num_updates", "-5"},
                                                        {"scaler.good_steps", "inf"},
                                                        {"scaler.scale", "0.0"},
                                                        {"scaler.scale", "nan"},
                                                        {"train.elapsed_s", "-3.5"},
                                                        {"train.early_decay_cap_s", "inf"}}) {
    const Status status = check_scalars({{name, text}}, 12);
    ASSERT_FALSE(status) << name << " = " << text;
    EXPECT_EQ(status.error().code, ErrorCode::Corrupt);
    EXPECT_THAT(status.error().message, HasSubstr(name));
  }
}

TEST(Scalars, ThatCannotBeMakeAManifestNone) {
  Manifest manifest;
  manifest.step = 3;
  manifest.tensors = {{"param/x", "F32", {0}, {}}};
  manifest.scalars = {{"train.step", "3"}, {"train.next_sample", "12"}};
  ASSERT_TRUE(parse_manifest(to_json(manifest)));

  manifest.scalars["train.next_sample"] = "-12";

  const auto read = parse_manifest(to_json(manifest));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(read.error().message, HasSubstr("\"train.next_sample\" is \"-12\", which is not a count"));
}

}  // namespace
}  // namespace zt::contract
