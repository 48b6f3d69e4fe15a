// SPDX-License-Identifier: Apache-2.0
// See README.md in this folder's parent.
#pragma once

#include <chrono>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
