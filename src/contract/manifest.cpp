// SPDX-License-Identifier: Apache-2.0
#include "contract/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "base/hash.hpp"

namespace zt::contract {
namespace {

using nlohmann::json;
constexpr uint64_t kMaxManifestBytes = uint64_t{256} << 20;
constexpr std::string_view kPrefix = "step-";

json chunk_json(const ManifestChunk& c) {
  return json{{"file", c.file}, {"key", c.key}, {"begin", c.begin}, {"end", c.end}};
}

json tensor_json(const ManifestTensor& t) {
  json chunks = json::array();
  for (const auto& c : t.chunks) chunks.push_back(chunk_json(c));
  return json{{"name", t.name}, {"dtype", t.dtype}, {"shape", t.shape}, {"chunks", std::move(chunks)}};
}

json files_json(const std::vector<ManifestFile>& files) {
  json out = json::array();
  for (const auto& f : files)
    out.push_back({{"name", f.name}, {"size_bytes", f.size_bytes}, {"xxh128", f.xxh128}});
  return out;
}

json tensors_json(const std::vector<ManifestTensor>& tensors) {
  json out = json::array();
  for (const auto& t : tensors) out.push_back(tensor_json(t));
  return out;
}

// Elements of a shape, or -1 when a size is negative or the product overflows.
int64_t count_elements(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(count, size, &count)) return -1;
  }
  return count;
}

bool is_plain_file_name(const std::string& s) {
  return !s.empty() && s != "." && s != ".." && s.find('/') == std::string::npos &&
         s.find('\0') == std::string::npos;
}

Status check_tensor(const ManifestTensor& t, size_t num_files) {
  const int64_t elements = count_elements(t.shape);
  int64_t covered = 0;
  for (const auto& c : t.chunks) {
    if (c.file >= num_files) {
      return fail(ErrorCode::Corrupt,
                  fmt::format("tensor {} names file {} of {}", t.name, c.file, num_files));
    }
    if (c.begin != covered || c.end < c.begin) {
      return fail(ErrorCode::Corrupt,
                  fmt::format("tensor {} has a gap or overlap at element {}", t.name, covered));
    }
    covered = c.end;
  }
  if (elements < 0 || covered != elements) {
    return fail(ErrorCode::Corrupt,
                fmt::format("tensor {} holds {} of {} elements", t.name, covered, elements));
  }
  return {};
}

Status check(const Manifest& m) {
  if (m.version != Manifest::kVersion) {
    return fail(ErrorCode::Unsupported,
                fmt::format("the manifest has version {}, this program reads version {}", m.version,
                            Manifest::kVersion));
  }
  for (const auto& f : m.files) {
    if (!is_plain_file_name(f.name))
      return fail(ErrorCode::Corrupt, fmt::format("bad file name '{}'", f.name));
  }
  for (const auto& t : m.tensors) ZT_TRY(check_tensor(t, m.files.size()));
  return {};
}

ManifestTensor parse_tensor(const json& j) {
  ManifestTensor t{j.at("name"), j.at("dtype"), j.at("shape").get<std::vector<int64_t>>(), {}};
  for (const auto& c : j.at("chunks")) {
    t.chunks.push_back({c.at("file").get<uint32_t>(), c.at("key"), c.at("begin"), c.at("end")});
  }
  return t;
}

void parse_lists(const json& j, std::vector<ManifestFile>& files, std::vector<ManifestTensor>& tensors) {
  for (const auto& f : j.at("files")) files.push_back({f.at("name"), f.at("size_bytes"), f.at("xxh128")});
  for (const auto& t : j.at("tensors")) tensors.push_back(parse_tensor(t));
}

// JSON has no NaN and no infinity: null stands for a number that is not finite.
double parse_metric(const json& j) {
  return j.is_null() ? std::numeric_limits<double>::quiet_NaN() : j.get<double>();
}

Manifest parse_fields(const json& j) {
  Manifest m;
  m.version = j.at("version");
  if (m.version != Manifest::kVersion) return m;
  m.step = j.at("step");
  m.generation = j.at("generation");
  m.run_id = j.at("run_id");
  m.config_digest = j.at("config_digest");
  m.written_at = j.at("written_at");
  m.world_size = j.at("world_size");
  m.scalars = j.at("scalars").get<std::map<std::string, std::string>>();
  for (const auto& [name, value] : j.at("metrics").items()) m.metrics[name] = parse_metric(value);
  parse_lists(j, m.files, m.tensors);
  return m;
}

}  // namespace

std::string checkpoint_name(int64_t step) { return fmt::format("{}{:08}", kPrefix, step); }

std::string to_json(const Manifest& m) {
  const json j{{"version", m.version},
               {"step", m.step},
               {"generation", m.generation},
               {"run_id", m.run_id},
               {"config_digest", m.config_digest},
               {"written_at", m.written_at},
               {"world_size", m.world_size},
               {"scalars", m.scalars},
               {"metrics", m.metrics},
               {"files", files_json(m.files)},
               {"tensors", tensors_json(m.tensors)}};
  return j.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string to_json(const ManifestPart& part) {
  const json j{{"files", files_json(part.files)}, {"tensors", tensors_json(part.tensors)}};
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ManifestPart> parse_manifest_part(std::string_view text) {
  try {
    ManifestPart part;
    const json j = json::parse(text);
    parse_lists(j, part.files, part.tensors);
    for (const ManifestTensor& t : part.tensors) {
      for (const ManifestChunk& c : t.chunks) {
        if (c.file >= part.files.size())
          return fail(ErrorCode::Corrupt, "a chunk names a file that is not there");
      }
    }
    return part;
  } catch (const std::exception& e) {  // third-party leaf: nlohmann throws
    return fail(ErrorCode::Corrupt, fmt::format("not a part of a manifest: {}", e.what()));
  }
}

void add_part(Manifest& manifest, const ManifestPart& part) {
  std::map<std::string, size_t, std::less<>> known;
  for (size_t i = 0; i < manifest.tensors.size(); ++i) known.emplace(manifest.tensors[i].name, i);
  const auto first_file = static_cast<uint32_t>(manifest.files.size());
  manifest.files.insert(manifest.files.end(), part.files.begin(), part.files.end());
  for (const ManifestTensor& added : part.tensors) {
    const auto found = known.find(added.name);
    if (found == known.end()) manifest.tensors.push_back({added.name, added.dtype, added.shape, {}});
    ManifestTensor& tensor = found == known.end() ? manifest.tensors.back() : manifest.tensors[found->second];
    for (ManifestChunk chunk : added.chunks) {
      chunk.file += first_file;
      tensor.chunks.push_back(std::move(chunk));
    }
    std::ranges::sort(tensor.chunks, {}, &ManifestChunk::begin);
  }
}

Result<Manifest> parse_manifest(std::string_view text) {
  try {
    // Depth is bounded by refusing at parse time: a manifest nests five levels.
    const auto depth_limit = [](int depth, json::parse_event_t, json&) {
      if (depth > 8) throw std::runtime_error("nested too deeply");
      return true;
    };
    Manifest manifest = parse_fields(json::parse(text, depth_limit));
    ZT_TRY(check(manifest));
    return manifest;
  } catch (const std::exception& e) {  // third-party leaf: nlohmann throws
    return fail(ErrorCode::Corrupt, fmt::format("not a checkpoint manifest: {}", e.what()));
  }
}

Result<Manifest> read_manifest(const std::filesystem::path& folder) {
  ZT_TRY_ASSIGN(const std::string text, files::read(folder / "manifest.json", kMaxManifestBytes));
  auto manifest = parse_manifest(text);
  if (!manifest)
    return fail(std::move(manifest.error()).with("while reading " + (folder / "manifest.json").string()));
  return manifest;
}

std::vector<CheckpointEntry> list_checkpoints(const std::filesystem::path& checkpoints) {
  std::vector<CheckpointEntry> out;
  std::error_code ec;
  for (const auto& item : std::filesystem::directory_iterator(checkpoints, ec)) {
    const std::string name = item.path().filename().string();
    CheckpointEntry entry{item.path(), 0, 0, 0, {}, {}, {}};
    if (!name.starts_with(kPrefix)) continue;
    const char* digits = name.data() + kPrefix.size();
    const auto [end, error] = std::from_chars(digits, name.data() + name.size(), entry.step);
    if (error != std::errc() || end != name.data() + name.size()) continue;  // unfinished ones and strangers
    if (auto manifest = read_manifest(item.path()); manifest) {
      for (const auto& f : manifest->files) entry.size_bytes += f.size_bytes;
      entry.generation = manifest->generation;
      entry.metrics = manifest->metrics;
      entry.written_at = manifest->written_at;
    } else {
      entry.defect = manifest.error();
    }
    out.push_back(std::move(entry));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return out;
}

namespace {

struct FileSum {
  uint64_t size_bytes = 0;
  std::string xxh128;
};

/// Reads part by part: a mapping would count as memory of the run that has just saved all it holds.
Result<FileSum> sum_up(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(files::errno_error("open", path, errno));
  std::vector<char> part(size_t{1} << 20);
  FileSum sum;
  hash::Xxh128 digest;
  while (file.read(part.data(), static_cast<std::streamsize>(part.size())), file.gcount() > 0) {
    const auto count = static_cast<size_t>(file.gcount());
    digest.update(std::string_view(part.data(), count));
    sum.size_bytes += count;
  }
  if (file.bad()) return fail(files::errno_error("read", path, errno));
  sum.xxh128 = digest.hex();
  return sum;
}

}  // namespace

Status verify_file(const std::filesystem::path& folder, const ManifestFile& file) {
  const auto path = folder / file.name;
  ZT_TRY_ASSIGN(const FileSum sum, sum_up(path));
  if (sum.size_bytes != file.size_bytes) {
    return fail(ErrorCode::Corrupt, fmt::format("{} has {} bytes, the manifest says {}", path.string(),
                                                sum.size_bytes, file.size_bytes));
  }
  if (sum.xxh128 != file.xxh128) {
    return fail(ErrorCode::Corrupt,
                fmt::format("{} differs from its checksum: the bytes changed after the save", path.string()));
  }
  return {};
}

Status verify_checkpoint(const std::filesystem::path& folder) {
  ZT_TRY_ASSIGN(const Manifest manifest, read_manifest(folder));
  for (const ManifestFile& file : manifest.files) ZT_TRY(verify_file(folder, file));
  return {};
}

}  // namespace zt::contract
