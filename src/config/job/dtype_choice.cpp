// SPDX-License-Identifier: Apache-2.0
#include "config/job/dtype_choice.hpp"

#include <fmt/format.h>

namespace zt::config {

GenerationDtypes generation_dtypes(DtypeChoice networks, BankChoice bank, const PrecisionJob& trained,
                                   bool on_cpu) {
  GenerationDtypes out{trained.mixed_precision, trained.bank_dtype};
  if (out.networks == MixedPrecision::Fp16 && on_cpu) out.networks = MixedPrecision::Fp32;
  if (networks == DtypeChoice::Fp32) out.networks = MixedPrecision::Fp32;
  if (networks == DtypeChoice::Bf16) out.networks = MixedPrecision::Bf16;
  if (networks == DtypeChoice::Fp16) out.networks = MixedPrecision::Fp16;
  if (bank == BankChoice::Compute) out.bank = BankDtype::Compute;
  if (bank == BankChoice::Fp16) out.bank = BankDtype::Fp16;
  return out;
}

std::string to_text(const GenerationDtypes& dtypes) {
  return fmt::format("{} networks, {} bank", name(dtypes.networks),
                     dtypes.bank == BankDtype::Fp16 ? "fp16" : name(dtypes.networks));
}

}  // namespace zt::config
