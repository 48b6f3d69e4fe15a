// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/files/checked_file.hpp"
#include "base/files/files.hpp"
#include "base/files/temporary.hpp"
#include "base/hash.hpp"
#include "weights/internal/entry_checks.hpp"
#include "weights/safetensors.hpp"

namespace zt::weights {
namespace {

constexpr size_t kAlignment = 64;

// The JSON header, in the order of the data.
std::string header_text(std::span<const TensorEntry* const> ordered,
                        const std::map<std::string, std::string>& metadata) {
  using nlohmann::json;
  std::string text;
  const auto add = [&](const std::string& key, const std::string& value) {
    text += fmt::format("{}{}:{}", text.empty() ? '{' : ',', json(key).dump(), value);
  };
  if (!metadata.empty()) add("__metadata__", json(metadata).dump());
  uint64_t offset = 0;
  for (const TensorEntry* entry : ordered) {
    const uint64_t end = offset + entry->bytes.size();
    add(entry->name, fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                                 name(entry->dtype), fmt::join(entry->shape, ","), offset, end));
    offset = end;
  }
  return text.empty() ? "{}" : text + '}';
}

using Metadata = std::map<std::string, std::string>;
using Sink = std::function<Status(std::span<const std::byte>)>;

/// The bytes of a file, in order, handed to `sink`. Returns their number.
Result<uint64_t> serialize(std::string_view label, std::span<const TensorEntry> entries,
                           const Metadata& metadata, const Sink& sink) {
  ZT_TRY(internal::check_writable(entries, label));
  for (const auto& [key, value] : metadata) {
    ZT_TRY(internal::check_text(key, label));
    ZT_TRY(internal::check_text(value, label));
  }
  std::vector<const TensorEntry*> ordered;
  for (const TensorEntry& entry : entries) ordered.push_back(&entry);
  std::sort(ordered.begin(), ordered.end(), [](const TensorEntry* a, const TensorEntry* b) {
    const size_t size_a = size_bytes(a->dtype), size_b = size_bytes(b->dtype);
    return size_a != size_b ? size_a > size_b : a->name < b->name;
  });

  std::string header = header_text(ordered, metadata);
  uint64_t length = header.size();
  length += (kAlignment - (sizeof length + length) % kAlignment) % kAlignment;
  header.resize(static_cast<size_t>(length), ' ');

  uint64_t size_bytes = 0;
  const auto put = [&](std::span<const std::byte> bytes) {
    size_bytes += bytes.size();
    return sink(bytes);
  };
  ZT_TRY(put(std::as_bytes(std::span(&length, 1))));
  ZT_TRY(put(std::as_bytes(std::span(header))));
  for (const TensorEntry* entry : ordered) ZT_TRY(put(entry->bytes));
  return size_bytes;
}

Result<WrittenFile> write_in_place(const std::filesystem::path& path, std::string_view label,
                                   std::span<const TensorEntry> entries, const Metadata& metadata) {
  ZT_TRY_ASSIGN(files::CheckedFile file, files::CheckedFile::create(path));
  ZT_TRY_ASSIGN(const uint64_t size_bytes,
                serialize(label, entries, metadata,
                          [&](std::span<const std::byte> bytes) { return file.write(bytes); }));
  ZT_TRY_ASSIGN(std::string sum, file.finish());
  return WrittenFile{size_bytes, std::move(sum)};
}

}  // namespace

Result<WrittenFile> write_summed_safetensors(const std::filesystem::path& path,
                                             std::span<const TensorEntry> entries) {
  return write_in_place(path, path.string(), entries, {});
}

Result<WrittenFile> sum_safetensors(std::string_view label, std::span<const TensorEntry> entries) {
  hash::Xxh128 sum;
  ZT_TRY_ASSIGN(const uint64_t size_bytes,
                serialize(label, entries, {}, [&](std::span<const std::byte> bytes) -> Status {
                  sum.update(bytes);
                  return {};
                }));
  return WrittenFile{size_bytes, sum.hex()};
}

Status write_safetensors(const std::filesystem::path& path, std::span<const TensorEntry> entries,
                         const Metadata& metadata) {
  ZT_TRY_ASSIGN(const files::Temporary unfinished, files::Temporary::file(path));
  ZT_TRY(write_in_place(unfinished.path(), path.string(), entries, metadata));
  return files::rename_durable(unfinished.path(), path);
}

}  // namespace zt::weights
