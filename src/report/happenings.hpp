// SPDX-License-Identifier: Apache-2.0
// What happened in a run, in words.
#pragma once

#include <string>

#include "contract/events.hpp"

namespace zt::report {

/// "checkpoint step-00000400 saved, 179 MiB"; empty for what is no news to a reader (a checkpoint that its
/// successors replaced, a picture that the page shows).
std::string in_words(const contract::Event& event);

}  // namespace zt::report
