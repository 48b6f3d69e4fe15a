// SPDX-License-Identifier: Apache-2.0
// Frames between the rendezvous server and its clients. A frame is a length (u32, little-endian) and that
// many bytes of payload: kind (u8), number (i64), count of strings (u32), and each string as length (u32) and
// bytes. Requests and replies have the same form; what number and strings mean stands beside each kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace zt::rendezvous {

inline constexpr size_t kMaxPayloadBytes = size_t{1} << 20;
inline constexpr size_t kMaxStrings = 4096;
inline constexpr size_t kLengthBytes = sizeof(uint32_t);

enum class RequestKind : uint8_t {
  Hello = 1,          ///< number: generation; strings: kProtocol, token, member ("" = no member)
  Set = 2,            ///< strings: key, value
  Get = 3,            ///< number: longest wait in ms; strings: keys
  Add = 4,            ///< number: what to add; strings: key
  CompareAndSet = 5,  ///< strings: key, expected value ("" = absent), new value
  Erase = 6,          ///< strings: key
  Goodbye = 7,        ///< the member leaves on purpose; the server closes the connection
};
inline constexpr std::string_view kProtocol = "zoetrope-rendezvous-1";

enum class ReplyKind : uint8_t {
  Done = 1,        ///< Hello: number = generation. Get: strings = values. Add: number = sum. CompareAndSet:
                   ///< strings = the value that is there now. Erase: number = 1 if the key was there
  TimedOut = 2,    ///< of Get; strings = the keys that are missing
  Superseded = 3,  ///< number = the generation that took over
  Refused = 4,     ///< wrong token or protocol; the server closes the connection
  Invalid = 5,     ///< strings = what is wrong; after a malformed request the server closes the connection
  Full = 6,        ///< the store holds as much as it may
};

struct Frame {
  uint8_t kind = 0;
  int64_t number = 0;
  std::vector<std::string> strings;
  bool operator==(const Frame&) const = default;
};

/// Length and payload.
std::string encode(const Frame& frame);
/// The payload without its length; none unless it is exactly one frame within the limits.
std::optional<Frame> decode(std::string_view payload);
/// The payload length that a frame starts with. Requires at least kLengthBytes bytes.
size_t payload_bytes(std::string_view start);

}  // namespace zt::rendezvous
