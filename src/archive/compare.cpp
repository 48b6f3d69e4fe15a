// SPDX-License-Identifier: Apache-2.0
// See compare.hpp.
#include "archive/compare.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace zt::archive {
namespace {

using contract::ManifestTensor;
using weights::DType;

/// Wall time: never the same twice.
constexpr const char* kClock = "train.elapsed_s";

template <class T>
double read_as(const std::byte* at) {
  T value{};
  std::memcpy(&value, at, sizeof value);
  return static_cast<double>(value);
}

double read_bf16(const std::byte* at) {
  uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  const uint32_t wide = uint32_t{bits} << 16;
  return read_as<float>(reinterpret_cast<const std::byte*>(&wide));
}

// IEEE 754 binary16: 5 bits of exponent with bias 15, 10 of fraction.
double read_f16(const std::byte* at) {
  uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == 31)
    return fraction ? std::numeric_limits<double>::quiet_NaN()
                    : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

using ReadElement = double (*)(const std::byte*);

ReadElement reader_of(DType dtype) {
  switch (dtype) {
    case DType::F64:
      return read_as<double>;
    case DType::F32:
      return read_as<float>;
    case DType::F16:
      return read_f16;
    case DType::BF16:
      return read_bf16;
    case DType::I64:
      return read_as<int64_t>;
    case DType::I32:
      return read_as<int32_t>;
    case DType::I16:
      return read_as<int16_t>;
    case DType::I8:
      return read_as<int8_t>;
    case DType::U8:
    case DType::Bool:
      return read_as<uint8_t>;
  }
  return read_as<uint8_t>;
}

void add_element(TensorDifference& sum, double a, double b) {
  ++sum.differing;
  double absolute = std::numeric_limits<double>::infinity(), relative = absolute;
  if (std::isfinite(a) && std::isfinite(b)) {
    absolute = std::abs(a - b);
    relative = absolute > 0 ? absolute / std::max(std::abs(a), std::abs(b)) : 0;  // 0 and -0 differ in bits
  }
  sum.largest_absolute = std::max(sum.largest_absolute, absolute);
  sum.largest_relative = std::max(sum.largest_relative, relative);
}

void add_stretch(TensorDifference& sum, DType dtype, const std::byte* a, const std::byte* b,
                 size_t elements) {
  const size_t width = weights::size_bytes(dtype);
  if (std::memcmp(a, b, elements * width) == 0) return;
  const ReadElement read = reader_of(dtype);
  for (size_t i = 0; i < elements; ++i, a += width, b += width) {
    if (std::memcmp(a, b, width) != 0) add_element(sum, read(a), read(b));
  }
}

/// Walks the chunks of both side by side, from border to border.
TensorDifference compare_elements(const StoredCheckpoint& in_a, const ManifestTensor& a,
                                  const StoredCheckpoint& in_b, const ManifestTensor& b, DType dtype) {
  const size_t width = weights::size_bytes(dtype);
  TensorDifference sum{a.name, a.chunks.empty() ? 0 : a.chunks.back().end};
  size_t i = 0, j = 0;
  for (int64_t at = 0; at < sum.elements;) {
    const contract::ManifestChunk &from_a = a.chunks[i], &from_b = b.chunks[j];
    const int64_t end = std::min(from_a.end, from_b.end);
    if (end > at)
      add_stretch(sum, dtype, in_a.bytes(from_a).data() + static_cast<size_t>(at - from_a.begin) * width,
                  in_b.bytes(from_b).data() + static_cast<size_t>(at - from_b.begin) * width,
                  static_cast<size_t>(end - at));
    at = end;
    if (from_a.end == end) ++i;
    if (from_b.end == end) ++j;
  }
  return sum;
}

std::map<std::string, std::string> numbers_of(const contract::Manifest& manifest) {
  std::map<std::string, std::string> numbers = manifest.scalars;
  numbers.erase(kClock);
  numbers.emplace("step", std::to_string(manifest.step));
  return numbers;
}

void compare_scalars(const contract::Manifest& a, const contract::Manifest& b, Difference& out) {
  const auto in_a = numbers_of(a), in_b = numbers_of(b);
  std::set<std::string> names;
  for (const auto* numbers : {&in_a, &in_b}) {
    for (const auto& [name, text] : *numbers) names.insert(name);
  }
  const auto text_of = [](const std::map<std::string, std::string>& numbers, const std::string& name) {
    const auto found = numbers.find(name);
    return found == numbers.end() ? std::string() : found->second;
  };
  out.num_scalars = static_cast<int64_t>(names.size());
  for (const std::string& name : names) {
    NamedDifference one{name, text_of(in_a, name), text_of(in_b, name)};
    if (one.a != one.b) out.scalars.push_back(std::move(one));
  }
}

std::map<std::string, size_t> by_name(const contract::Manifest& manifest) {
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < manifest.tensors.size(); ++i) places.emplace(manifest.tensors[i].name, i);
  return places;
}

std::string kind(const ManifestTensor& tensor) {
  return fmt::format("{} [{}]", tensor.dtype, fmt::join(tensor.shape, ", "));
}

}  // namespace

Difference compare(const StoredCheckpoint& a, const StoredCheckpoint& b) {
  Difference out;
  auto only_in_b = by_name(b.manifest());
  for (const auto& [name, place] : by_name(a.manifest())) {
    const ManifestTensor& in_a = a.manifest().tensors[place];
    const auto found = only_in_b.find(name);
    if (found == only_in_b.end()) {
      out.kinds.push_back({name, kind(in_a), ""});
      continue;
    }
    const ManifestTensor& in_b = b.manifest().tensors[found->second];
    only_in_b.erase(found);
    if (kind(in_a) != kind(in_b)) {
      out.kinds.push_back({name, kind(in_a), kind(in_b)});
      continue;
    }
    ++out.num_tensors;
    TensorDifference one = compare_elements(a, in_a, b, in_b, a.dtype(place));
    if (one.differing > 0) out.tensors.push_back(std::move(one));
  }
  for (const auto& [name, place] : only_in_b)
    out.kinds.push_back({name, "", kind(b.manifest().tensors[place])});
  compare_scalars(a.manifest(), b.manifest(), out);
  return out;
}

}  // namespace zt::archive
