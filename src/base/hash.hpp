// SPDX-License-Identifier: Apache-2.0
// Digests. Checksums of our own files are XXH3-128 (fast, not cryptographic); downloads and content addresses
// that outsiders may forge use SHA-256.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace zt::hash {

/// 64-bit XXH3 of the bytes.
uint64_t xxh64(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t xxh64(std::string_view text, uint64_t seed = 0);

/// Streaming xxh64(): the same digest, in parts.
class Xxh64 {
 public:
  explicit Xxh64(uint64_t seed = 0);
  ~Xxh64();
  Xxh64(Xxh64&&) noexcept;
  void update(std::span<const std::byte> bytes);
  uint64_t digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Streaming XXH3-128; hex() gives 32 lower-case digits.
class Xxh128 {
 public:
  Xxh128();
  ~Xxh128();
  Xxh128(Xxh128&&) noexcept;
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};
std::string xxh128_hex(std::span<const std::byte> bytes);

/// 64 lower-case digits.
std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

}  // namespace zt::hash
