// SPDX-License-Identifier: Apache-2.0
// The writers, judged by bytes stated by hand, by our readers, and by files that Python's
// torch.load(weights_only=True) and safetensors have opened (testdata/check_written.py, whose verdict is the
// golden digest below).
#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "support/temp_folder.hpp"
#include "weights/model_folder.hpp"
#include "weights/safetensors.hpp"
#include "weights/testing.hpp"
#include "weights/torch_zip_writer.hpp"

namespace zt::weights {
namespace {

using test::elements;
using test::entry_of;
using test::fails_with;
using test::is_ok;
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<float> kFloats = {1, 2, 3, 4, 5, 6};
const std::vector<int64_t> kLongs = {-1, int64_t{1} << 40};
const std::vector<uint8_t> kBytes = {1, 0, 1};
const std::vector<uint16_t> kHalves = {0x3C00};

std::vector<TensorEntry> sample() {
  return {entry_of("flags", DType::Bool, {3}, kBytes), entry_of("b.weight", DType::F32, {2, 3}, kFloats),
          entry_of("a.longs", DType::I64, {2}, kLongs), entry_of("half", DType::BF16, {}, kHalves),
          TensorEntry{"empty", DType::F32, {0, 3}, {}}};
}

TEST(WriteSafetensors, GivesTheBytesOfTheFormat) {
  const zt::test::TempFolder folder;
  const std::vector<TensorEntry> entries = {entry_of("x", DType::U8, {3}, kBytes),
                                            entry_of("y", DType::BF16, {1}, kHalves)};
  ASSERT_TRUE(is_ok(write_safetensors(folder / "f", entries, {{"format", "pt"}})));

  std::string header =
      R"({"__metadata__":{"format":"pt"},"y":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]},)"
      R"("x":{"dtype":"U8","shape":[3],"data_offsets":[2,5]}})";
  header.resize(184, ' ');  // 8 + 184 = 3 * 64
  const std::string wanted = test::raw<uint64_t>(184) + header + std::string("\x00\x3C\x01\x00\x01", 5);
  EXPECT_EQ(files::read(folder / "f").value(), wanted);
}

TEST(WriteSafetensors, OutputDoesNotDependOnTheOrderGiven) {
  const zt::test::TempFolder folder;
  auto entries = sample();
  ASSERT_TRUE(is_ok(write_safetensors(folder / "1", entries)));
  std::reverse(entries.begin(), entries.end());
  ASSERT_TRUE(is_ok(write_safetensors(folder / "2", entries)));
  EXPECT_EQ(files::read(folder / "1").value(), files::read(folder / "2").value());
}

template <class Write>
void expect_round_trip(const std::filesystem::path& path, Write write) {
  ASSERT_TRUE(is_ok(write(path, sample())));
  const auto file = TensorFile::open(path);
  ASSERT_TRUE(is_ok(file));
  EXPECT_EQ(file->entries().size(), 5u);
  EXPECT_THAT(elements<float>(*file->find("b.weight")), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(file->find("b.weight")->shape, ElementsAre(2, 3));
  EXPECT_THAT(elements<int64_t>(*file->find("a.longs")), ElementsAre(-1, int64_t{1} << 40));
  EXPECT_EQ(file->find("flags")->dtype, DType::Bool);
  EXPECT_EQ(file->find("half")->dtype, DType::BF16);
  EXPECT_THAT(file->find("empty")->shape, ElementsAre(0, 3));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->find("a.longs")->bytes.data()) % 64, 0u)
      << "data begins aligned";
}

TEST(WriteSafetensors, RoundTrips) {
  const zt::test::TempFolder folder;
  expect_round_trip(folder / "x.safetensors",
                    [](const auto& path, const auto& entries) { return write_safetensors(path, entries); });
}

TEST(WriteTorchZip, RoundTrips) {
  const zt::test::TempFolder folder;
  expect_round_trip(folder / "x.pth",
                    [](const auto& path, const auto& entries) { return write_torch_zip(path, entries); });
}

TEST(WriteTorchZip, LeavesSumsThatDamageDoesNotPass) {
  const zt::test::TempFolder folder;
  ASSERT_TRUE(is_ok(write_torch_zip(folder / "x.pth", sample())));
  std::string bytes = files::read(folder / "x.pth").value();
  EXPECT_TRUE(is_ok(TensorFile::open(folder / "x.pth")->check_sums()));
  const size_t at = bytes.find(test::raw<float>(1) + test::raw<float>(2));
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  ASSERT_TRUE(files::write_atomic(folder / "x.pth", bytes));

  const auto file = TensorFile::open(folder / "x.pth");
  ASSERT_TRUE(is_ok(file));
  const Status damaged = file->check_sums();

  EXPECT_TRUE(fails_with(damaged, ErrorCode::Corrupt));
  EXPECT_THAT(damaged.error().message, HasSubstr("x.pth is not a whole zip archive: entry \"x/data/1\""));
}

// testdata/written.pth was written by write_torch_zip and opened by torch 2.13 with weights_only=True
// (check_written.py).
TEST(WriteTorchZip, StillGivesTheBytesThatPythonHasOpened) {
  const zt::test::TempFolder folder;
  ASSERT_TRUE(is_ok(write_torch_zip(folder / "written.pth", sample())));
  EXPECT_EQ(files::read(folder / "written.pth").value(), files::read(test::golden("written.pth")).value());
}

TEST(Writers, RefuseWhatNoReaderWouldAccept) {
  const zt::test::TempFolder folder;
  const std::vector<std::vector<TensorEntry>> bad = {
      {entry_of("x", DType::U8, {3}, kBytes), entry_of("x", DType::U8, {3}, kBytes)},
      {entry_of("x", DType::U8, {4}, kBytes)},
      {entry_of("", DType::U8, {3}, kBytes)},
      {entry_of("\xFF", DType::U8, {3}, kBytes)},
      {entry_of("__metadata__", DType::U8, {3}, kBytes)},
      {entry_of("x", DType::U8, {-3}, kBytes)},
  };
  for (const auto& entries : bad) {
    EXPECT_TRUE(fails_with(write_safetensors(folder / "f", entries), ErrorCode::InvalidArgument));
    EXPECT_TRUE(fails_with(write_torch_zip(folder / "f", entries), ErrorCode::InvalidArgument));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ModelFolder, UnknownConfigKeysSurviveInTheirOrder) {
  const auto merged = merge_config(R"({"zeta": 1, "_class_name": "X", "new_key_of_2027": {"a": [1]}})",
                                   R"({"_class_name": "UNet2DConditionModel", "sample_size": 64})");
  EXPECT_EQ(merged.value(),
            "{\n  \"zeta\": 1,\n  \"_class_name\": \"UNet2DConditionModel\",\n  \"new_key_of_2027\": {\n    "
            "\"a\": [\n      1\n    ]\n  },\n"
            "  \"sample_size\": 64\n}\n");
  EXPECT_TRUE(fails_with(merge_config("[1]", "{}"), ErrorCode::Corrupt));
  EXPECT_TRUE(fails_with(merge_config(std::string(100000, '['), "{}"), ErrorCode::Corrupt));
}

TEST(ModelFolder, IsReadBackAsAFolder) {
  const zt::test::TempFolder folder;
  ASSERT_TRUE(is_ok(write_model_folder(folder / "unet", "{\"a\": 1}\n", sample())));
  const auto file = TensorFile::open(folder / "unet");
  EXPECT_EQ(file.value().entries().size(), 5u);
  EXPECT_EQ(file.value().metadata().at("format"), "pt");
  EXPECT_EQ(files::read(folder / "unet" / "config.json").value(), "{\"a\": 1}\n");
}

}  // namespace
}  // namespace zt::weights
