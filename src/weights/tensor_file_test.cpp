// SPDX-License-Identifier: Apache-2.0
// Files made by the real torch and safetensors (testdata/make.py). Expected values follow the rule stated
// there: element i of tensor t is t + i/8 for floating types and 10 t + i for integers; booleans alternate
// from true.
#include "weights/tensor_file.hpp"

#include "base/files/files.hpp"
#include "support/pipes.hpp"
#include "support/temp_folder.hpp"
#include "weights/testing.hpp"

namespace zt::weights {
namespace {

using test::elements;
using test::fails_with;
using test::golden;
using test::is_ok;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class AllTypes : public testing::TestWithParam<const char*> {};

TEST_P(AllTypes, AreReadAsWritten) {
  const auto file = TensorFile::open(golden(GetParam()));
  ASSERT_TRUE(is_ok(file));

  const auto find = [&](std::string_view name, DType dtype) {
    const TensorEntry* entry = file->find(name);
    EXPECT_TRUE(entry && entry->dtype == dtype) << name;
    return entry ? *entry : TensorEntry{};
  };
  EXPECT_EQ(file->entries().size(), 12u);
  EXPECT_THAT(find("types.f64", DType::F64).shape, ElementsAre(2, 3));
  EXPECT_THAT(elements<double>(find("types.f64", DType::F64)), ElementsAre(0, .125, .25, .375, .5, .625));
  EXPECT_THAT(elements<float>(find("types.f32", DType::F32)), ElementsAre(1, 1.125, 1.25, 1.375, 1.5, 1.625));
  EXPECT_THAT(elements<uint16_t>(find("types.f16", DType::F16)),
              ElementsAre(0x4000, 0x4040, 0x4080, 0x40C0, 0x4100, 0x4140));
  EXPECT_THAT(elements<uint16_t>(find("types.bf16", DType::BF16)),
              ElementsAre(0x4040, 0x4048, 0x4050, 0x4058, 0x4060, 0x4068));
  EXPECT_THAT(elements<int64_t>(find("types.i64", DType::I64)), ElementsAre(40, 41, 42, 43, 44, 45));
  EXPECT_THAT(elements<int32_t>(find("types.i32", DType::I32)), ElementsAre(50, 51, 52, 53, 54, 55));
  EXPECT_THAT(elements<int16_t>(find("types.i16", DType::I16)), ElementsAre(60, 61, 62, 63, 64, 65));
  EXPECT_THAT(elements<int8_t>(find("types.i8", DType::I8)), ElementsAre(70, 71, 72, 73, 74, 75));
  EXPECT_THAT(elements<uint8_t>(find("types.u8", DType::U8)), ElementsAre(80, 81, 82, 83, 84, 85));
  EXPECT_THAT(elements<uint8_t>(find("types.bool", DType::Bool)), ElementsAre(1, 0, 1, 0, 1, 0));
  EXPECT_THAT(find("scalar", DType::F32).shape, ElementsAre());
  EXPECT_THAT(elements<float>(find("scalar", DType::F32)), ElementsAre(7));
  EXPECT_THAT(find("empty", DType::F32).shape, ElementsAre(0, 4));
  EXPECT_EQ(file->find("types.f128"), nullptr);
  EXPECT_THAT(file->skipped(), ElementsAre());
}

INSTANTIATE_TEST_SUITE_P(Formats, AllTypes,
                         testing::Values("types.safetensors", "types.pth", "types_legacy.ckpt",
                                         "types_protocol3.pth", "types_protocol4.pth", "types_protocol5.pth",
                                         "types_unchecked.pth"));

TEST(TensorFile, KeepsSafetensorsMetadata) {
  const auto file = TensorFile::open(golden("types.safetensors"));
  EXPECT_THAT(file.value().metadata(),
              UnorderedElementsAre(testing::Pair("format", "pt"), testing::Pair("note", "gr\u00fc\u00df")));
}

TEST(TensorFile, BytesStayValidAfterTheFileObjectIsCopiedAndGone) {
  std::optional<TensorFile> copy;
  {
    const auto file = TensorFile::open(golden("types.pth"));
    copy = file.value();
  }
  EXPECT_THAT(elements<float>(*copy->find("scalar")), ElementsAre(7));
}

// base[i][j] = 1 + (6 i + j) / 8 for a 4 x 6 base.
TEST(TensorFile, NonContiguousTensorsAreUnfolded) {
  const auto file = TensorFile::open(golden("views.bin"));
  ASSERT_TRUE(is_ok(file));

  const TensorEntry& transposed = *file->find("transposed");
  EXPECT_THAT(transposed.shape, ElementsAre(6, 4));
  EXPECT_THAT(std::vector(elements<float>(transposed)).front(), 1.0f);
  EXPECT_FLOAT_EQ(elements<float>(transposed)[1], 1 + 6 / 8.0f);
  EXPECT_FLOAT_EQ(elements<float>(transposed)[4], 1 + 1 / 8.0f);
  EXPECT_THAT(elements<float>(*file->find("sliced")),
              ElementsAre(1.75, 2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75));
  EXPECT_THAT(elements<float>(*file->find("row")), ElementsAre(2.5, 2.625, 2.75, 2.875, 3, 3.125));
  EXPECT_THAT(elements<float>(*file->find("expanded")), ElementsAre(1, 1, 1, 1, 1, 1));
  EXPECT_THAT(elements<float>(*file->find("parameter")), ElementsAre(1, 1.125, 1.25, 1.375, 1.5, 1.625));
  EXPECT_EQ(file->find("row")->bytes.data(), file->find("whole")->bytes.data() + 2 * 6 * 4)
      << "contiguous views are not copied";
}

TEST(TensorFile, TrainingCheckpointGivesDottedNamesAndNamesWhatItSkips) {
  const auto file = TensorFile::open(golden("checkpoint.ckpt"));
  ASSERT_TRUE(is_ok(file));

  ASSERT_NE(file->find("state_dict.module.0.weight"), nullptr);
  EXPECT_THAT(elements<float>(*file->find("state_dict.module.0.bias")), ElementsAre(1, 1.125));
  EXPECT_NE(file->find("optimizer.state.0.exp_avg"), nullptr);
  EXPECT_THAT(file->skipped(), testing::Contains(HasSubstr("argparse.Namespace")));
}

TEST(TensorFile, AttacksAreRefusedByName) {
  const auto system = TensorFile::open(golden("attack_system.pth"));
  ASSERT_TRUE(fails_with(system, ErrorCode::Corrupt));
  EXPECT_THAT(system.error().message, HasSubstr("posix.system"));

  const auto eval = TensorFile::open(golden("attack_eval_legacy.pth"));
  ASSERT_TRUE(fails_with(eval, ErrorCode::Corrupt));
  EXPECT_THAT(eval.error().message, HasSubstr("eval"));
}

TEST(TensorFile, AnEmptyFileIsCalledOne) {
  const auto empty = TensorFile::parse({}, "unet.pth");

  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, ErrorCode::Corrupt);
  EXPECT_EQ(empty.error().message, "unet.pth is an empty file: fetch or write it again");
}

TEST(TensorFile, WholeModuleIsRefusedWithAdvice) {
  const auto file = TensorFile::open(golden("whole_module.pth"));
  ASSERT_TRUE(fails_with(file, ErrorCode::Unsupported));
  EXPECT_THAT(file.error().message, HasSubstr("torch.nn.modules.container.Sequential"));
  EXPECT_THAT(file.error().message, HasSubstr("state_dict()"));
}

TEST(TensorFile, ComplexTensorsAreUnsupportedNotGuessed) {
  const auto file = TensorFile::open(golden("complex.pth"));
  ASSERT_TRUE(fails_with(file, ErrorCode::Unsupported));
  EXPECT_THAT(file.error().message, HasSubstr("ComplexFloatStorage"));
}

TEST(TensorFile, ShardsAreReadThroughTheirIndexAndFolder) {
  for (const char* path : {"sharded", "sharded/model.safetensors.index.json"}) {
    const auto file = TensorFile::open(golden(path));
    ASSERT_TRUE(is_ok(file));
    EXPECT_THAT(elements<float>(*file->find("a.weight")), ElementsAre(1, 1.125, 1.25, 1.375));
    EXPECT_EQ(file->find("b.weight")->dtype, DType::F16);
    EXPECT_EQ(file->files().size(), 2u);
  }
}

TEST(TensorFile, MissingThingsAreNotFound) {
  const zt::test::TempFolder folder;
  EXPECT_TRUE(fails_with(TensorFile::open(folder / "none.safetensors"), ErrorCode::NotFound));
  const auto empty_folder = TensorFile::open(folder.path());
  ASSERT_TRUE(fails_with(empty_folder, ErrorCode::NotFound));
  EXPECT_THAT(empty_folder.error().message, HasSubstr("diffusion_pytorch_model"));
}

TEST(TensorFile, FolderPrefersSafetensorsThenBinThenAVariant) {
  const zt::test::TempFolder folder;
  const auto put = [&](const char* from, const char* to) {
    std::filesystem::copy_file(golden(from), folder / to);
  };

  put("types.safetensors", "diffusion_pytorch_model.fp16.safetensors");
  EXPECT_EQ(TensorFile::open(folder.path()).value().files().at(0).filename(),
            "diffusion_pytorch_model.fp16.safetensors");
  put("types.safetensors", "diffusion_pytorch_model.non_ema.safetensors");
  EXPECT_TRUE(fails_with(TensorFile::open(folder.path()), ErrorCode::InvalidArgument))
      << "two variants: which one?";
  put("types.pth", "pytorch_model.bin");
  EXPECT_EQ(TensorFile::open(folder.path()).value().files().at(0).filename(), "pytorch_model.bin");
  put("types.safetensors", "diffusion_pytorch_model.safetensors");
  EXPECT_EQ(TensorFile::open(folder.path()).value().files().at(0).filename(),
            "diffusion_pytorch_model.safetensors");
}

TEST(TensorFile, IndexIsNotAwaitedFromAPipe) {
  const zt::test::TempFolder folder;
  const auto pipe = zt::test::make_pipe(folder / "model.safetensors.index.json");
  bool is_refused = false;

  EXPECT_TRUE(zt::test::comes_back(
      pipe, [&] { is_refused = fails_with(TensorFile::open(folder.path()), ErrorCode::InvalidArgument); }));

  EXPECT_TRUE(is_refused);
}

TEST(TensorFile, IndexMayNotLeadOutOfItsFolderOrNameWhatIsNotThere) {
  const zt::test::TempFolder folder;
  const auto index = folder / "model.safetensors.index.json";
  std::filesystem::copy_file(golden("types.safetensors"), folder / "x.safetensors");
  const std::pair<const char*, ErrorCode> cases[] = {
      {R"({"weight_map": {"scalar": "../x.safetensors"}})", ErrorCode::Corrupt},
      {R"({"weight_map": {"scalar": "/etc/passwd"}})", ErrorCode::Corrupt},
      {R"({"weight_map": {"scalar": 3}})", ErrorCode::Corrupt},
      {R"({"weight_map": {}})", ErrorCode::Corrupt},
      {R"({"weight_map": {"scalar": "x.safetensors")", ErrorCode::Corrupt},
      {R"([1])", ErrorCode::Corrupt},
      {R"({"weight_map": {"other": "x.safetensors"}})", ErrorCode::Corrupt},
      {R"({"weight_map": {"scalar": "y.safetensors"}})", ErrorCode::NotFound},
  };
  for (const auto& [json, code] : cases) {
    ASSERT_TRUE(files::write_atomic(index, json));
    EXPECT_TRUE(fails_with(TensorFile::open(index), code)) << json;
  }
  ASSERT_TRUE(files::write_atomic(index, R"({"weight_map": {"scalar": "x.safetensors"}})"));
  EXPECT_THAT(test::names_of(TensorFile::open(index).value().entries()), ElementsAre("scalar"));
}

}  // namespace
}  // namespace zt::weights
