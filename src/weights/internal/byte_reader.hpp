// SPDX-License-Identifier: Apache-2.0
// Little-endian reads from outside bytes that cannot run past the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace zt::weights::internal {

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The value stored at `offset`; nothing when it does not fit.
template <class T>
std::optional<T> load(std::span<const std::byte> bytes, size_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// A position in bytes that moves forward. Every read gives nothing, and does not move, when too few bytes
/// are left.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  template <class T>
  std::optional<T> read() {
    const auto value = load<T>(bytes_, position_);
    if (value) position_ += sizeof(T);
    return value;
  }
  std::optional<std::span<const std::byte>> take(uint64_t count) {
    if (count > left()) return std::nullopt;
    const auto out = bytes_.subspan(position_, static_cast<size_t>(count));
    position_ += static_cast<size_t>(count);
    return out;
  }
  /// Up to and without the next newline, which is passed too.
  std::optional<std::string_view> line() {
    const std::string_view rest = as_text(bytes_.subspan(position_));
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    position_ += end + 1;
    return rest.substr(0, end);
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

}  // namespace zt::weights::internal
