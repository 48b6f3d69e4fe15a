// SPDX-License-Identifier: Apache-2.0
// Which rank keeps the others waiting, or does something else than they do: what the ranks' flight records
// (docs/formats/flight.md) say together. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "contract/words/flight.hpp"

namespace zt::cli {

struct Missing {
  enum class Kind {
    NotEntered,  ///< the others have started the exchange, these ranks have not
    Diverged  ///< these ranks did something else at this place of the schedule; all, if no majority says who
  };
  Kind kind = Kind::NotEntered;
  std::vector<int64_t> ranks;
  contract::FlightExchange exchange;  ///< as the other ranks have it
};

/// By rank; none for a rank that left no record (it was killed, or is stopped). Records of an earlier
/// generation than the newest record's count as none. Groups of ranks are looked at one by one; of several
/// that wait, the one that began to first tells. Nothing if no exchange is missing.
std::optional<Missing> first_missing(std::span<const std::optional<contract::Flight>> by_rank);

/// "rank 1 has not entered reduce_scatter 'unit.7 gradients' (exchange 57)".
std::string text_of(const Missing& missing);

}  // namespace zt::cli
