// SPDX-License-Identifier: Apache-2.0
// Progress words as one line for a person.
#pragma once

#include <string>

#include "contract/words/progress.hpp"

namespace zt::cli {

/// "training [####....] 120/400  loss 0.1234  15.2/s  3 min 10 s left". Parts that are not known are left
/// out; the bar takes what `width` columns leave for it and is left out below 10.
std::string progress_text(const contract::Progress& progress, int width);

}  // namespace zt::cli
