// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace zt::config {

/// docs/deepspeed.md: every key of DeepSpeed and accelerate, and what becomes of it.
std::string foreign_page();

}  // namespace zt::config
