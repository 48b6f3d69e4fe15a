// SPDX-License-Identifier: Apache-2.0
// Numbers that networks generate in: those of their training, unless told otherwise.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "config/enum_names.hpp"
#include "config/job/optim_job.hpp"

namespace zt::config {

/// Of the networks. AsTrained: the run's precision.mixed_precision; fp32 for weights that are no run's.
enum class DtypeChoice { AsTrained, Fp32, Bf16, Fp16 };
template <>
struct EnumNames<DtypeChoice> {
  static constexpr std::array<std::string_view, 4> values = {"as_trained", "fp32", "bf16", "fp16"};
};

/// Of the reference bank. AsTrained: the run's precision.bank_dtype; compute for weights that are no run's.
enum class BankChoice { AsTrained, Compute, Fp16 };
template <>
struct EnumNames<BankChoice> {
  static constexpr std::array<std::string_view, 3> values = {"as_trained", "compute", "fp16"};
};

struct GenerationDtypes {
  MixedPrecision networks = MixedPrecision::Fp32;
  BankDtype bank = BankDtype::Compute;
};

/// `trained`: of the run; the defaults for weights that are no run's. A run of a GPU may have trained in
/// fp16, which networks on the CPU (`on_cpu`) cannot generate in: as trained is then fp32. What was asked for
/// by name stays.
GenerationDtypes generation_dtypes(DtypeChoice networks, BankChoice bank, const PrecisionJob& trained,
                                   bool on_cpu);

/// "bf16 networks, fp16 bank"
std::string to_text(const GenerationDtypes& dtypes);

}  // namespace zt::config
