// SPDX-License-Identifier: Apache-2.0
#include "weights/tensor_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/files/files.hpp"
#include "base/parallel.hpp"
#include "base/process/resources.hpp"
#include "base/text/text.hpp"
#include "weights/internal/model_layout.hpp"
#include "weights/internal/torch_pickle.hpp"
#include "weights/internal/zip_archive.hpp"
#include "weights/safetensors.hpp"

namespace zt::weights {

namespace fs = std::filesystem;

struct TensorFile::State {
  std::vector<TensorEntry> entries;
  std::unordered_map<std::string_view, size_t> by_name;  // keys view `entries`
  std::map<std::string, std::string> metadata;
  std::vector<std::string> skipped;
  std::vector<fs::path> files;
  std::string label;
  std::vector<internal::StoredStorage> storages;
  // What the entries' bytes lie in.
  std::vector<std::shared_ptr<const files::Mapping>> mappings;
  std::vector<std::unique_ptr<std::byte[]>> copies;
  std::vector<TensorFile> shards;
};

namespace {

Result<TensorFile> finish(std::shared_ptr<TensorFile::State> state, std::string_view label) {
  for (size_t i = 0; i < state->entries.size(); ++i) {
    if (!state->by_name.emplace(state->entries[i].name, i).second) {
      return fail(ErrorCode::Corrupt,
                  fmt::format("{} holds tensor {} twice", label, text::quoted(state->entries[i].name)));
    }
  }
  return TensorFile(std::move(state));
}

Status read_tensors(std::span<const std::byte> bytes, std::string_view label, TensorFile::State& state) {
  state.label = label;
  if (bytes.empty())
    return fail(ErrorCode::Corrupt, fmt::format("{} is an empty file: fetch or write it again", label));
  const bool is_zip = internal::ZipArchive::looks_like(bytes);
  if (is_zip || internal::looks_like_torch_stream(bytes)) {
    ZT_TRY_ASSIGN(internal::TorchTensors torch, is_zip ? internal::parse_torch_zip(bytes, label)
                                                       : internal::parse_torch_stream(bytes, label));
    state.entries = std::move(torch.entries);
    state.skipped = std::move(torch.skipped);
    state.copies = std::move(torch.copies);
    state.storages = std::move(torch.storages);
    return {};
  }
  // A bare pickle (a protocol byte, no storages) can't be told from a header length by luck: the '{' decides.
  if (bytes.size() >= 2 && bytes[0] == std::byte{0x80} && (bytes.size() < 9 || bytes[8] != std::byte{'{'})) {
    return fail(
        ErrorCode::Unsupported,
        fmt::format(
            "{} is a Python pickle, but not one of torch.save's. Save the state dict with torch.save.",
            label));
  }
  ZT_TRY_ASSIGN(Safetensors parsed, parse_safetensors(bytes, label));
  state.entries = std::move(parsed.entries);
  state.metadata = std::move(parsed.metadata);
  return {};
}

Result<TensorFile> open_single(const fs::path& path) {
  ZT_TRY_ASSIGN(auto mapping, files::Mapping::open(path));
  auto state = std::make_shared<TensorFile::State>();
  ZT_TRY(read_tensors(mapping->bytes(), path.string(), *state));
  state->mappings.push_back(std::move(mapping));
  state->files.push_back(path);
  return finish(std::move(state), path.string());
}

Result<TensorFile> open_sharded(const fs::path& index_path) {
  ZT_TRY_ASSIGN(const internal::ShardIndex index, internal::read_shard_index(index_path));
  auto state = std::make_shared<TensorFile::State>();
  for (const auto& [shard_name, tensor_names] : index) {
    const fs::path shard_path = index_path.parent_path() / shard_name;
    auto shard = open_single(shard_path);
    if (!shard) return fail(std::move(shard).error().with("as a part of " + index_path.string()));
    for (const std::string& name : tensor_names) {
      const TensorEntry* entry = shard->find(name);
      if (!entry) {
        return fail(ErrorCode::Corrupt,
                    fmt::format("{} says that {} holds tensor {}, which it does not. Fetch both again.",
                                index_path.string(), shard_name, text::quoted(name)));
      }
      state->entries.push_back(*entry);
    }
    state->skipped.insert(state->skipped.end(), shard->skipped().begin(), shard->skipped().end());
    state->files.push_back(shard_path);
    state->shards.push_back(std::move(*shard));
  }
  return finish(std::move(state), index_path.string());
}

}  // namespace

Result<TensorFile> TensorFile::open(const fs::path& path) {
  std::error_code ec;
  fs::path file = path;
  if (fs::is_directory(path, ec)) {
    ZT_TRY_ASSIGN(file, internal::find_weights_file(path));
  }
  return file.string().ends_with(".json") ? open_sharded(file) : open_single(file);
}

Result<TensorFile> TensorFile::parse(std::span<const std::byte> bytes, std::string_view label) {
  auto state = std::make_shared<State>();
  ZT_TRY(read_tensors(bytes, label, *state));
  return finish(std::move(state), label);
}

const std::vector<TensorEntry>& TensorFile::entries() const { return state_->entries; }

const TensorEntry* TensorFile::find(std::string_view name) const {
  const auto found = state_->by_name.find(name);
  return found == state_->by_name.end() ? nullptr : &state_->entries[found->second];
}

const std::map<std::string, std::string>& TensorFile::metadata() const { return state_->metadata; }
const std::vector<std::string>& TensorFile::skipped() const { return state_->skipped; }
Status TensorFile::check_sums() const {
  for (const TensorFile& shard : state_->shards) ZT_TRY(shard.check_sums());
  const auto& storages = state_->storages;
  std::vector<Status> found(storages.size());
  parallel_for(storages.size(), resources::cores(), [&](size_t i) {
    found[i] = internal::check_crc(storages[i].entry, storages[i].name, state_->label);
  });
  for (Status& status : found) ZT_TRY(std::move(status));
  return {};
}

const std::vector<fs::path>& TensorFile::files() const { return state_->files; }

}  // namespace zt::weights
