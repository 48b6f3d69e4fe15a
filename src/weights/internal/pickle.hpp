// SPDX-License-Identifier: Apache-2.0
// A reader of Python pickles that executes nothing. The machine has no callables at all: what a pickle would
// import becomes a Global node (two names), what it would call a Call node (callee and arguments), and the
// result is an inert tree. What the calls mean is decided by the caller (torch_pickle.hpp), from a fixed
// list.
//
// Binary opcodes of protocols 2 to 5; the text opcodes of protocol 0 are refused by name, except GLOBAL,
// which protocol 2 still uses. All limits are counted, so memory is bounded by kMaxNodes and kMaxItems
// whatever the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::weights::internal {

using NodeId = uint32_t;

enum class NodeKind : uint8_t {
  None,
  Bool,        ///< integer: 0 or 1
  Int,         ///< integer
  Number,      ///< a float or an int beyond 64 bits: nothing we read needs its value
  Text,        ///< text
  Bytes,       ///< text
  Tuple,       ///< items
  List,        ///< items
  Set,         ///< items
  Dict,        ///< items: key, value, key, value...; a later equal key wins
  Global,      ///< items: module (Text), name (Text)
  Call,        ///< items: callee, arguments (Tuple), then what SETITEMS put in as key, value...
  Persistent,  ///< items: the persistent id
};

struct PickleNode {
  NodeKind kind = NodeKind::None;
  int64_t integer = 0;
  std::string_view text;  ///< views the pickle's bytes
  std::vector<NodeId> items;
};

struct PickleTree {
  std::vector<PickleNode> nodes;  ///< may hold cycles: walk with a limit
  NodeId root = 0;
  size_t bytes_read = 0;  ///< up to and with STOP

  const PickleNode& operator[](NodeId id) const { return nodes[id]; }
  /// "module.name" of a Global node, of a Call's callee, or ""; escaped for messages.
  std::string global_name(NodeId id) const;
};

inline constexpr size_t kMaxPickleBytes = size_t{64} << 20;
inline constexpr size_t kMaxNodes = 2'000'000;
inline constexpr size_t kMaxItems = 8'000'000;

/// Reads one pickle from the start of `bytes`, which must outlive the tree. Errors: Corrupt (cut short,
/// unknown opcode, stack used wrongly), Unsupported (protocol 0 or extension opcodes), Exhausted (a limit
/// above).
Result<PickleTree> parse_pickle(std::span<const std::byte> bytes, std::string_view label);

}  // namespace zt::weights::internal
