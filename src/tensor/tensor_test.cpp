// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/counter_rng.hpp"
#include "tensor/autocast.hpp"
#include "tensor/device.hpp"
#include "tensor/memory.hpp"
#include "tensor/noise.hpp"
#include "tensor/require.hpp"

namespace zt::tensor {
namespace {

TEST(Require, MessageCarriesShapes) {
  const at::Tensor x = at::zeros({2, 3});
  try {
    ZT_REQUIRE(x.dim() == 4, "wanted (B, C, H, W), got ", x);
    FAIL();
  } catch (const ContractError& error) {
    EXPECT_NE(std::string(error.what()).find("(2, 3) Float"), std::string::npos) << error.what();
  }
}

TEST(Noise, HasMomentsOfANormal) {
  const at::Tensor x = normal({1000, 1000}, {7, 1, 42}).to(at::kDouble);

  EXPECT_NEAR(x.mean().item<double>(), 0, 4e-3);
  EXPECT_NEAR(x.var().item<double>(), 1, 6e-3);
  EXPECT_NEAR(x.pow(3).mean().item<double>(), 0, 1.5e-2);
  EXPECT_NEAR(x.pow(4).mean().item<double>(), 3, 5e-2);
  // P(|x| > 2) = 0.0455003 (erfc(sqrt 2)).
  EXPECT_NEAR(x.abs().gt(2).to(at::kDouble).mean().item<double>(), 0.0455003, 1e-3);
}

TEST(Noise, MatchesBoxMullerOfPhiloxWords) {
  const at::Tensor x = normal({8}, {0, 0, 0});

  // First Philox4x32-10 block of key 0, counter 0 (Random123's known answers).
  const uint32_t words[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (int pair = 0; pair < 2; ++pair) {
    const double u = ((words[2 * pair] >> 8) + 1.0) / 16777216.0, v = (words[2 * pair + 1] >> 8) / 16777216.0;
    const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * M_PI * v;
    EXPECT_NEAR(x[2 * pair].item<float>(), radius * std::cos(angle), 1e-6);
    EXPECT_NEAR(x[2 * pair + 1].item<float>(), radius * std::sin(angle), 1e-6);
  }
}

TEST(Noise, DoesNotDependOnThreadsOrLength) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = normal({100003}, {1, 2, 3});
  at::set_num_threads(2);
  const at::Tensor two = normal({100003}, {1, 2, 3});
  at::set_num_threads(threads);

  EXPECT_TRUE(at::equal(one, two));
  EXPECT_TRUE(at::equal(normal({101}, {1, 2, 3}), one.slice(0, 0, 101)));
  EXPECT_FALSE(at::equal(normal({101}, {1, 2, 4}), one.slice(0, 0, 101)));
}

TEST(Noise, UniformStaysInItsRange) {
  const at::Tensor x = uniform({100000}, {5, 0, 0}, -0.25f, 0.5f);
  EXPECT_GE(x.min().item<float>(), -0.25f);
  EXPECT_LT(x.max().item<float>(), 0.5f);
  EXPECT_NEAR(x.mean().item<float>(), 0.125f, 3e-3);
}

TEST(Noise, UniformNumbersAreTheWordsOfTheStream) {
  const at::Tensor x = uniform({1003}, {0x1122334455667788u, 9, 0x99aabbccddu}, 0, 1);
  for (uint32_t i = 0; i < 1003; ++i) {
    const auto words = philox4x32({0x55667788u, 0x11223344u}, {0xaabbccddu, 0x99u, 9, i / 4});
    EXPECT_EQ(x[i].item<float>(), static_cast<float>(words[i % 4] >> 8) * 0x1.0p-24f) << i;
  }
}

TEST(Noise, GeneratorGivesPythonsNumbers) {
  // torch.manual_seed(0); torch.randn(3)
  const at::Tensor x = at::randn({3}, make_generator(0));
  EXPECT_TRUE(at::allclose(x, at::tensor({1.5410f, -0.2934f, -2.1788f}), 0, 5e-5));
}

TEST(Memory, CountsLiveAndPeakBytes) {
  install_counting_allocator();
  install_counting_allocator();
  const MemoryStats before = memory_stats();
  reset_peak();
  { const at::Tensor a = at::empty({1000}), b = at::empty({500}); }
  const at::Tensor c = at::empty({250});

  EXPECT_EQ(memory_stats().live_bytes - before.live_bytes, 1000);
  EXPECT_EQ(memory_stats().peak_bytes - before.live_bytes, 6000);
  EXPECT_EQ(memory_stats().allocations - before.allocations, 3);
}

TEST(Memory, MappedZerosAreZeroAndCounted) {
  install_counting_allocator();
  const int64_t before = memory_stats().live_bytes;
  for (const int64_t size : {0, 5, 1 << 20}) {
    const at::Tensor zeros = mapped_zeros(size, at::kFloat);
    EXPECT_EQ(zeros.numel(), size);
    EXPECT_EQ(zeros.count_nonzero().item<int64_t>(), 0);
    zeros.fill_(3);
    EXPECT_EQ(zeros.sum().item<float>(), 3.0f * static_cast<float>(size));
    EXPECT_EQ(memory_stats().live_bytes - before, size * 4);
  }
  EXPECT_EQ(memory_stats().live_bytes, before);
}

TEST(Autocast, RunsLinearsInBf16AndRestores) {
  const at::Tensor x = at::ones({2, 4}), w = at::ones({3, 4});
  {
    AutocastGuard guard(at::kCPU, {true, at::kBFloat16});
    EXPECT_EQ(at::linear(x, w).scalar_type(), at::kBFloat16);
    AutocastGuard inner(at::kCPU, {false, at::kBFloat16});
    EXPECT_EQ(at::linear(x, w).scalar_type(), at::kFloat);
  }
  EXPECT_EQ(at::linear(x, w).scalar_type(), at::kFloat);
  EXPECT_TRUE(at::autocast::is_autocast_cache_enabled());
}

TEST(Device, RefusesNamesThatAreNone) {
  EXPECT_EQ(open_device("cpu").value(), at::Device(at::kCPU));
  for (const char* wrong : {"", "gpu", "cuda:", "cuda:x", "cuda:1x", "cuda:-1"})
    EXPECT_EQ(open_device(wrong).error().code, ErrorCode::InvalidConfig) << wrong;
}

}  // namespace
}  // namespace zt::tensor
