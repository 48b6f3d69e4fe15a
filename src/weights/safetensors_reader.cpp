// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "base/text/text.hpp"
#include "weights/safetensors.hpp"

namespace zt::weights {
namespace {

using Json = nlohmann::json;

// The reference implementation's limit. A header of a million tensors is about 100 MB.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxDims = 64;

struct HeaderEntry {
  std::string name;
  std::optional<DType> dtype;
  std::string unknown_dtype;  ///< set instead of dtype when the name is not in our list
  std::optional<std::vector<int64_t>> shape;
  std::optional<std::vector<uint64_t>> offsets;
};

// Walks the header as a stream of JSON events and accepts exactly
//   { "__metadata__": {string: string}, NAME: {"dtype": string, "shape": [uint...], "data_offsets": [uint,
//   uint]} ... }
// so that nothing is stored that the format does not have, and a doubled key is seen (a JSON tree would keep
// the last).
class HeaderWalker final : public nlohmann::json_sax<Json> {
 public:
  std::vector<HeaderEntry> entries;
  std::map<std::string, std::string> metadata;
  std::string problem;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool number_float(number_float_t, const string_t&) override {
    return refuse("a number that is not an integer");
  }
  bool number_integer(number_integer_t) override { return refuse("a negative number"); }
  bool binary(binary_t&) override { return refuse("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::ShapeList && place_ != Place::OffsetList) return refuse("a number");
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return refuse("a number beyond 63 bits");
    HeaderEntry& entry = entries.back();
    if (place_ == Place::OffsetList) {
      entry.offsets->push_back(value);
      return entry.offsets->size() <= 2 || refuse("more than two data_offsets");
    }
    entry.shape->push_back(static_cast<int64_t>(value));
    return entry.shape->size() <= kMaxDims || refuse(fmt::format("more than {} dimensions", kMaxDims));
  }

  bool string(string_t& value) override {
    if (place_ == Place::MetadataValue) {
      metadata[metadata_key_] = std::move(value);
      place_ = Place::Metadata;
      return true;
    }
    if (place_ != Place::DtypeValue) return refuse("a string");
    entries.back().dtype = parse_dtype(value);
    if (!entries.back().dtype) entries.back().unknown_dtype = std::move(value);
    place_ = Place::Tensor;
    return true;
  }

  bool start_object(size_t) override {
    switch (place_) {
      case Place::Outside:
        place_ = Place::Header;
        return true;
      case Place::MetadataStart:
        place_ = Place::Metadata;
        return true;
      case Place::TensorStart:
        place_ = Place::Tensor;
        return true;
      default:
        return refuse("an object");
    }
  }

  bool key(string_t& value) override {
    switch (place_) {
      case Place::Header:
        return header_key(std::move(value));
      case Place::Tensor:
        return tensor_key(value);
      default:
        break;
    }
    if (metadata.contains(value)) return refuse_text("metadata key " + text::quoted(value) + " occurs twice");
    metadata_key_ = std::move(value);
    place_ = Place::MetadataValue;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::Tensor) {
      const HeaderEntry& e = entries.back();
      const bool has_dtype = e.dtype || !e.unknown_dtype.empty();
      if (!has_dtype || !e.shape || !e.offsets || e.offsets->size() != 2) {
        return refuse_text("tensor " + text::quoted(e.name) + " lacks dtype, shape or two data_offsets");
      }
    }
    place_ = place_ == Place::Header ? Place::Outside : Place::Header;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ == Place::ShapeValue) {
      entries.back().shape.emplace();
      place_ = Place::ShapeList;
    } else if (place_ == Place::OffsetValue) {
      entries.back().offsets.emplace();
      place_ = Place::OffsetList;
    } else {
      return refuse("a list");
    }
    return true;
  }

  bool end_array() override {
    place_ = Place::Tensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    if (problem.empty()) problem = fmt::format("no valid JSON (or no valid UTF-8) at byte {}", 8 + position);
    return false;
  }

 private:
  enum class Place {
    Outside,
    Header,
    MetadataStart,
    Metadata,
    MetadataValue,
    TensorStart,
    Tensor,
    DtypeValue,
    ShapeValue,
    ShapeList,
    OffsetValue,
    OffsetList,
  };

  bool header_key(std::string name) {
    if (!seen_.insert(name).second) return refuse_text("tensor " + text::quoted(name) + " occurs twice");
    if (name == "__metadata__") {
      place_ = Place::MetadataStart;
      return true;
    }
    entries.emplace_back().name = std::move(name);
    place_ = Place::TensorStart;
    return true;
  }

  bool tensor_key(std::string_view key) {
    const HeaderEntry& e = entries.back();
    if (key == "dtype" && !e.dtype && e.unknown_dtype.empty()) {
      place_ = Place::DtypeValue;
    } else if (key == "shape" && !e.shape) {
      place_ = Place::ShapeValue;
    } else if (key == "data_offsets" && !e.offsets) {
      place_ = Place::OffsetValue;
    } else {
      return refuse_text(fmt::format("tensor {} has a doubled or unknown field {}", text::quoted(e.name),
                                     text::quoted(key)));
    }
    return true;
  }

  bool refuse(std::string_view what) {
    return refuse_text(
        fmt::format("{} where the format has none{}", what,
                    entries.empty() ? "" : ", at or after tensor " + text::quoted(entries.back().name)));
  }
  bool refuse_text(std::string text) {
    problem = std::move(text);
    return false;
  }

  Place place_ = Place::Outside;
  std::string metadata_key_;
  std::unordered_set<std::string> seen_;
};

tl::unexpected<Error> corrupt(std::string_view label, std::string_view what) {
  return fail(ErrorCode::Corrupt,
              fmt::format("{} is not a valid safetensors file: {}. Fetch or write it again.", label, what));
}

// Checks the entry against its byte range, whose order and bounds are known good, and makes the view.
Result<TensorEntry> make_entry(HeaderEntry& h, std::span<const std::byte> data, std::string_view label) {
  if (!h.dtype) {
    return fail(ErrorCode::Unsupported,
                fmt::format("{}: tensor {} has the element type {}, which is not read. Convert it to "
                            "F32, F16 or BF16.",
                            label, text::quoted(h.name), text::quoted(h.unknown_dtype)));
  }
  const uint64_t begin = (*h.offsets)[0], end = (*h.offsets)[1];
  const auto wanted = byte_count(*h.dtype, *h.shape);
  if (!wanted || *wanted != end - begin) {
    return corrupt(label, fmt::format("tensor {} ({} [{}]) does not fill its {} bytes", text::quoted(h.name),
                                      name(*h.dtype), fmt::join(*h.shape, ", "), end - begin));
  }
  return TensorEntry{std::move(h.name), *h.dtype, std::move(*h.shape),
                     data.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin))};
}

}  // namespace

Result<Safetensors> parse_safetensors(std::span<const std::byte> file, std::string_view label) {
  uint64_t header_bytes = 0;
  if (file.size() < sizeof header_bytes)
    return corrupt(label, fmt::format("{} bytes are too few for a header", file.size()));
  std::memcpy(&header_bytes, file.data(), sizeof header_bytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > file.size() - sizeof header_bytes) {
    return corrupt(label, fmt::format("its header length {} does not fit the file of {} bytes", header_bytes,
                                      file.size()));
  }
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + sizeof header_bytes,
                                static_cast<size_t>(header_bytes));
  if (!header.starts_with('{')) return corrupt(label, "its header does not begin with '{'");
  // The JSON parser takes a zero byte for the end of its input.
  if (header.find('\0') != std::string_view::npos) return corrupt(label, "its header holds a zero byte");
  HeaderWalker walker;
  if (!Json::sax_parse(header, &walker)) return corrupt(label, walker.problem);

  const auto data = file.subspan(sizeof header_bytes + static_cast<size_t>(header_bytes));
  auto& entries = walker.entries;
  std::stable_sort(entries.begin(), entries.end(),
                   [](const HeaderEntry& a, const HeaderEntry& b) { return *a.offsets < *b.offsets; });
  Safetensors out;
  out.metadata = std::move(walker.metadata);
  out.entries.reserve(entries.size());
  uint64_t position = 0;
  for (HeaderEntry& h : entries) {
    const uint64_t begin = (*h.offsets)[0], end = (*h.offsets)[1];
    if (begin != position || end < begin || end > data.size()) {
      return corrupt(
          label, fmt::format("tensor {} lies at [{}, {}), wanted a range that begins at {} within {} bytes",
                             text::quoted(h.name), begin, end, position, data.size()));
    }
    position = end;
    ZT_TRY_ASSIGN(TensorEntry entry, make_entry(h, data, label));
    out.entries.push_back(std::move(entry));
  }
  if (position != data.size()) {
    return corrupt(label, fmt::format("{} bytes follow the last tensor", data.size() - position));
  }
  return out;
}

}  // namespace zt::weights
