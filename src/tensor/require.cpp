// SPDX-License-Identifier: Apache-2.0
// See require.hpp.
#include "tensor/require.hpp"

namespace zt::tensor {

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  std::ostringstream out;
  out << '(';
  for (int64_t d = 0; d < tensor.dim(); ++d) out << (d ? ", " : "") << tensor.size(d);
  out << ") " << c10::toString(tensor.scalar_type());
  return out.str();
}

namespace internal {

void broken_contract(const char* condition, const char* file, int line, const std::string& message) {
  std::ostringstream out;
  out << message << " (" << condition << " at " << file << ':' << line << ')';
  throw ContractError(out.str());
}

}  // namespace internal
}  // namespace zt::tensor
