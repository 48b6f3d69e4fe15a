// SPDX-License-Identifier: Apache-2.0
#include "weights/dtype.hpp"

#include <cmath>
#include <limits>

#include "weights/testing.hpp"

namespace zt::weights {
namespace {

using test::elements;
using test::fails_with;

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

// Golden values: what c10::Half and c10::BFloat16 (torch 2.13) make of f32 values at rounding borders.
TEST(DType, RoundsAsTorchDoes) {
  const auto file = TensorFile::open(test::golden("conversions.safetensors"));
  ASSERT_TRUE(test::is_ok(file));
  const auto f32 = elements<float>(*file->find("f32"));
  const auto f16 = elements<uint16_t>(*file->find("f16"));
  const auto bf16 = elements<uint16_t>(*file->find("bf16"));

  for (size_t i = 0; i < f32.size(); ++i) {
    EXPECT_EQ(f32_to_f16(f32[i]), f16[i]) << f32[i];
    // torch's vector kernels make 0xFFFF of a NaN, c10's scalar code (and ours) 0x7FC0.
    EXPECT_EQ(f32_to_bf16(f32[i]), std::isnan(f32[i]) ? 0x7FC0 : bf16[i]) << f32[i];
  }
  EXPECT_EQ(f32.size(), 27u);
}

// IEEE 754 binary16: (-1)^s * 2^(e-15) * (1 + m/1024), subnormal 2^-14 * m/1024; computed in double.
TEST(DType, EveryF16HasItsValueAndComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint32_t exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const float value = f16_to_f32(static_cast<uint16_t>(bits));
    if (exponent == 31 && mantissa != 0) {
      ASSERT_TRUE(std::isnan(value));
      continue;
    }
    const double magnitude = exponent == 31  ? std::numeric_limits<double>::infinity()
                             : exponent == 0 ? std::ldexp(mantissa, -24)
                                             : std::ldexp(1024 + mantissa, static_cast<int>(exponent) - 25);
    ASSERT_EQ(value, bits & 0x8000 ? -magnitude : magnitude) << bits;
    ASSERT_EQ(std::signbit(value), (bits & 0x8000) != 0) << bits;
    ASSERT_EQ(f32_to_f16(value), bits);
  }
}

TEST(DType, EveryBf16ComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = bf16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) continue;
    ASSERT_EQ(f32_to_bf16(value), bits);
  }
  EXPECT_EQ(bf16_to_f32(0x3FC0), 1.5f);
}

TEST(DType, ConvertsWholeTensorsToF32) {
  const std::vector<double> wide = {0.5, 1e300};
  const std::vector<uint16_t> halves = {0x3C00, 0xC000};

  const auto from_f64 = to_f32(DType::F64, std::as_bytes(std::span(wide)));
  const auto from_f16 = to_f32(DType::F16, std::as_bytes(std::span(halves)));

  EXPECT_THAT(from_f64.value(), testing::ElementsAre(0.5f, std::numeric_limits<float>::infinity()));
  EXPECT_THAT(from_f16.value(), testing::ElementsAre(1.0f, -2.0f));
  EXPECT_TRUE(fails_with(to_f32(DType::I32, std::as_bytes(std::span(halves))), ErrorCode::InvalidArgument));
  EXPECT_TRUE(fails_with(to_f32(DType::F64, std::as_bytes(std::span(halves))), ErrorCode::InvalidArgument));
}

}  // namespace
}  // namespace zt::weights
