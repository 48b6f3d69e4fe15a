// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share: golden files, entries over owned bytes, and short matchers for
// results.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "weights/tensor_file.hpp"

namespace zt::weights::test {

inline std::filesystem::path golden(std::string_view name) {
  return std::filesystem::path(ZT_SOURCE_DIR) / "src/weights/testdata" / name;
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The little-endian bytes of a number, for files written by hand.
template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// The elements of an entry, read as T.
template <class T>
std::vector<T> elements(const TensorEntry& entry) {
  std::vector<T> out(entry.bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), entry.bytes.data(), out.size() * sizeof(T));
  return out;
}

/// An entry that views `values`.
template <class T>
TensorEntry entry_of(std::string name, DType dtype, std::vector<int64_t> shape,
                     const std::vector<T>& values) {
  return {std::move(name), dtype, std::move(shape), std::as_bytes(std::span(values))};
}

inline std::vector<std::string> names_of(const std::vector<TensorEntry>& entries) {
  std::vector<std::string> out;
  for (const TensorEntry& entry : entries) out.push_back(entry.name);
  return out;
}

template <class T>
testing::AssertionResult is_ok(const Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << name(result.error().code) << ": " << result.error().text();
}

template <class T>
testing::AssertionResult fails_with(const Result<T>& result, ErrorCode code) {
  if (result) return testing::AssertionFailure() << "succeeded, wanted " << name(code);
  if (result.error().code == code) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "wanted " << name(code) << ", got " << name(result.error().code)
                                     << ": " << result.error().text();
}

}  // namespace zt::weights::test
