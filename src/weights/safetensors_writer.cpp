// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/checked_file.hpp"
#include "base/hash.hpp"
#include "weights/internal/entry_checks.hpp"
#include "weights/safetensors.hpp"

namespace zt::weights {
namespace {

constexpr size_t kAlignment = 64;
/// Summed and then written while it is still in the processor's cache.
constexpr size_t kPartBytes = size_t{256} << 10;

// The JSON header, in the order of the data.
std::string header_text(std::span<const TensorEntry* const> ordered,
                        const std::map<std::string, std::string>& metadata) {
  using nlohmann::json;
  fmt::memory_buffer text;
  const auto add = [&](const std::string& key, const std::string& value) {
    fmt::format_to(std::back_inserter(text), "{}{}:{}", text.size() == 0 ? '{' : ',', json(key).dump(),
                   value);
  };
  if (!metadata.empty()) add("__metadata__", json(metadata).dump());
  uint64_t offset = 0;
  for (const TensorEntry* entry : ordered) {
    const uint64_t end = offset + entry->bytes.size();
    add(entry->name, fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                                 name(entry->dtype), fmt::join(entry->shape, ","), offset, end));
    offset = end;
  }
  return text.size() == 0 ? "{}" : to_string(text) + '}';
}

using Metadata = std::map<std::string, std::string>;
using Sink = std::function<Status(std::span<const std::byte>)>;

/// The bytes of a file, in order, handed to `sink`.
Result<WrittenFile> serialize(std::string_view label, std::span<const TensorEntry> entries,
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

  WrittenFile file;
  hash::Xxh128 checksum;
  const auto put = [&](std::span<const std::byte> bytes) -> Status {
    file.size_bytes += bytes.size();
    while (!bytes.empty()) {
      const auto part = bytes.first(std::min(bytes.size(), kPartBytes));
      checksum.update(part);
      ZT_TRY(sink(part));
      bytes = bytes.subspan(part.size());
    }
    return {};
  };
  ZT_TRY(put(std::as_bytes(std::span(&length, 1))));
  ZT_TRY(put(std::as_bytes(std::span(header))));
  for (const TensorEntry* entry : ordered) ZT_TRY(put(entry->bytes));
  file.xxh128 = checksum.hex();
  return file;
}

}  // namespace

Result<WrittenFile> write_summed_safetensors(const std::filesystem::path& path,
                                             std::span<const TensorEntry> entries,
                                             const std::map<std::string, std::string>& metadata) {
  ZT_TRY_ASSIGN(files::CheckedFile file, files::CheckedFile::create(path));
  ZT_TRY_ASSIGN(WrittenFile written,
                serialize(path.string(), entries, metadata,
                          [&](std::span<const std::byte> bytes) { return file.write(bytes); }));
  ZT_TRY(file.commit(written.xxh128));
  return written;
}

Result<WrittenFile> sum_safetensors(std::string_view label, std::span<const TensorEntry> entries) {
  return serialize(label, entries, {}, [](std::span<const std::byte>) -> Status { return {}; });
}

Status write_safetensors(const std::filesystem::path& path, std::span<const TensorEntry> entries,
                         const std::map<std::string, std::string>& metadata) {
  ZT_TRY(write_summed_safetensors(path, entries, metadata));
  return {};
}

}  // namespace zt::weights
