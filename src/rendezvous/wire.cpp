// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/wire.hpp"

#include <bit>
#include <cstring>

namespace zt::rendezvous {
namespace {

static_assert(std::endian::native == std::endian::little, "integers are sent as they lie in memory");

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Takes a T off the front; false if there are not enough bytes.
template <class T>
bool take(std::string_view& rest, T& value) {
  if (rest.size() < sizeof value) return false;
  std::memcpy(&value, rest.data(), sizeof value);
  rest.remove_prefix(sizeof value);
  return true;
}

}  // namespace

std::string encode(const Frame& frame) {
  std::string out(kLengthBytes, '\0');
  put(out, frame.kind);
  put(out, frame.number);
  put(out, static_cast<uint32_t>(frame.strings.size()));
  for (const std::string& text : frame.strings) {
    put(out, static_cast<uint32_t>(text.size()));
    out += text;
  }
  const auto length = static_cast<uint32_t>(out.size() - kLengthBytes);
  std::memcpy(out.data(), &length, sizeof length);
  return out;
}

std::optional<Frame> decode(std::string_view payload) {
  if (payload.size() > kMaxPayloadBytes) return std::nullopt;
  Frame frame;
  uint32_t count = 0;
  if (!take(payload, frame.kind) || !take(payload, frame.number) || !take(payload, count))
    return std::nullopt;
  if (count > kMaxStrings) return std::nullopt;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (!take(payload, length) || length > payload.size()) return std::nullopt;
    frame.strings.emplace_back(payload.substr(0, length));
    payload.remove_prefix(length);
  }
  if (!payload.empty()) return std::nullopt;
  return frame;
}

size_t payload_bytes(std::string_view start) {
  uint32_t length = 0;
  take(start, length);
  return length;
}

}  // namespace zt::rendezvous
