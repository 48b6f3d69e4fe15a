// SPDX-License-Identifier: Apache-2.0
#include "config/job/dtype_choice.hpp"

#include <gtest/gtest.h>

namespace zt::config {
namespace {

std::string chosen(DtypeChoice networks, BankChoice bank, const PrecisionJob& trained, bool on_cpu) {
  return to_text(generation_dtypes(networks, bank, trained, on_cpu));
}

TEST(GenerationDtypes, AreThoseOfTrainingUnlessNamed) {
  const PrecisionJob bf16{.mixed_precision = MixedPrecision::Bf16};
  const PrecisionJob fp16_bank{.bank_dtype = BankDtype::Fp16};
  EXPECT_EQ(chosen(DtypeChoice::AsTrained, BankChoice::AsTrained, bf16, true), "bf16 networks, bf16 bank");
  EXPECT_EQ(chosen(DtypeChoice::AsTrained, BankChoice::AsTrained, fp16_bank, true),
            "fp32 networks, fp16 bank");
  EXPECT_EQ(chosen(DtypeChoice::Fp32, BankChoice::Fp16, bf16, true), "fp32 networks, fp16 bank");
  EXPECT_EQ(chosen(DtypeChoice::Bf16, BankChoice::Compute, fp16_bank, true), "bf16 networks, bf16 bank");
}

TEST(GenerationDtypes, OfAFp16RunAreFp32OnTheCpu) {
  const PrecisionJob fp16{.mixed_precision = MixedPrecision::Fp16};
  EXPECT_EQ(chosen(DtypeChoice::AsTrained, BankChoice::AsTrained, fp16, true), "fp32 networks, fp32 bank");
  EXPECT_EQ(chosen(DtypeChoice::AsTrained, BankChoice::AsTrained, fp16, false), "fp16 networks, fp16 bank");
}

}  // namespace
}  // namespace zt::config
