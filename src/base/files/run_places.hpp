// SPDX-License-Identifier: Apache-2.0
// A run's folder may be moved; the paths in its configuration are those of the place where it was made.
#pragma once

#include <filesystem>

namespace zt {

/// Where a run's folder was made, and where it is.
struct RunPlaces {
  std::filesystem::path made;  ///< empty: not known, nothing follows
  std::filesystem::path now;
};

}  // namespace zt
