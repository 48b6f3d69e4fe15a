// SPDX-License-Identifier: Apache-2.0
#include "weights/internal/torch_pickle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/text/text.hpp"
#include "weights/internal/byte_reader.hpp"
#include "weights/internal/state_dict.hpp"
#include "weights/internal/zip_archive.hpp"

namespace zt::weights::internal {
namespace {

using Bytes = std::span<const std::byte>;

// The first pickle of a stream: protocol 2, the integer 0x1950A86A20F9469CFC6C, stop.
constexpr std::string_view kStreamMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
constexpr int64_t kStreamProtocol = 1001;

// Non-contiguous tensors are copied; all copies of a file together may take this.
uint64_t copy_limit(Bytes file) { return (uint64_t{64} << 20) + 4 * uint64_t{file.size()}; }

// The archive's one inner folder, from the shallowest */data.pkl.
std::optional<std::string_view> find_root(const ZipArchive& archive) {
  std::optional<std::string_view> best;
  for (const auto& [name, entry] : archive.entries) {
    constexpr std::string_view kPickle = "data.pkl";
    if (!name.ends_with(kPickle)) continue;
    const std::string_view root = name.substr(0, name.size() - kPickle.size());
    if (!root.empty() && !root.ends_with('/')) continue;
    if (!best || root.size() < best->size() || (root.size() == best->size() && root < *best)) best = root;
  }
  return best;
}

Status check_little_endian(const ZipArchive& archive, std::string_view root, std::string_view label) {
  const auto found = archive.entries.find(fmt::format("{}byteorder", root));
  if (found == archive.entries.end() || as_text(found->second.bytes) == "little") return {};
  return fail(
      ErrorCode::Unsupported,
      fmt::format("{} was saved with byte order {}, wanted little. Save it again on a little-endian machine.",
                  label, text::quoted(as_text(found->second.bytes))));
}

Result<StoredStorage> storage_of(const ZipArchive& archive, std::string_view root, const StorageId& id,
                                 std::string_view label) {
  const std::string name_in_zip = fmt::format("{}data/{}", root, id.key);
  const auto found = archive.entries.find(name_in_zip);
  if (found == archive.entries.end()) {
    return fail(ErrorCode::Corrupt, fmt::format("{} lacks the storage {}", label, text::quoted(id.key)));
  }
  const Bytes bytes = found->second.bytes;
  if (static_cast<uint64_t>(id.num_elements) > bytes.size() / size_bytes(id.dtype)) {
    return fail(ErrorCode::Corrupt,
                fmt::format("{}: storage {} has {} bytes, too few for {} elements of {}", label,
                            text::quoted(id.key), bytes.size(), id.num_elements, name(id.dtype)));
  }
  return StoredStorage{name_in_zip, found->second};
}

tl::unexpected<Error> corrupt_stream(std::string_view label, std::string_view what) {
  return fail(ErrorCode::Corrupt,
              fmt::format("{} is not a complete PyTorch file: {}. Fetch it again.", label, what));
}

// Reads the next pickle of a stream and moves past it.
Result<PickleTree> next_pickle(Bytes file, size_t& position, std::string_view label) {
  ZT_TRY_ASSIGN(PickleTree tree, parse_pickle(file.subspan(position), label));
  position += tree.bytes_read;
  return tree;
}

Status check_system_info(const PickleTree& tree, std::string_view label) {
  const PickleNode& root = tree[tree.root];
  if (root.kind != NodeKind::Dict) return corrupt_stream(label, "its system information is not a dictionary");
  for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
    const PickleNode& value = tree[root.items[i + 1]];
    if (tree[root.items[i]].text == "little_endian" && value.kind == NodeKind::Bool && value.integer == 0) {
      return fail(ErrorCode::Unsupported,
                  fmt::format("{} was saved on a big-endian machine. Save it again on another.", label));
    }
  }
  return {};
}

// Every storage that the tree names, by key. A view of another storage (a sixth element that is not None) was
// dropped from PyTorch before 1.0.
Result<std::unordered_map<std::string_view, StorageId>> storages_named(const PickleTree& tree,
                                                                       std::string_view label) {
  std::unordered_map<std::string_view, StorageId> out;
  for (size_t i = 0; i < tree.nodes.size(); ++i) {
    if (tree.nodes[i].kind != NodeKind::Persistent) continue;
    const PickleNode& id = tree[tree.nodes[i].items[0]];
    if (!id.items.empty() && tree[id.items[0]].text != "storage")
      continue;  // ("module", class, source...): not ours
    if (id.items.size() > 5 && tree[id.items[5]].kind != NodeKind::None) {
      return fail(ErrorCode::Unsupported,
                  fmt::format("{} uses storage views, which PyTorch dropped. Save it again.", label));
    }
    ZT_TRY_ASSIGN(const StorageId storage, read_storage_id(tree, static_cast<NodeId>(i), label));
    const auto [place, is_new] = out.try_emplace(storage.key, storage);
    if (!is_new &&
        (place->second.dtype != storage.dtype || place->second.num_elements != storage.num_elements)) {
      return corrupt_stream(label, "one storage has two types or sizes");
    }
  }
  return out;
}

// After the pickles, for each key in the given order: element count (int64), then the elements.
Result<std::unordered_map<std::string_view, Bytes>> read_storages(
    const PickleTree& keys, Bytes data, const std::unordered_map<std::string_view, StorageId>& named,
    std::string_view label) {
  if (keys[keys.root].kind != NodeKind::List)
    return corrupt_stream(label, "its list of storages is not a list");
  std::unordered_map<std::string_view, Bytes> out;
  ByteReader reader(data);
  for (const NodeId key : keys[keys.root].items) {
    const auto id = named.find(keys[key].text);
    if (id == named.end()) return corrupt_stream(label, "it stores an array that no tensor names");
    const auto count = reader.read<int64_t>();
    if (!count || *count != id->second.num_elements)
      return corrupt_stream(label, "a storage has another size than its tensors say");
    uint64_t num_bytes = 0;
    const bool overflows =
        __builtin_mul_overflow(static_cast<uint64_t>(*count), size_bytes(id->second.dtype), &num_bytes);
    const auto bytes = overflows ? std::nullopt : reader.take(num_bytes);
    if (!bytes) return corrupt_stream(label, "it is cut short");
    out[id->first] = *bytes;
  }
  return out;
}

}  // namespace

bool looks_like_torch_stream(Bytes file) {
  return as_text(file.first(std::min(file.size(), kStreamMagic.size()))) == kStreamMagic;
}

Result<TorchTensors> parse_torch_zip(Bytes file, std::string_view label) {
  ZT_TRY_ASSIGN(const ZipArchive archive, ZipArchive::parse(file, label));
  const auto root = find_root(archive);
  if (!root)
    return fail(ErrorCode::Unsupported, fmt::format("{} is a zip archive, but not one of PyTorch's", label));
  const std::string pickle_name = fmt::format("{}data.pkl", *root);
  if (archive.entries.contains(fmt::format("{}constants.pkl", *root))) {
    return fail(ErrorCode::Unsupported, fmt::format("{} is a TorchScript program, not a state dict", label));
  }
  ZT_TRY(check_little_endian(archive, *root, label));
  const ZipEntry& pickle = archive.entries.at(pickle_name);
  ZT_TRY(check_crc(pickle, pickle_name, label));
  ZT_TRY_ASSIGN(const PickleTree tree, parse_pickle(pickle.bytes, label));
  std::map<std::string, StoredStorage, std::less<>> used;
  const auto lookup = [&](const StorageId& id) -> Result<Bytes> {
    ZT_TRY_ASSIGN(StoredStorage storage, storage_of(archive, *root, id, label));
    const Bytes bytes = storage.entry.bytes;
    used.try_emplace(std::string(id.key), std::move(storage));
    return bytes;
  };
  ZT_TRY_ASSIGN(TorchTensors tensors, collect_tensors(tree, lookup, copy_limit(file), label));
  for (auto& [key, storage] : used) tensors.storages.push_back(std::move(storage));
  return tensors;
}

Result<TorchTensors> parse_torch_stream(Bytes file, std::string_view label) {
  size_t position = kStreamMagic.size();
  if (!looks_like_torch_stream(file)) return corrupt_stream(label, "its first bytes are not the format's");
  ZT_TRY_ASSIGN(const PickleTree protocol, next_pickle(file, position, label));
  if (protocol[protocol.root].kind != NodeKind::Int || protocol[protocol.root].integer != kStreamProtocol) {
    return corrupt_stream(label, fmt::format("its protocol is not {}", kStreamProtocol));
  }
  ZT_TRY_ASSIGN(const PickleTree system, next_pickle(file, position, label));
  ZT_TRY(check_system_info(system, label));
  ZT_TRY_ASSIGN(const PickleTree tree, next_pickle(file, position, label));
  ZT_TRY_ASSIGN(const PickleTree keys, next_pickle(file, position, label));
  ZT_TRY_ASSIGN(const auto named, storages_named(tree, label));
  ZT_TRY_ASSIGN(const auto storages, read_storages(keys, file.subspan(position), named, label));
  const auto lookup = [&](const StorageId& id) -> Result<Bytes> {
    const auto found = storages.find(id.key);
    if (found == storages.end()) return corrupt_stream(label, "a tensor's storage is missing");
    return found->second;
  };
  return collect_tensors(tree, lookup, copy_limit(file), label);
}

}  // namespace zt::weights::internal
