// SPDX-License-Identifier: Apache-2.0
// See stored_checkpoint.hpp.
#include "archive/stored_checkpoint.hpp"

#include <fmt/format.h>

#include <utility>

namespace zt::archive {

namespace fs = std::filesystem;

Result<StoredCheckpoint> StoredCheckpoint::open(const fs::path& folder, contract::FileShare verified) {
  StoredCheckpoint stored;
  stored.folder_ = folder;
  ZT_TRY_ASSIGN(stored.manifest_, contract::verify_checkpoint(folder, verified));
  for (const contract::ManifestFile& file : stored.manifest_.files) {
    ZT_TRY_ASSIGN(weights::TensorFile opened, weights::TensorFile::open(folder / file.name));
    stored.files_.push_back(std::move(opened));
  }
  for (const contract::ManifestTensor& tensor : stored.manifest_.tensors) {
    const auto dtype = weights::parse_dtype(tensor.dtype);
    if (!dtype)
      return fail(ErrorCode::Unsupported,
                  fmt::format("{} has the unknown type {}", tensor.name, tensor.dtype));
    ZT_TRY(stored.check_chunks(tensor, *dtype));
    stored.dtypes_.push_back(*dtype);
  }
  return stored;
}

Status StoredCheckpoint::check_chunks(const contract::ManifestTensor& tensor, weights::DType dtype) const {
  for (const contract::ManifestChunk& chunk : tensor.chunks) {
    const weights::TensorEntry* entry = files_[chunk.file].find(chunk.key);
    const uint64_t held =
        entry && entry->dtype == dtype ? entry->bytes.size() / weights::size_bytes(dtype) : 0;
    if (!entry || held != static_cast<uint64_t>(chunk.end - chunk.begin))
      return fail(ErrorCode::Corrupt,
                  fmt::format("elements {} to {} of {} are not in {} as the manifest says", chunk.begin,
                              chunk.end, tensor.name, (folder_ / manifest_.files[chunk.file].name).string()));
  }
  return {};
}

std::span<const std::byte> StoredCheckpoint::bytes(const contract::ManifestChunk& chunk) const {
  return files_[chunk.file].find(chunk.key)->bytes;
}

}  // namespace zt::archive
