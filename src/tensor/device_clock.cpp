// SPDX-License-Identifier: Apache-2.0
// See device_clock.hpp.
#include "tensor/device_clock.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace zt::tensor {

DeviceClock::Mark DeviceClock::mark() const {
  Mark mark{std::chrono::steady_clock::now(), std::nullopt};
  if (device_.is_cpu()) return mark;
  mark.event.emplace(device_.type(), c10::EventFlag::BACKEND_DEFAULT);  // the flag that keeps times
  mark.event->record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  return mark;
}

double DeviceClock::seconds(const Mark& from, const Mark& to) {
  constexpr double kMilli = 1e-3;
  if (from.event && to.event) return kMilli * from.event->elapsedTime(*to.event);
  return std::chrono::duration<double>(to.host - from.host).count();
}

}  // namespace zt::tensor
