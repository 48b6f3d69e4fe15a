// SPDX-License-Identifier: Apache-2.0
#include "weights/torch_zip_writer.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/files/files.hpp"
#include "weights/internal/entry_checks.hpp"

namespace zt::weights {
namespace {

using Bytes = std::span<const std::byte>;

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// data.pkl, protocol 2. The opcodes' names stand in internal/pickle.hpp's table.

void put_text(std::string& out, std::string_view text) {
  out += 'X';
  put(out, static_cast<uint32_t>(text.size()));
  out += text;
}

void put_int(std::string& out, int64_t value) {
  if (value >= INT32_MIN && value <= INT32_MAX) {
    out += 'J';
    put(out, static_cast<int32_t>(value));
  } else {
    out += "\x8a\x08";
    put(out, value);
  }
}

void put_global(std::string& out, std::string_view module, std::string_view name) {
  out += fmt::format("c{}\n{}\n", module, name);
}

void put_empty_ordered_dict(std::string& out) {
  put_global(out, "collections", "OrderedDict");
  out += ")R";
}

void put_int_tuple(std::string& out, std::span<const int64_t> values) {
  out += '(';
  for (const int64_t value : values) put_int(out, value);
  out += 't';
}

std::string_view storage_type(DType dtype) {
  switch (dtype) {
    case DType::F64:
      return "DoubleStorage";
    case DType::F32:
      return "FloatStorage";
    case DType::F16:
      return "HalfStorage";
    case DType::BF16:
      return "BFloat16Storage";
    case DType::I64:
      return "LongStorage";
    case DType::I32:
      return "IntStorage";
    case DType::I16:
      return "ShortStorage";
    case DType::I8:
      return "CharStorage";
    case DType::U8:
      return "ByteStorage";
    case DType::Bool:
      return "BoolStorage";
  }
  return "ByteStorage";
}

std::vector<int64_t> row_major_strides(std::span<const int64_t> shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * std::max<int64_t>(shape[d], 1);
  return strides;
}

// _rebuild_tensor_v2(storage, offset 0, size, stride, requires_grad False, hooks OrderedDict())
void put_tensor(std::string& out, const TensorEntry& entry, size_t key) {
  put_global(out, "torch._utils", "_rebuild_tensor_v2");
  out += "((";
  put_text(out, "storage");
  put_global(out, "torch", storage_type(entry.dtype));
  put_text(out, fmt::format("{}", key));
  put_text(out, "cpu");
  put_int(out, static_cast<int64_t>(entry.bytes.size() / size_bytes(entry.dtype)));
  out += "tQ";
  put_int(out, 0);
  put_int_tuple(out, entry.shape);
  put_int_tuple(out, row_major_strides(entry.shape));
  out += '\x89';
  put_empty_ordered_dict(out);
  out += "tR";
}

std::string state_dict_pickle(std::span<const TensorEntry> entries) {
  std::string out = "\x80\x02";
  put_empty_ordered_dict(out);
  out += '(';
  for (size_t i = 0; i < entries.size(); ++i) {
    put_text(out, entries[i].name);
    put_tensor(out, entries[i], i);
  }
  out += "u.";
  return out;
}

constexpr size_t kAlignment = 64;
constexpr uint64_t kMax32 = 0xFFFFFFFF;
constexpr uint16_t kZip64Extra = 0x0001, kPaddingExtra = 0x4246;  // "FB", as torch.save pads
constexpr uint16_t kVersion = 45, kUtf8Flag = 0x0800;
constexpr uint16_t kDosDate = 0x21;  // 1980-01-01: equal input gives equal bytes

// Writes stored entries one after another and keeps the directory for the end.
class ZipWriter {
 public:
  explicit ZipWriter(files::AtomicFile& file) : file_(file) {}

  Status add(const std::string& name, Bytes bytes) {
    const auto crc =
        static_cast<uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
    const bool is_wide = bytes.size() >= kMax32;
    std::string extra;
    if (is_wide) {
      put(extra, kZip64Extra);
      put(extra, uint16_t{16});
      put(extra, uint64_t{bytes.size()});
      put(extra, uint64_t{bytes.size()});
    }
    constexpr size_t kLocalSize = 30, kExtraHead = 4;
    const uint64_t unpadded = position_ + kLocalSize + name.size() + extra.size() + kExtraHead;
    const auto padding = static_cast<size_t>((kAlignment - unpadded % kAlignment) % kAlignment);
    put(extra, kPaddingExtra);
    put(extra, static_cast<uint16_t>(padding));
    extra.append(padding, 'Z');

    const uint64_t header_offset = position_;
    std::string local = "PK\x03\x04";
    put_common(local, crc, is_wide ? kMax32 : bytes.size(), name.size(), extra.size());
    ZT_TRY(write(local + name + extra));
    ZT_TRY(file_.write(bytes));
    position_ += bytes.size();
    add_to_directory(name, crc, bytes.size(), header_offset);
    return {};
  }

  Status finish() {
    const uint64_t directory_offset = position_, directory_size = directory_.size();
    std::string end;
    if (num_entries_ >= 0xFFFF || directory_offset >= kMax32 || directory_size >= kMax32) {
      end += "PK\x06\x06";
      put(end, uint64_t{44});  // what follows
      put(end, kVersion);
      put(end, kVersion);
      put(end, uint64_t{0});  // disk numbers
      put(end, num_entries_);
      put(end, num_entries_);
      put(end, directory_size);
      put(end, directory_offset);
      end += "PK\x06\x07";
      put(end, uint32_t{0});
      put(end, directory_offset + directory_size);
      put(end, uint32_t{1});
    }
    end += "PK\x05\x06";
    put(end, uint32_t{0});
    put(end, static_cast<uint16_t>(std::min<uint64_t>(num_entries_, 0xFFFF)));
    put(end, static_cast<uint16_t>(std::min<uint64_t>(num_entries_, 0xFFFF)));
    put(end, static_cast<uint32_t>(std::min(directory_size, kMax32)));
    put(end, static_cast<uint32_t>(std::min(directory_offset, kMax32)));
    put(end, uint16_t{0});
    ZT_TRY(write(directory_));
    return write(end);
  }

 private:
  // The fields that a local header and a directory entry have in common, from "version needed" on.
  static void put_common(std::string& out, uint32_t crc, uint64_t size, size_t name_size, size_t extra_size) {
    put(out, kVersion);
    put(out, kUtf8Flag);
    put(out, uint16_t{0});  // stored
    put(out, uint16_t{0});  // time
    put(out, kDosDate);
    put(out, crc);
    put(out, static_cast<uint32_t>(size));
    put(out, static_cast<uint32_t>(size));
    put(out, static_cast<uint16_t>(name_size));
    put(out, static_cast<uint16_t>(extra_size));
  }

  void add_to_directory(const std::string& name, uint32_t crc, uint64_t size, uint64_t header_offset) {
    std::string extra;
    if (size >= kMax32 || header_offset >= kMax32) {
      put(extra, kZip64Extra);
      put(extra, static_cast<uint16_t>((size >= kMax32 ? 16 : 0) + (header_offset >= kMax32 ? 8 : 0)));
      if (size >= kMax32) {
        put(extra, size);
        put(extra, size);
      }
      if (header_offset >= kMax32) put(extra, header_offset);
    }
    directory_ += "PK\x01\x02";
    put(directory_, kVersion);
    put_common(directory_, crc, std::min(size, kMax32), name.size(), extra.size());
    put(directory_, uint16_t{0});  // comment
    put(directory_, uint16_t{0});  // disk
    put(directory_, uint16_t{0});  // internal attributes
    put(directory_, uint32_t{0});  // external attributes
    put(directory_, static_cast<uint32_t>(std::min(header_offset, kMax32)));
    directory_ += name + extra;
    ++num_entries_;
  }

  Status write(std::string_view text) {
    position_ += text.size();
    return file_.write(text);
  }

  files::AtomicFile& file_;
  uint64_t position_ = 0;
  uint64_t num_entries_ = 0;
  std::string directory_;
};

Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

}  // namespace

Status write_torch_zip(const std::filesystem::path& path, std::span<const TensorEntry> entries) {
  ZT_TRY(internal::check_writable(entries, path.string()));
  const std::string root = path.stem().string();
  ZT_TRY(internal::check_text(root, path.string()));
  ZT_TRY_ASSIGN(files::AtomicFile file, files::AtomicFile::create(path));
  ZipWriter zip(file);
  ZT_TRY(zip.add(fmt::format("{}/data.pkl", root), as_bytes(state_dict_pickle(entries))));
  ZT_TRY(zip.add(fmt::format("{}/byteorder", root), as_bytes("little")));
  for (size_t i = 0; i < entries.size(); ++i)
    ZT_TRY(zip.add(fmt::format("{}/data/{}", root, i), entries[i].bytes));
  ZT_TRY(zip.add(fmt::format("{}/version", root), as_bytes("3\n")));
  ZT_TRY(zip.finish());
  return file.commit();
}

}  // namespace zt::weights
