// SPDX-License-Identifier: Apache-2.0
#include "contract/manifest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <stdexcept>
#include <utility>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "base/text/json_reason.hpp"
#include "contract/internal/launch_numbers.hpp"
#include "contract/scalars.hpp"

namespace zt::contract {
namespace {

using nlohmann::json;
constexpr uint64_t kMaxManifestBytes = uint64_t{64} << 20;  // read into memory many times as large

// A manifest's last key is the sum of all before it; the format before had none.
constexpr std::string_view kEnd = "}\n", kSumKey = ",\n \"xxh128\": \"";
constexpr size_t kSumDigits = 32;

std::string sum_of(std::string_view text) { return hash::xxh128_hex(std::as_bytes(std::span(text))); }

Status check_sum(std::string_view text) {
  const size_t tail = kSumKey.size() + kSumDigits + 1 + kEnd.size();
  if (text.size() < tail || text.substr(text.size() - tail, kSumKey.size()) != kSumKey) return {};
  const std::string_view body = text.substr(0, text.size() - tail);
  if (text.substr(body.size() + kSumKey.size(), kSumDigits) == sum_of(body)) return {};
  return fail(ErrorCode::Corrupt,
              "the checkpoint's manifest has changed since it was written: its last key, "
              "\"xxh128\", is the sum of another text");
}

template <typename... Args>
void append(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  out += fmt::format(format, std::forward<Args>(args)...);
}

// A tree of JSON values of the thousands of tensors would take longer to build than their bytes to write.
std::string json_text(std::string_view s) {
  const auto is_plain = [](char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; };
  if (std::ranges::all_of(s, is_plain)) return fmt::format("\"{}\"", s);
  return json(s).dump(-1, ' ', false, json::error_handler_t::replace);
}

void append_tensor(std::string& out, const ManifestTensor& t) {
  append(out, R"({{"name": {}, "dtype": {}, "shape": [{}], "chunks": [)", json_text(t.name),
         json_text(t.dtype), fmt::join(t.shape, ", "));
  for (const ManifestChunk& c : t.chunks) {
    append(out, R"({}{{"file": {}, "key": {}, "begin": {}, "end": {}}})", &c == &t.chunks.front() ? "" : ", ",
           c.file, json_text(c.key), c.begin, c.end);
  }
  append(out, "]}}");
}

// "files" and "tensors", a line each.
void append_lists(std::string& out, const std::vector<ManifestFile>& files,
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
  const auto is_odd = [](char c) { return c == '/' || static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  return !s.empty() && s != "." && s != ".." && std::ranges::none_of(s, is_odd);
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
  ZT_TRY(check_scalars(m.scalars, m.step));
  std::set<std::string_view> files, names;
  for (const auto& f : m.files) {
    if (!is_plain_file_name(f.name))
      return fail(ErrorCode::Corrupt, fmt::format("bad file name {}", json_text(f.name)));
    if (!files.insert(f.name).second)
      return fail(ErrorCode::Corrupt, fmt::format("file {} is listed twice", f.name));
  }
  if (m.tensors.empty()) return fail(ErrorCode::Corrupt, "no tensors are listed");
  for (const auto& t : m.tensors) {
    if (!names.insert(t.name).second)
      return fail(ErrorCode::Corrupt, fmt::format("tensor {} is listed twice", t.name));
    ZT_TRY(check_tensor(t, m.files.size()));
  }
  return {};
}

// Values by their keys; what is missing or of another kind is thrown, with the key, to parse_manifest() and
// parse_manifest_part().
const json& field(const json& j, const char* key) {
  const auto found = j.find(key);
  if (found == j.end()) throw std::runtime_error(fmt::format("\"{}\" is missing", key));
  return *found;
}

[[noreturn]] void throw_not(const json& value, const char* key, const char* wanted) {
  constexpr size_t kMaxShown = 40;
  throw std::runtime_error(
      fmt::format("\"{}\" must be {}, not {}", key, wanted,
                  value.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, kMaxShown)));
}

int64_t count_of(const json& value, const char* key) {
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (!value.is_number_unsigned() || value.get<uint64_t>() > kMax)
    throw_not(value, key, "a whole number from 0 to 9223372036854775807");
  return value.get<int64_t>();
}

int64_t count(const json& j, const char* key) { return count_of(field(j, key), key); }

std::string text(const json& j, const char* key) {
  const json& value = field(j, key);
  if (!value.is_string()) throw_not(value, key, "a text");
  return value.get<std::string>();
}

const json& list(const json& j, const char* key) {
  const json& value = field(j, key);
  if (!value.is_array()) throw_not(value, key, "a list");
  return value;
}

const json& object(const json& j, const char* key) {
  const json& value = field(j, key);
  if (!value.is_object()) throw_not(value, key, "an object");
  return value;
}

uint32_t parse_file_number(const json& chunk) {
  const int64_t number = count(chunk, "file");
  if (number > std::numeric_limits<uint32_t>::max())
    throw_not(chunk.at("file"), "file", "the number of a file");
  return static_cast<uint32_t>(number);
}

ManifestTensor parse_tensor(const json& j) {
  ManifestTensor t{text(j, "name"), text(j, "dtype"), {}, {}};
  for (const json& size : list(j, "shape")) t.shape.push_back(count_of(size, "shape"));
  for (const json& c : list(j, "chunks"))
    t.chunks.push_back({parse_file_number(c), text(c, "key"), count(c, "begin"), count(c, "end")});
  return t;
}

void parse_lists(const json& j, std::vector<ManifestFile>& files, std::vector<ManifestTensor>& tensors) {
  for (const json& f : list(j, "files"))
    files.push_back({text(f, "name"), static_cast<uint64_t>(count(f, "size_bytes")), text(f, "xxh128")});
  for (const json& t : list(j, "tensors")) tensors.push_back(parse_tensor(t));
}

// JSON has no NaN and no infinity: null stands for a number that is not finite.
double parse_metric(const json& j) {
  if (j.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (!j.is_number()) throw_not(j, "metrics", "numbers");
  return j.get<double>();
}

int parse_world_size(const json& j) {
  const int64_t size = count(j, "world_size");
  if (size < 1 || size > std::numeric_limits<int>::max())
    throw_not(j.at("world_size"), "world_size", "a number of ranks");
  return static_cast<int>(size);
}

Manifest parse_fields(const json& j) {
  Manifest m;
  m.version = count(j, "version");
  if (m.version != Manifest::kVersion) return m;
  m.step = count(j, "step");
  m.generation = count(j, "generation");
  if (m.generation > internal::kMaxGeneration)
    throw_not(j.at("generation"), "generation", "the number of an attempt");
  m.run_id = text(j, "run_id");
  m.config_digest = text(j, "config_digest");
  m.written_at = text(j, "written_at");
  m.world_size = parse_world_size(j);
  const json& scalars = object(j, "scalars");
  for (const auto& [name, value] : scalars.items()) m.scalars[name] = text(scalars, name.c_str());
  for (const auto& [name, value] : object(j, "metrics").items()) m.metrics[name] = parse_metric(value);
  parse_lists(j, m.files, m.tensors);
  return m;
}

}  // namespace

std::string frozen_file(int rank) {
  return rank == 0 ? "frozen.safetensors" : fmt::format("frozen-{:05}.safetensors", rank);
}

bool is_frozen_file(std::string_view name) {
  return name.starts_with("frozen") && name.ends_with(".safetensors");
}

std::string to_json(const Manifest& m) {
  const std::string text = unsummed_json(m);
  const std::string_view body = std::string_view(text).substr(0, text.size() - kEnd.size());
  return fmt::format("{}{}{}\"{}", body, kSumKey, sum_of(body), kEnd);
}

std::string unsummed_json(const Manifest& m) {
  std::string out;
  append(out, "{{\n \"version\": {},\n \"step\": {},\n \"generation\": {},\n", m.version, m.step,
         m.generation);
  append(out, " \"run_id\": {},\n \"config_digest\": {},\n \"written_at\": {},\n \"world_size\": {},\n",
         json_text(m.run_id), json_text(m.config_digest), json_text(m.written_at), m.world_size);
  append(out, " \"scalars\": {},\n \"metrics\": {},\n",
         json(m.scalars).dump(-1, ' ', false, json::error_handler_t::replace), json(m.metrics).dump());
  append_lists(out, m.files, m.tensors);
  out += kEnd;
  return out;
}

std::string to_json(const ManifestPart& part) {
  std::string out;
  append(out, "{{\n");
  append_lists(out, part.files, part.tensors);
  append(out, "}}\n");
  return out;
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
    return fail(ErrorCode::Corrupt, fmt::format("not a part of a manifest: {}", json_reason(e)));
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
    ZT_TRY(check_sum(text));
    ZT_TRY(check(manifest));
    return manifest;
  } catch (const std::exception& e) {  // third-party leaf: nlohmann throws
    return fail(ErrorCode::Corrupt, fmt::format("not a checkpoint manifest: {}", json_reason(e)));
  }
}

namespace {

/// In bytes. A named pipe or a device, which could be read for ever, is refused.
Result<uint64_t> size_of_file(const std::filesystem::path& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return fail(files::errno_error("open", path, errno));
  if (!S_ISREG(st.st_mode)) return fail(ErrorCode::Corrupt, path.string() + " is not a regular file");
  return static_cast<uint64_t>(st.st_size);
}

}  // namespace

Result<Manifest> read_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "manifest.json";
  ZT_TRY(size_of_file(path));
  ZT_TRY_ASSIGN(const std::string text, files::read_regular(path, kMaxManifestBytes));
  auto manifest = parse_manifest(text);
  if (!manifest) return fail(std::move(manifest.error()).with("while reading " + path.string()));
  return manifest;
}

Status verify_file(const std::filesystem::path& folder, const ManifestFile& file) {
  const auto path = folder / file.name;
  ZT_TRY_ASSIGN(const uint64_t size_bytes, size_of_file(path));
  if (size_bytes != file.size_bytes) {
    return fail(ErrorCode::Corrupt, fmt::format("{} has {} bytes, the manifest says {}", path.string(),
                                                size_bytes, file.size_bytes));
  }
  hash::Xxh128 sum;
  ZT_TRY(files::add_to(sum, path));
  if (sum.hex() != file.xxh128) {
    return fail(ErrorCode::Corrupt,
                fmt::format("{} differs from its checksum: the bytes changed after the save", path.string()));
  }
  return {};
}

Result<Manifest> verify_checkpoint(const std::filesystem::path& folder, FileShare share) {
  ZT_TRY_ASSIGN(Manifest manifest, read_manifest(folder));
  for (size_t i = share.first; i < manifest.files.size(); i += share.stride)
    if (!share.only_frozen || is_frozen_file(manifest.files[i].name))
      ZT_TRY(verify_file(folder, manifest.files[i]));
  return manifest;
}

}  // namespace zt::contract
