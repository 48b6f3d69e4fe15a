// SPDX-License-Identifier: Apache-2.0
#include "contract/manifest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/files.hpp"
#include "base/hash.hpp"

namespace zt::contract {
namespace {

using nlohmann::json;
constexpr uint64_t kMaxManifestBytes = uint64_t{256} << 20;

using Text = fmt::memory_buffer;

template <typename... Args>
void append(Text& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

// A tree of JSON values of the thousands of tensors would take longer to build than their bytes to write.
std::string json_text(std::string_view s) {
  const auto is_plain = [](char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; };
  if (std::ranges::all_of(s, is_plain)) return fmt::format("\"{}\"", s);
  return json(s).dump(-1, ' ', false, json::error_handler_t::replace);
}

void append_tensor(Text& out, const ManifestTensor& t) {
  append(out, R"({{"name": {}, "dtype": {}, "shape": [{}], "chunks": [)", json_text(t.name),
         json_text(t.dtype), fmt::join(t.shape, ", "));
  for (const ManifestChunk& c : t.chunks) {
    append(out, R"({}{{"file": {}, "key": {}, "begin": {}, "end": {}}})", &c == &t.chunks.front() ? "" : ", ",
           c.file, json_text(c.key), c.begin, c.end);
  }
  append(out, "]}}");
}

// "files" and "tensors", a line each.
void append_lists(Text& out, const std::vector<ManifestFile>& files,
                  const std::vector<ManifestTensor>& tensors) {
  std::string_view separator;
  append(out, " \"files\": [");
  for (const ManifestFile& f : files) {
    append(out, "{}\n  {{\"name\": {}, \"size_bytes\": {}, \"xxh128\": {}}}", std::exchange(separator, ","),
           json_text(f.name), f.size_bytes, json_text(f.xxh128));
  }
  append(out, "],\n \"tensors\": [");
  separator = {};
  for (const ManifestTensor& t : tensors) {
    append(out, "{}\n  ", std::exchange(separator, ","));
    append_tensor(out, t);
  }
  append(out, "]\n");
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

std::string to_json(const Manifest& m) {
  Text out;
  append(out, "{{\n \"version\": {},\n \"step\": {},\n \"generation\": {},\n", m.version, m.step,
         m.generation);
  append(out, " \"run_id\": {},\n \"config_digest\": {},\n \"written_at\": {},\n \"world_size\": {},\n",
         json_text(m.run_id), json_text(m.config_digest), json_text(m.written_at), m.world_size);
  append(out, " \"scalars\": {},\n \"metrics\": {},\n",
         json(m.scalars).dump(-1, ' ', false, json::error_handler_t::replace), json(m.metrics).dump());
  append_lists(out, m.files, m.tensors);
  append(out, "}}\n");
  return to_string(out);
}

std::string to_json(const ManifestPart& part) {
  Text out;
  append(out, "{{\n");
  append_lists(out, part.files, part.tensors);
  append(out, "}}\n");
  return to_string(out);
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
