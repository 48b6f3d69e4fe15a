// SPDX-License-Identifier: Apache-2.0
// What work took where it was done. A GPU is told faster than it works, so the host's clock would give the
// time of telling.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include <chrono>
#include <optional>

namespace zt::tensor {

class DeviceClock {
 public:
  /// A moment in the work that this thread asked of the device.
  struct Mark {
    std::chrono::steady_clock::time_point host;
    std::optional<c10::Event> event;  ///< of a GPU
  };

  explicit DeviceClock(at::Device device) : device_(device) {}

  Mark mark() const;
  /// From one mark to a later one. On a GPU both must have been reached: wait for work asked for after them.
  static double seconds(const Mark& from, const Mark& to);

 private:
  at::Device device_;
};

}  // namespace zt::tensor
