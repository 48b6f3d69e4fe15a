// SPDX-License-Identifier: Apache-2.0
// The checkpoint manifest: what a checkpoint folder holds, written last, and the only thing that makes it
// valid. Format: docs/formats/checkpoint.md. All programs read it; only the checkpoint folder's writer
// (checkpoint/) makes one.
//
//   step-00001200/rank-00000.safetensors ...   data, one file per rank
//   step-00001200/manifest.json                written last, after every data file is synced
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::contract {

/// The file of the tensors that a run leaves as they are, which its checkpoints share; each rank that gives
/// some has its own.
std::string frozen_file(int rank);
bool is_frozen_file(std::string_view name);

/// One data file of a checkpoint.
struct ManifestFile {
  std::string name;  ///< relative to the checkpoint folder, no separators
  uint64_t size_bytes = 0;
  std::string xxh128;  ///< of the whole file
};

/// Elements [begin, end) of a tensor in logical (row-major) order, stored in `file` under the key `key`.
struct ManifestChunk {
  uint32_t file = 0;  ///< index into Manifest::files
  std::string key;
  int64_t begin = 0;
  int64_t end = 0;
};

struct ManifestTensor {
  std::string name;   ///< e.g. "param/denoising_unet.conv_in.weight", "optimizer.exp_avg/..."
  std::string dtype;  ///< safetensors spelling: F32, BF16, U8...
  std::vector<int64_t> shape;
  std::vector<ManifestChunk> chunks;  ///< sorted by begin, covering [0, elements) without overlap
};

/// What one rank wrote: its files, and where which elements of which tensors are in them.
struct ManifestPart {
  std::vector<ManifestFile> files;
  std::vector<ManifestTensor> tensors;  ///< chunks of this rank only
};

/// The metric of a checkpoint whose weights were validated.
inline constexpr const char* kValidationLoss = "val_loss";
/// The metric of a checkpoint that was made because a pass over the clips ended: how many had.
inline constexpr const char* kEpoch = "epoch";

struct Manifest {
  static constexpr int kVersion = 1;
  int64_t version = kVersion;
  int64_t step = 0;
  int64_t generation = 0;  ///< the attempt that wrote it
  std::string run_id;
  std::string config_digest;
  std::string written_at;  ///< UTC, ISO 8601
  int world_size = 1;
  std::map<std::string, std::string> scalars;  ///< counters and states that are not tensors, by name
  std::map<std::string, double> metrics;       ///< kValidationLoss, kEpoch; each only where it is known
  std::vector<ManifestFile> files;
  std::vector<ManifestTensor> tensors;
};

std::string to_json(const Manifest& manifest);
/// As manifests were before they ended with the sum of their own text; those are read too.
std::string unsummed_json(const Manifest& manifest);
std::string to_json(const ManifestPart& part);
/// Errors: Corrupt.
Result<ManifestPart> parse_manifest_part(std::string_view json);
/// Adds a rank's part. Once all are added the manifest is complete; parse_manifest() checks that.
void add_part(Manifest& manifest, const ManifestPart& part);
/// Refuses anything but a complete manifest: text that is not what its sum is of; values of another kind,
/// negative or too large numbers, file names with separators, tensors listed twice, chunks that leave gaps,
/// overlap or exceed the shape, scalars that check_scalars() refuses (Corrupt, naming the key); another
/// version (Unsupported).
Result<Manifest> parse_manifest(std::string_view json);
/// Reads `folder`/manifest.json. Does not look at the data files.
Result<Manifest> read_manifest(const std::filesystem::path& folder);

/// Compares a data file's size and checksum with what the manifest says. Errors: Corrupt naming the file and
/// what differs, NotFound for a missing one.
Status verify_file(const std::filesystem::path& folder, const ManifestFile& file);
/// Every `stride`th of a manifest's files: what one of so many readers verifies for all.
struct FileShare {
  size_t first = 0;
  size_t stride = 1;
  bool only_frozen = false;  ///< of those that hold what the run leaves as it is, for who reads nothing else
};
/// Reads the manifest, and verifies every file of the share before it returns it.
Result<Manifest> verify_checkpoint(const std::filesystem::path& folder, FileShare share = {});

}  // namespace zt::contract
