// SPDX-License-Identifier: Apache-2.0
// AdamW against torch's and bitsandbytes' own numbers (tests/parity/k_adamw*), and what the store promises.
#include "optim/adamw.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "optim/ema.hpp"
#include "optim/internal/adamw_kernels.hpp"
#include "optim/internal/dynamic_map.hpp"
#include "support/param_store.hpp"
#include "support/parity.hpp"
#include "tensor/require.hpp"

namespace zt::optim {
namespace {

using test::all_close;
using test::gradient;
using test::value;

params::PlacementRule eight_bit_rule() {
  return [](const params::ParamInfo& info) {
    params::Placement place;
    place.optimizer_kind = static_cast<int>(state_kind_8bit(info.numel()));
    return place;
  };
}

std::map<std::string, at::Tensor> state_of(const AdamW& adamw) {
  std::map<std::string, at::Tensor> state;
  adamw.visit_state([&](const params::StateTensor& t) { state[t.name] = t.value; });
  return state;
}

void set(params::ParamStore& store, const std::string& name, const at::Tensor& start,
         const at::Tensor& grad) {
  if (start.defined()) store.assign(name, start);
  gradient(store, name).copy_(grad);
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) { return at::equal(a.contiguous(), b.contiguous()); }

TEST(AdamW, GivesTorchsNumbers) {
  const test::ParityFile parity("k_adamw");
  const auto store = test::make_store({{"p", {70, 64}}});
  store->assign("p", parity["p0"]);
  AdamW adamw(*store, {});

  for (int64_t i = 0; i < 5; ++i) {
    set(*store, "p", {}, parity["grads"][i]);
    store->touch("net");
    adamw.step({.lr = 1e-3});
  }

  EXPECT_TRUE(all_close(value(*store, "p"), parity["p5"], 1e-9, 1e-6));
  const auto state = state_of(adamw);
  EXPECT_TRUE(all_close(state.at("optimizer.exp_avg/p"), parity["exp_avg5"], 1e-9, 1e-6));
  EXPECT_TRUE(all_close(state.at("optimizer.exp_avg_sq/p"), parity["exp_avg_sq5"], 1e-9, 1e-6));
}

TEST(AdamW, DynamicMapsAreThoseOfBitsandbytes) {
  const test::ParityFile parity("k_adamw8bit");
  const auto as_tensor = [](const internal::DynamicMap& map) {
    return at::from_blob(const_cast<float*>(map.values.data()), {256}, at::kFloat).clone();
  };

  EXPECT_TRUE(same_bits(as_tensor(internal::signed_map()), parity["qmap1"]));
  EXPECT_TRUE(same_bits(as_tensor(internal::unsigned_map()), parity["qmap2"]));
}

// Codes may differ by one step at ties, for at most one in a thousand (tests/parity/README.md).
void expect_codes(const at::Tensor& found, const at::Tensor& wanted) {
  const at::Tensor apart = (found.to(at::kInt) - wanted.to(at::kInt)).abs();
  EXPECT_LE(apart.max().item<int>(), 1);
  EXPECT_LE((apart != 0).sum().item<int64_t>(), wanted.numel() / 1000);
}

TEST(AdamW, EightBitGivesBitsandbytesNumbers) {
  const test::ParityFile parity("k_adamw8bit");
  const auto store = test::make_store({{"big", {70, 64}}, {"small", {40, 64}}}, eight_bit_rule());
  store->assign("big", parity["big.p0"]);
  store->assign("small", parity["small.p0"]);
  AdamW adamw(*store, {});
  const auto state = state_of(adamw);

  for (int64_t i = 0; i < 6; ++i) {
    set(*store, "big", {}, parity["big.grads"][i]);
    set(*store, "small", {}, parity["small.grads"][i]);
    store->touch("net");
    adamw.step({.lr = 1e-3});

    EXPECT_TRUE(all_close(value(*store, "big"), parity["big.params"][i], 1e-9, 1e-6)) << "step " << i;
    EXPECT_TRUE(all_close(value(*store, "small"), parity["small.params"][i], 1e-9, 1e-6)) << "step " << i;
    if (i != 0 && i != 5) continue;
    const std::string at_step = i == 0 ? "_step1" : "_step6";
    const double ulp = 1.2e-7;
    EXPECT_TRUE(all_close(state.at("optimizer.exp_avg_absmax/big"), parity["big.absmax1" + at_step], 0, ulp));
    EXPECT_TRUE(
        all_close(state.at("optimizer.exp_avg_sq_absmax/big"), parity["big.absmax2" + at_step], 0, ulp));
    expect_codes(state.at("optimizer.exp_avg_code/big"), parity["big.state1" + at_step]);
    expect_codes(state.at("optimizer.exp_avg_sq_code/big"), parity["big.state2" + at_step]);
    // Its first moment is rounded as torch does, not as bitsandbytes does: up to one place of the gradients
    // (0.5).
    EXPECT_TRUE(all_close(state.at("optimizer.exp_avg/small"), parity["small.state1" + at_step], 6e-8, 1e-6));
  }
}

TEST(AdamW, EightBitStateTakesTwoBytesAndAFewHundredthsPerParameter) {
  constexpr int64_t kParameters = 1000 * 1000;
  for (const int ranks : {1, 4}) {
    int64_t total = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const auto store = test::make_store({{"p", {1000, 1000}}}, eight_bit_rule(), {rank, ranks});
      total += AdamW(*store, {}).num_bytes();
    }
    EXPECT_GE(total, 2 * kParameters);
    EXPECT_LE(static_cast<double>(total), 2.04 * kParameters) << ranks << " ranks";
  }
}

// What torch.optim.AdamW writes, one element after the other; no compiler may change its rounding here.
void plain_step(const at::Tensor& p, const at::Tensor& g, const at::Tensor& m, const at::Tensor& v,
                int64_t t) {
  const float b2 = 0.999f, rest1 = static_cast<float>(1 - 0.9), rest2 = static_cast<float>(1 - 0.999);
  const float decay = static_cast<float>(1 - 1e-3 * 1e-2);
  const float minus_lr = static_cast<float>(-1e-3 / (1 - std::pow(0.9, double(t))));
  const float correction = static_cast<float>(std::sqrt(1 - std::pow(0.999, double(t))));
  for (int64_t i = 0; i < p.numel(); ++i) {
    const float gi = g.const_data_ptr<float>()[i] * 0.25f;
    float& mi = m.data_ptr<float>()[i];
    float& vi = v.data_ptr<float>()[i];
    float& pi = p.data_ptr<float>()[i];
    mi = std::fma(rest1, gi - mi, mi);
    vi = std::fma(rest2 * gi, gi, vi * b2);
    pi = pi * decay + minus_lr * mi / (std::sqrt(vi) / correction + 1e-8f);
  }
}

TEST(AdamW, EveryInstructionSetGivesTheBitsOfPlainLoops) {
  const auto store = test::make_store({{"p", {37, 41}}});
  const at::Tensor p = value(*store, "p").clone(), m = at::zeros_like(p), v = at::zeros_like(p);
  AdamW adamw(*store, {});

  for (int64_t t = 1; t <= 4; ++t) {
    test::fill_gradients(*store, {"net"}, double(t));
    adamw.step({.lr = 1e-3, .gradient_scale = 0.25});
    plain_step(p, gradient(*store, "p"), m, v, t);
  }

  EXPECT_TRUE(same_bits(value(*store, "p"), p));
}

// Values after three steps, with an EMA, on a number of threads.
at::Tensor trained(int threads, const params::PlacementRule& rule) {
  const int before = at::get_num_threads();
  at::set_num_threads(threads);
  const auto store = test::make_store({{"a", {300, 301}}, {"b", {5}}}, rule);
  Ema ema(*store, {});
  AdamW adamw(*store, {});
  for (int t = 0; t < 3; ++t) {
    test::fill_gradients(*store, {"net"}, t);
    adamw.step({.lr = 1e-2, .ema = &ema, .clear_gradients = true});
  }
  at::set_num_threads(before);
  const EmaScope averages(&ema);
  return at::cat({value(*store, "a").flatten(), value(*store, "b")});
}

TEST(AdamW, GivesTheSameBitsForAnyNumberOfThreads) {
  EXPECT_TRUE(same_bits(trained(1, {}), trained(3, {})));
  EXPECT_TRUE(same_bits(trained(1, eight_bit_rule()), trained(3, eight_bit_rule())));
}

TEST(AdamW, LibtorchsFusedStepGivesTheKernelsNumbers) {
  const internal::Factors f{0.5f,
                            0.999f,
                            0.9f,
                            0.1f,
                            0.999f,
                            0.001f,
                            static_cast<float>(-1e-2 / (1 - std::pow(0.9, 3))),
                            static_cast<float>(std::sqrt(1 - std::pow(0.999, 3))),
                            1e-8f};
  const at::Tensor g = (at::arange(1000, at::kFloat) * 0.37).sin();
  at::Tensor p = at::cos(g * 9), m = g * 0.1, v = g.square() * 0.01;
  const at::Tensor p2 = p.clone(), m2 = m.clone(), v2 = v.clone();

  internal::Tally tally;
  internal::adamw(f, 1000, p.data_ptr<float>(), g.const_data_ptr<float>(), m.data_ptr<float>(),
                  v.data_ptr<float>(), tally);
  at::_fused_adamw_(p2, g.clone(), m2, v2, /*max_exp_avg_sqs=*/{}, /*state_steps=*/at::full({}, 3.0f),
                    /*lr=*/1e-2, 0.9, 0.999, /*weight_decay=*/0.1, 1e-8, /*amsgrad=*/false,
                    /*maximize=*/false, /*grad_scale=*/at::full({}, 2.0f));

  EXPECT_TRUE(all_close(p2, p, 1e-7, 1e-6));
  EXPECT_TRUE(all_close(m2, m, 1e-7, 1e-6));
  EXPECT_TRUE(all_close(v2, v, 1e-9, 1e-6));
}

TEST(AdamW, LeavesUntouchedGroupsAlone) {
  const auto store = test::make_store({{"a", {300}, "ua", "ga"}, {"b", {300}, "ub", "gb"}});
  const at::Tensor b = value(*store, "b").clone();
  AdamW adamw(*store, {});

  test::fill_gradients(*store, {"ga"}, 1);
  adamw.step({.lr = 1e-2, .clear_gradients = true});
  test::fill_gradients(*store, {"ga"}, 2);
  adamw.step({.lr = 1e-2, .clear_gradients = true});

  EXPECT_TRUE(same_bits(value(*store, "b"), b));
  const auto scalars = adamw.scalars();
  ASSERT_EQ(scalars.size(), 2u);
  EXPECT_EQ(scalars[0].name, "optimizer.step/ga");
  EXPECT_EQ(std::get<int64_t>(scalars[0].value), 2);
  EXPECT_EQ(std::get<int64_t>(scalars[1].value), 0);
}

TEST(AdamW, DecaysOnlyDecayGroupZero) {
  const auto store = test::make_store({{"decays", {64}}, {"stays", {64}}}, [](const params::ParamInfo& info) {
    params::Placement place;
    place.decay_group = info.name == "stays" ? 1 : 0;
    return place;
  });
  const at::Tensor before = value(*store, "decays").clone(), stays = value(*store, "stays").clone();
  AdamW adamw(*store, {.weight_decay = 0.5});

  store->touch("net");  // gradients are zero: only the decay moves anything
  adamw.step({.lr = 0.1});

  EXPECT_TRUE(all_close(value(*store, "decays"), before * 0.95, 0, 1e-6));
  EXPECT_TRUE(same_bits(value(*store, "stays"), stays));
}

TEST(AdamW, KeepsThePaddingZero) {
  for (const params::PlacementRule& rule : {params::PlacementRule{}, eight_bit_rule()}) {
    const auto store = test::make_store({{"p", {4999}}}, rule);
    AdamW adamw(*store, {});
    for (int t = 0; t < 3; ++t) {
      test::fill_gradients(*store, {"net"}, t);
      adamw.step({.lr = 1e-2});
    }

    const at::Tensor& flat = store->segments()[0].values_P;
    EXPECT_EQ(flat.narrow(0, 4999, flat.numel() - 4999).abs().max().item<float>(), 0.0f);
  }
}

TEST(AdamW, ClearsGradientsAndFlagsWhereAsked) {
  const auto store = test::make_store({{"p", {300}}});
  AdamW adamw(*store, {});
  test::fill_gradients(*store, {"net"}, 1);

  adamw.step({.lr = 1e-3, .clear_gradients = true});

  EXPECT_EQ(gradient(*store, "p").abs().max().item<float>(), 0.0f);
  EXPECT_FALSE(store->segments()[0].touched);
}

TEST(AdamW, MovesTheEmaAsASeparateUpdateWould) {
  const auto fused_store = test::make_store({{"p", {700}}, {"q", {30}, "u", "other"}});
  const auto plain_store = test::make_store({{"p", {700}}, {"q", {30}, "u", "other"}});
  Ema fused(*fused_store, {}), plain(*plain_store, {});
  AdamW fused_adamw(*fused_store, {}), plain_adamw(*plain_store, {});

  for (int t = 0; t < 3; ++t) {
    test::fill_gradients(*fused_store, {"net"}, t);
    test::fill_gradients(*plain_store, {"net"}, t);
    fused_adamw.step({.lr = 1e-2, .ema = &fused});
    plain_adamw.step({.lr = 1e-2});
    plain.update();
  }

  const EmaScope fused_scope(&fused), plain_scope(&plain);
  EXPECT_TRUE(same_bits(value(*fused_store, "p"), value(*plain_store, "p")));
  EXPECT_TRUE(same_bits(value(*fused_store, "q"), value(*plain_store, "q")));
}

TEST(AdamW, GoesOnFromItsStoredState) {
  const auto rule = eight_bit_rule();
  const auto a = test::make_store({{"p", {80, 80}}, {"q", {9}}}, rule);
  const auto b = test::make_store({{"p", {80, 80}}, {"q", {9}}}, rule);
  AdamW first(*a, {}), second(*b, {});
  test::fill_gradients(*a, {"net"}, 1);
  first.step({.lr = 1e-2});

  auto from = state_of(first);
  for (auto& [name, tensor] : state_of(second)) tensor.copy_(from.at(name));
  ASSERT_TRUE(second.set_scalars(first.scalars()));
  for (const char* name : {"p", "q"}) b->assign(name, value(*a, name));
  for (auto* side : {a.get(), b.get()}) test::fill_gradients(*side, {"net"}, 2);
  first.step({.lr = 1e-2});
  second.step({.lr = 1e-2});

  EXPECT_TRUE(same_bits(value(*a, "p"), value(*b, "p")));
  EXPECT_TRUE(same_bits(value(*a, "q"), value(*b, "q")));
}

TEST(AdamW, RefusesCountersThatAreMissingOrNegative) {
  const auto store = test::make_store({{"p", {9}}});
  AdamW adamw(*store, {});

  EXPECT_EQ(adamw.set_scalars({}).error().code, ErrorCode::Corrupt);
  EXPECT_EQ(adamw.set_scalars({{"optimizer.step/net", int64_t{-1}}}).error().code, ErrorCode::Corrupt);
  EXPECT_TRUE(adamw.set_scalars({{"optimizer.step/net", int64_t{7}}, {"other", 1.5}}));
}

TEST(AdamW, RefusesFp16Parameters) {
  const auto store = test::make_store({{"p", {9}}}, [](const params::ParamInfo&) {
    return params::Placement{at::kHalf, true, 0, 0};
  });

  EXPECT_THROW(AdamW(*store, {}), tensor::ContractError);
}

}  // namespace
}  // namespace zt::optim
