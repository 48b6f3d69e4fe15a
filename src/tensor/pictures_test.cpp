// SPDX-License-Identifier: Apache-2.0
#include "tensor/pictures.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tensor/require.hpp"

namespace zt::tensor {
namespace {

TEST(Pictures, PutChannelsFirstAndScaleToOne) {
  image::Image picture(2, 1);
  picture.pixels = {255, 0, 51, 0, 255, 102};
  const at::Tensor wanted = at::tensor({1.0F, 0.0F, 0.0F, 1.0F, 0.2F, 0.4F}).reshape({3, 1, 2});
  EXPECT_TRUE(from_picture(picture).allclose(wanted));
  EXPECT_EQ(from_pictures(std::vector{picture, picture}).sizes(), (std::vector<int64_t>{2, 3, 1, 2}));
}

TEST(Pictures, SurviveTheRoundTrip) {
  image::Image picture(16, 16, 1);
  for (size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = static_cast<uint8_t>(i);
  EXPECT_EQ(to_picture(from_picture(picture)), picture);
}

TEST(Pictures, AreClampedAndRounded) {
  const at::Tensor values = at::tensor({-0.5F, 0.0019F, 0.002F, 1.5F}).reshape({1, 2, 2});
  EXPECT_EQ(to_picture(values).pixels, (std::vector<uint8_t>{0, 0, 1, 255}));
  EXPECT_THROW(to_picture(at::zeros({2, 4, 4})), ContractError);
}

}  // namespace
}  // namespace zt::tensor
