// SPDX-License-Identifier: Apache-2.0
// Reads the .golden files of expected values that Python scripts wrote (tests/support/golden.py): a first
// line "ZTGOLD1", a line "NAME DTYPE D0xD1x..." per array, an empty line, then the arrays' little-endian
// bytes in that order.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace zt::test {

class Golden {
 public:
  struct Array {
    std::string dtype;  // u8, i32, i64, f16 (as u16 bits), f32, f64
    std::vector<int64_t> shape;
    std::string bytes;
  };

  explicit Golden(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string line;
    if (!std::getline(file, line) || line != "ZTGOLD1")
      throw std::runtime_error("no golden file: " + path.string());
    std::vector<std::pair<std::string, size_t>> order;
    while (std::getline(file, line) && !line.empty()) {
      std::istringstream words(line);
      std::string name, dtype, dims, dim;
      words >> name >> dtype >> dims;
      Array& array = arrays_[name];
      array.dtype = dtype;
      size_t size = item_bytes(dtype);
      for (std::istringstream parts(dims); std::getline(parts, dim, 'x');) {
        array.shape.push_back(std::stoll(dim));
        size *= static_cast<size_t>(array.shape.back());
      }
      order.emplace_back(name, size);
    }
    for (const auto& [name, size] : order) {
      std::string& bytes = arrays_[name].bytes;
      bytes.resize(size);
      if (!file.read(bytes.data(), static_cast<std::streamsize>(size)))
        throw std::runtime_error("cut short: " + name);
    }
  }

  const Array& array(const std::string& name) const {
    const auto found = arrays_.find(name);
    if (found == arrays_.end()) throw std::runtime_error("no golden array " + name);
    return found->second;
  }
  const std::vector<int64_t>& shape(const std::string& name) const { return array(name).shape; }
  template <class T>
  std::vector<T> values(const std::string& name) const {
    const Array& a = array(name);
    if (sizeof(T) != item_bytes(a.dtype)) throw std::runtime_error("golden array " + name + " is " + a.dtype);
    std::vector<T> out(a.bytes.size() / sizeof(T));
    std::memcpy(out.data(), a.bytes.data(), a.bytes.size());
    return out;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, array] : arrays_) out.push_back(name);
    return out;
  }

 private:
  static size_t item_bytes(const std::string& dtype) {
    return dtype == "u8" ? 1 : dtype == "f16" ? 2 : dtype == "i32" || dtype == "f32" ? 4 : 8;
  }
  std::map<std::string, Array> arrays_;
};

}  // namespace zt::test
