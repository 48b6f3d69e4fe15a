// SPDX-License-Identifier: Apache-2.0
// A rank's flight record on disk: its last exchanges with the other ranks, written when something went wrong
// or was asked for. Format: docs/formats/flight.md. What all ranks' records say together:
// cli/failure/first_missing.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::contract {

enum class ExchangeState { Started, Complete, Failed };
/// "started", "complete", "failed".
std::string_view name(ExchangeState state);

struct FlightExchange {
  std::string group;         ///< of ranks: "world", "copy.0"
  uint64_t sequence = 0;     ///< as its group counts; grows
  std::string operation;     ///< "all_gather"
  std::string label;         ///< "unit.7 gradients"
  int64_t bytes = 0;         ///< of the larger buffer
  uint32_t fingerprint = 0;  ///< equal on ranks that do the same
  ExchangeState state = ExchangeState::Started;
  double started_s = 0;  ///< Unix time
  double ended_s = 0;    ///< 0 until complete or failed
};

struct Flight {
  int64_t generation = 0;
  int64_t rank = 0;
  std::map<std::string, std::vector<int64_t>> groups;  ///< the rank's, with their members
  std::string host;
  int64_t step = 0;                       ///< finished steps
  std::string doing;                      ///< "backward", "exchange unit.7 gradients"
  std::string reason;                     ///< why it was written
  double time_s = 0;                      ///< when: Unix time
  std::vector<FlightExchange> exchanges;  ///< of one group after the other, oldest first
};

/// Replaces the file atomically.
Status write_flight(const std::filesystem::path& path, const Flight& flight);
/// Lines that can't be read are left out. Errors: those of reading; Corrupt without a readable first line,
/// Unsupported if that is of another version.
Result<Flight> read_flight(const std::filesystem::path& path);

}  // namespace zt::contract
