// SPDX-License-Identifier: Apache-2.0
#include "weights/dtype.hpp"

#include <limits>

#include "weights/testing.hpp"

namespace zt::weights {
namespace {

TEST(DType, NamesAndSizesAreThoseOfSafetensors) {
  EXPECT_EQ(name(DType::Bool), "BOOL");
  EXPECT_EQ(parse_dtype("BF16"), DType::BF16);
  EXPECT_EQ(parse_dtype("F8_E4M3"), std::nullopt);
  EXPECT_EQ(size_bytes(DType::F64), 8u);
  EXPECT_EQ(size_bytes(DType::BF16), 2u);
  EXPECT_EQ(size_bytes(DType::Bool), 1u);
}

TEST(DType, CountsRefuseOverflow) {
  const int64_t big = int64_t{1} << 32;
  EXPECT_EQ(element_count(std::vector<int64_t>{}), 1);
  EXPECT_EQ(element_count(std::vector<int64_t>{3, 0, 5}), 0);
  EXPECT_EQ(element_count(std::vector<int64_t>{big, big}), std::nullopt);
  EXPECT_EQ(element_count(std::vector<int64_t>{big, big, 0}), std::nullopt);
  EXPECT_EQ(element_count(std::vector<int64_t>{-1}), std::nullopt);
  EXPECT_EQ(byte_count(DType::F64, std::vector<int64_t>{std::numeric_limits<int64_t>::max()}), std::nullopt);
}

}  // namespace
}  // namespace zt::weights
