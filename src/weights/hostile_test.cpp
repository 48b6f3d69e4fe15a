// SPDX-License-Identifier: Apache-2.0
// Files that are broken or made to harm: each is refused with a code, none crashes (run under the asan preset
// as well).
#include <algorithm>
#include <functional>

#include "base/files/files.hpp"
#include "weights/testing.hpp"

namespace zt::weights {
namespace {

using test::bytes_of;
using test::fails_with;
using test::raw;

struct Case {
  const char* what;
  std::string file;
  ErrorCode code = ErrorCode::Corrupt;
};

void expect_refused(const std::vector<Case>& cases) {
  for (const Case& c : cases)
    EXPECT_TRUE(fails_with(TensorFile::parse(bytes_of(c.file), "f"), c.code)) << c.what;
}

std::string safetensors(std::string_view header, size_t data_bytes) {
  return raw<uint64_t>(header.size()) + std::string(header) + std::string(data_bytes, '\1');
}

// One tensor "x" whose description is given.
std::string with_x(std::string_view description, size_t data_bytes) {
  return safetensors("{\"x\":" + std::string(description) + "}", data_bytes);
}

TEST(HostileSafetensors, FramesThatDoNotFitAreRefused) {
  expect_refused({
      {"nothing", ""},
      {"half a length", "\1\0\0"},
      {"length beyond the file", raw<uint64_t>(100) + "{}"},
      {"length that overflows", raw<uint64_t>(~uint64_t{0}) + "{}"},
      {"length beyond any header", raw<uint64_t>(uint64_t{1} << 40) + "{}"},
      {"not JSON", safetensors("hello", 0)},
      {"leading blanks", safetensors("  {}", 0)},
      {"trailing garbage in the header", safetensors("{}x", 0)},
      {"zero padding", safetensors(std::string("{}\0\0", 4), 0)},
      {"a list", safetensors("[]", 0)},
      {"cut JSON", safetensors(R"({"x":{"dtype":"U8")", 0)},
      {"bytes without a tensor", safetensors("{}", 4)},
  });
}

TEST(HostileSafetensors, HeadersOutsideTheFormatAreRefused) {
  expect_refused({
      {"deep JSON", safetensors("{\"x\":" + std::string(100000, '['), 0)},
      {"deep metadata", safetensors(R"({"__metadata__":{"a":{"b":"c"}}})", 0)},
      {"metadata number", safetensors(R"({"__metadata__":{"a":1}})", 0)},
      {"doubled metadata", safetensors(R"({"__metadata__":{},"__metadata__":{}})", 0)},
      {"doubled metadata key", safetensors(R"({"__metadata__":{"a":"1","a":"2"}})", 0)},
      {"doubled tensor", safetensors(R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                     R"("x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                     2)},
      {"doubled field", with_x(R"({"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]})", 1)},
      {"unknown field", with_x(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1})", 1)},
      {"missing dtype", with_x(R"({"shape":[1],"data_offsets":[0,1]})", 1)},
      {"missing shape", with_x(R"({"dtype":"U8","data_offsets":[0,1]})", 1)},
      {"missing offsets", with_x(R"({"dtype":"U8","shape":[1]})", 1)},
      {"one offset", with_x(R"({"dtype":"U8","shape":[1],"data_offsets":[0]})", 1)},
      {"three offsets", with_x(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1,1]})", 1)},
      {"tensor is null", with_x("null", 0)},
      {"tensor is a number", with_x("7", 0)},
      {"name is not UTF-8",
       safetensors("{\"\xFF\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1)},
      {"unknown type", with_x(R"({"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]})", 1),
       ErrorCode::Unsupported},
  });
}

TEST(HostileSafetensors, SizesAndRangesThatDisagreeAreRefused) {
  const std::string two =
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":)";
  expect_refused({
      {"too few bytes", with_x(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", 4)},
      {"too many bytes", with_x(R"({"dtype":"F32","shape":[2],"data_offsets":[0,12]})", 12)},
      {"end before begin", with_x(R"({"dtype":"U8","shape":[1],"data_offsets":[1,0]})", 1)},
      {"end outside", with_x(R"({"dtype":"U8","shape":[9],"data_offsets":[0,9]})", 1)},
      {"negative size", with_x(R"({"dtype":"U8","shape":[-1],"data_offsets":[0,1]})", 1)},
      {"fractional size", with_x(R"({"dtype":"U8","shape":[1.0],"data_offsets":[0,1]})", 1)},
      {"size beyond 63 bits",
       with_x(R"({"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]})", 1)},
      {"product overflows to the right size",
       with_x(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})", 0)},
      {"bytes overflow to the right size",
       with_x(R"({"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]})", 0)},
      {"overflow hidden by a zero",
       with_x(R"({"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]})", 0)},
      {"overlap", safetensors(two + "[1,3]}}", 3)},
      {"same bytes twice", safetensors(two + "[0,2]}}", 2)},
      {"hole", safetensors(two + "[3,5]}}", 5)},
      {"bytes after the last tensor", safetensors(two + "[2,4]}}", 5)},
      {"65 dimensions", with_x(
                            "{\"dtype\":\"U8\",\"shape\":[1" +
                                [] {
                                  std::string s;
                                  for (int i = 0; i < 64; ++i) s += ",1";
                                  return s;
                                }() +
                                "],\"data_offsets\":[0,1]}",
                            1)},
  });
}

// Pickles, inside a zip written by hand.

std::string zip_entry_header(std::string_view name, uint32_t size) {
  return "PK\3\4" + raw<uint16_t>(20) + raw<uint16_t>(0) + raw<uint16_t>(0) + raw<uint32_t>(0) +
         raw<uint32_t>(0) + raw<uint32_t>(size) + raw<uint32_t>(size) +
         raw(static_cast<uint16_t>(name.size())) + raw<uint16_t>(0) + std::string(name);
}

// CRC-32 (IEEE 802.3) bit by bit, apart from zlib's.
uint32_t crc32_of(std::string_view text) {
  uint32_t crc = ~0u;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int k = 0; k < 8; ++k) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
  }
  return ~crc;
}

struct ZipParts {
  std::vector<std::pair<std::string, std::string>> entries;
  std::function<void(std::string& directory)> spoil_directory = [](std::string&) {};
};

std::string zip_of(const ZipParts& parts) {
  std::string out, directory;
  for (const auto& [name, bytes] : parts.entries) {
    const auto offset = static_cast<uint32_t>(out.size()), size = static_cast<uint32_t>(bytes.size());
    out += zip_entry_header(name, size) + bytes;
    directory += "PK\1\2" + raw<uint16_t>(20) + raw<uint16_t>(20) + raw<uint16_t>(0) + raw<uint16_t>(0) +
                 raw<uint32_t>(0) + raw(crc32_of(bytes)) + raw(size) + raw(size) +
                 raw(static_cast<uint16_t>(name.size())) + raw<uint16_t>(0) + raw<uint16_t>(0) +
                 raw<uint16_t>(0) + raw<uint16_t>(0) + raw<uint32_t>(0) + raw(offset) + name;
  }
  parts.spoil_directory(directory);
  const auto offset = static_cast<uint32_t>(out.size()), size = static_cast<uint32_t>(directory.size());
  const auto count = static_cast<uint16_t>(parts.entries.size());
  return out + directory + "PK\5\6" + raw<uint32_t>(0) + raw(count) + raw(count) + raw(size) + raw(offset) +
         raw<uint16_t>(0);
}

std::string pickle_file(std::string_view body) {
  return zip_of({{{"a/data.pkl", "\x80\x02" + std::string(body)}, {"a/data/0", std::string(16, '\0')}}});
}

std::string text(std::string_view s) { return "X" + raw(static_cast<uint32_t>(s.size())) + std::string(s); }
std::string number(int32_t n) { return "J" + raw(n); }

// {"x": _rebuild_tensor_v2(storage of `numel` floats under key `key`, offset, size, stride, False, None)}
std::string tensor_dict(std::string_view offset, std::string_view size, std::string_view stride,
                        int32_t numel = 4, std::string_view key = "0") {
  return "}(" + text("x") + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
         "ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(numel) + "tQ" + std::string(offset) +
         std::string(size) + std::string(stride) + "\x89NtRu.";
}

TEST(HostilePickle, TheHandWrittenTensorIsReadWhenNothingIsWrong) {
  const std::string file = pickle_file(tensor_dict(number(0), "(" + number(4) + "t", "(" + number(1) + "t"));
  const auto parsed = TensorFile::parse(bytes_of(file), "f");
  ASSERT_TRUE(test::is_ok(parsed));
  EXPECT_THAT(parsed->find("x")->shape, testing::ElementsAre(4));
}

TEST(HostilePickle, TensorsOutsideTheirStorageAreRefused) {
  const std::string one = "(" + number(1) + "t", four = "(" + number(4) + "t";
  const std::string huge = "\x8a\x08" + raw(int64_t{1} << 62);
  expect_refused({
      {"offset beyond", pickle_file(tensor_dict(number(1), four, one))},
      {"negative offset", pickle_file(tensor_dict(number(-1), four, one))},
      {"huge offset", pickle_file(tensor_dict(huge, four, one))},
      {"size beyond", pickle_file(tensor_dict(number(0), "(" + number(5) + "t", one))},
      {"negative size", pickle_file(tensor_dict(number(0), "(" + number(-4) + "t", one))},
      {"negative stride", pickle_file(tensor_dict(number(3), four, "(" + number(-1) + "t"))},
      {"stride beyond", pickle_file(tensor_dict(number(0), four, "(" + number(2) + "t"))},
      {"stride that overflows", pickle_file(tensor_dict(number(0), four, "(" + huge + "t"))},
      {"size that overflows",
       pickle_file(tensor_dict(number(0), "(" + huge + huge + "t", "(" + number(1) + number(1) + "t"))},
      {"strides missing", pickle_file(tensor_dict(number(0), four, ")"))},
      {"size is no tuple", pickle_file(tensor_dict(number(0), number(4), one))},
      {"storage smaller than it says", pickle_file(tensor_dict(number(0), four, one, 5))},
      {"negative storage", pickle_file(tensor_dict(number(0), four, one, -1))},
      {"missing storage", pickle_file(tensor_dict(number(0), four, one, 4, "9"))},
      {"storage out of the archive", pickle_file(tensor_dict(number(0), four, one, 4, "../data.pkl"))},
      {"unfolds to exabytes",
       pickle_file(tensor_dict(number(0), "(" + number(1 << 30) + number(1 << 26) + "t",
                               "(" + number(0) + number(0) + "t")),
       ErrorCode::Exhausted},
  });
}

TEST(HostilePickle, BrokenProgramsAreRefused) {
  expect_refused({
      {"no stop", pickle_file("N")},
      {"nothing on the stack", pickle_file(".")},
      {"two values at the end", pickle_file("NN.")},
      {"open mark at the end", pickle_file("N(.")},
      {"unknown opcode", pickle_file("\xFF.")},
      {"pop from nothing", pickle_file("0N.")},
      {"tuple of what is not there", pickle_file("N\x87.")},
      {"tuple through a mark", pickle_file("N(\x85.")},
      {"mark missing", pickle_file("t.")},
      {"memo missing", pickle_file("h\7.")},
      {"append to a number", pickle_file("K\1K\2a.")},
      {"items into a tuple", pickle_file(")(NNu.")},
      {"odd items", pickle_file("}(Nu.")},
      {"call without a tuple", pickle_file("cx\ny\nNR.")},
      {"build on nothing", pickle_file("Nb.")},
      {"text beyond the end", pickle_file("X\xFF\xFF\xFF\x7F")},
      {"64-bit text beyond the end", pickle_file("\x8D" + raw(~uint64_t{0}))},
      {"integer beyond the end", pickle_file("\x8B" + raw(~uint32_t{0}))},
      {"global without a newline", pickle_file("cos")},
      {"global of numbers", pickle_file("K\1K\2\x93.")},
      {"protocol 6", zip_of({{{"a/data.pkl", "\x80\x06N."}}})},
      {"persistent id of a number",
       pickle_file("}(" + text("x") + "ctorch._utils\n_rebuild_tensor_v2\n(K\1Q" + number(0) + "))tRu.")},
      {"tensor of four nothings",
       pickle_file("}(" + text("x") + "ctorch._utils\n_rebuild_tensor_v2\n(NNNNtRu.")},
      {"name is not UTF-8", pickle_file("}(" + text("\xFF") + "Nu.")},
      {"protocol 0", pickle_file("I1\n."), ErrorCode::Unsupported},
      {"extension", pickle_file("\x82\1."), ErrorCode::Unsupported},
      {"no tensors", pickle_file("}."), ErrorCode::Unsupported},
      {"a number", pickle_file("K\1."), ErrorCode::Unsupported},
  });
}

TEST(HostilePickle, CyclesAndTreesThatExplodeAreRefused) {
  std::string doubling = "]";  // each list holds the one before twice: 2^40 paths
  for (int i = 0; i < 40; ++i)
    doubling = doubling + "q" + static_cast<char>(i) + "0](h" + static_cast<char>(i) + "h" +
               static_cast<char>(i) + "e";
  expect_refused({
      {"list in itself", pickle_file("]q\1h\1a."), ErrorCode::Exhausted},
      {"dictionary in itself", pickle_file("}q\1" + text("x") + "h\1s."), ErrorCode::Exhausted},
      {"doubling lists", pickle_file(doubling + "."), ErrorCode::Exhausted},
      {"three million values", pickle_file("(" + std::string(3'000'000, 'N') + "t."), ErrorCode::Exhausted},
      {"nine million copies", pickle_file("(N" + std::string(9'000'000, '2') + "t."), ErrorCode::Exhausted},
      {"parameter in itself",
       pickle_file("}(" + text("x") + "ctorch._utils\n_rebuild_parameter\n(]q\1h\1atRu."),
       ErrorCode::Unsupported},
  });
}

TEST(HostilePickle, NothingThatRunsIsAccepted) {
  const std::vector<const char*> globals = {
      "os\nsystem",
      "posix\nsystem",
      "nt\nsystem",
      "subprocess\nPopen",
      "builtins\neval",
      "builtins\nexec",
      "__builtin__\neval",
      "builtins\n__import__",
      "builtins\ngetattr",
      "runpy\n_run_code",
      "importlib\nimport_module",
      "socket\nsocket",
      "torch\nserialization.os.system",
      "sys\nmodules",
      "os.path\nos.system",
  };
  for (const char* global : globals) {
    // Called, only named, as the callee of NEWOBJ, and beside a tensor.
    const std::string named = "c" + std::string(global) + "\n";
    expect_refused({{global, pickle_file(named + "(" + text("id") + "tR.")},
                    {global, pickle_file("}(" + text("x") + named + "u.")},
                    {global, pickle_file(named + ")\x81.")}});
  }
}

TEST(HostileZip, BrokenArchivesAreRefused) {
  const auto spoiled = [](size_t at, std::string bytes) {
    ZipParts parts{{{"a/data.pkl", "\x80\x02}."}}};
    parts.spoil_directory = [=](std::string& directory) { directory.replace(at, bytes.size(), bytes); };
    return zip_of(parts);
  };
  const std::string good = zip_of({{{"a/data.pkl", "\x80\x02}."}}});
  std::string wrong_crc = good;
  wrong_crc[wrong_crc.find("}.")] = ']';
  expect_refused({
      {"no directory", good.substr(0, 60)},
      {"compressed", spoiled(10, raw<uint16_t>(8)), ErrorCode::Unsupported},
      {"encrypted", spoiled(8, raw<uint16_t>(1)), ErrorCode::Unsupported},
      {"two sizes", spoiled(20, raw<uint32_t>(3))},
      {"size beyond the file", spoiled(20, raw<uint32_t>(1000) + raw<uint32_t>(1000))},
      {"offset beyond the file", spoiled(42, raw<uint32_t>(100000))},
      {"offset at the wrong place", spoiled(42, raw<uint32_t>(1))},
      {"64-bit size that is missing", spoiled(20, raw(~uint32_t{0}) + raw(~uint32_t{0}))},
      {"other name in the directory", spoiled(46, "b")},
      {"name length beyond the directory", spoiled(28, raw<uint16_t>(60000))},
      {"wrong signature", spoiled(0, "XXXX")},
      {"wrong checksum", wrong_crc},
      {"doubled entry", zip_of({{{"a/data.pkl", "\x80\x02}."}, {"a/data.pkl", "\x80\x02}."}}})},
      {"not PyTorch's", zip_of({{{"readme.txt", "hello"}}}), ErrorCode::Unsupported},
      {"TorchScript", zip_of({{{"a/data.pkl", "\x80\x02}."}, {"a/constants.pkl", ""}}}),
       ErrorCode::Unsupported},
      {"big-endian", zip_of({{{"a/data.pkl", "\x80\x02}."}, {"a/byteorder", "big"}}}),
       ErrorCode::Unsupported},
  });
}

TEST(HostileZip, OverlappingEntriesAreRefused) {
  // The second entry's bytes contain the third's header and bytes.
  const std::string inner = zip_entry_header("a/data/1", 4) + "abcd";
  ZipParts parts{{{"a/data.pkl", "\x80\x02}."}, {"a/data/0", inner}, {"a/data/1", "abcd"}}};
  const size_t third = 46 + 10 + 46 + 8;
  const auto inner_offset = static_cast<uint32_t>((30 + 10 + 4) + (30 + 8));
  parts.spoil_directory = [=](std::string& directory) {
    directory.replace(third + 42, 4, raw(inner_offset));
  };
  expect_refused({{"overlap", zip_of(parts)}});
}

// Every golden file cut at every byte, and with every byte changed.

std::string golden_bytes(const char* name) { return files::read(test::golden(name)).value(); }

TEST(Hostile, FilesCutShortAnywhereAreRefused) {
  for (const char* name : {"types.safetensors", "types.pth", "types_legacy.ckpt"}) {
    const std::string whole = golden_bytes(name);
    for (size_t length = 0; length < whole.size(); ++length) {
      // A copy of its own, so that the address sanitizer sees a read past the end.
      const std::vector<std::byte> cut(bytes_of(whole).begin(),
                                       bytes_of(whole).begin() + static_cast<ptrdiff_t>(length));
      const auto parsed = TensorFile::parse(cut, name);
      ASSERT_FALSE(parsed) << name << " cut to " << length;
      ASSERT_TRUE(parsed.error().code == ErrorCode::Corrupt || parsed.error().code == ErrorCode::Unsupported)
          << parsed.error().text();
    }
  }
}

TEST(Hostile, FilesWithAnyByteChangedNeverCrash) {
  for (const char* name : {"types.safetensors", "types.pth", "types_legacy.ckpt", "views.bin"}) {
    std::string whole = golden_bytes(name);
    for (size_t i = 0; i < whole.size(); ++i) {
      const char before = whole[i];
      for (const char change : {'\x00', '\xFF', '\x7F', static_cast<char>(before ^ 1)}) {
        whole[i] = change;
        const auto parsed = TensorFile::parse(bytes_of(whole), name);
        if (!parsed) continue;
        for (const TensorEntry& entry : parsed->entries()) {
          ASSERT_EQ(entry.bytes.size(), byte_count(entry.dtype, entry.shape)) << name << " byte " << i;
        }
      }
      whole[i] = before;
    }
  }
}

}  // namespace
}  // namespace zt::weights
