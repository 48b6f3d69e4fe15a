// SPDX-License-Identifier: Apache-2.0
// See autocast.hpp.
#include "tensor/autocast.hpp"

#include <ATen/autocast_mode.h>

namespace zt::tensor {

AutocastState AutocastState::current(c10::DeviceType device) {
  return {at::autocast::is_autocast_enabled(device), at::autocast::get_autocast_dtype(device)};
}

AutocastGuard::AutocastGuard(c10::DeviceType device, AutocastState state)
    : device_(device),
      before_(AutocastState::current(device)),
      cache_before_(at::autocast::is_autocast_cache_enabled()) {
  at::autocast::set_autocast_enabled(device_, state.enabled);
  at::autocast::set_autocast_dtype(device_, state.dtype);
  at::autocast::set_autocast_cache_enabled(false);
  at::autocast::increment_nesting();
}

AutocastGuard::~AutocastGuard() {
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, before_.enabled);
  at::autocast::set_autocast_dtype(device_, before_.dtype);
  at::autocast::set_autocast_cache_enabled(cache_before_);
}

}  // namespace zt::tensor
