// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "weights/internal/entry_checks.hpp"
#include "weights/safetensors.hpp"

namespace zt::weights {
namespace {

constexpr size_t kAlignment = 64;

// The JSON header. ordered_json keeps the order of insertion, which is the order of the data.
std::string header_text(std::span<const TensorEntry* const> ordered,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const TensorEntry* entry : ordered) {
    const uint64_t end = offset + entry->bytes.size();
    header[entry->name] = {
        {"dtype", name(entry->dtype)}, {"shape", entry->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  return header.dump();
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
  const auto put = [&](std::span<const std::byte> bytes) {
    checksum.update(bytes);
    file.size_bytes += bytes.size();
    return sink(bytes);
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
  ZT_TRY_ASSIGN(files::AtomicFile file, files::AtomicFile::create(path));
  ZT_TRY_ASSIGN(WrittenFile written,
                serialize(path.string(), entries, metadata,
                          [&](std::span<const std::byte> bytes) { return file.write(bytes); }));
  ZT_TRY(file.commit());
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
