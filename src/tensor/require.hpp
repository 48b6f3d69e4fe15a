// SPDX-License-Identifier: Apache-2.0
// Checks of tensor code. A call whose shapes can't be right throws ContractError, because libtorch throws
// too; the worker's entry turns it into an Error. Bytes from outside never get here: their readers return
// Result.
#pragma once

#include <ATen/core/Tensor.h>

#include <sstream>
#include <stdexcept>
#include <string>

namespace zt::tensor {

/// A broken call of tensor code: the caller's bug.
class ContractError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// "(2, 4, 16, 16) float32", or "undefined".
std::string describe(const at::Tensor& tensor);

namespace internal {
inline void append(std::ostringstream& out, const at::Tensor& tensor) { out << describe(tensor); }
template <class T>
void append(std::ostringstream& out, const T& part) {
  out << part;
}
/// Throws ContractError with the condition, the place and the parts joined; tensors print as their shape and
/// type.
[[noreturn]] void broken_contract(const char* condition, const char* file, int line,
                                  const std::string& message);
template <class... Parts>
std::string message(const Parts&... parts) {
  std::ostringstream out;
  (append(out, parts), ...);
  return out.str();
}
}  // namespace internal
}  // namespace zt::tensor

/// ZT_REQUIRE(x.dim() == 4, "wanted (B, C, H, W), got ", x);
#define ZT_REQUIRE(condition, ...)                                                           \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      ::zt::tensor::internal::broken_contract(#condition, __FILE__, __LINE__,                \
                                              ::zt::tensor::internal::message(__VA_ARGS__)); \
    }                                                                                        \
  } while (false)
