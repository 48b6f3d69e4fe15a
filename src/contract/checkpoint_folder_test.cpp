// SPDX-License-Identifier: Apache-2.0
#include "contract/checkpoint_folder.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::contract {
namespace {

namespace fs = std::filesystem;

Manifest manifest_of(int64_t step, double val_loss) {
  Manifest m;
  m.step = step;
  m.run_id = "a-00000001";
  m.files = {{"rank-00000.safetensors", 5, "a"}, {"rank-00001.safetensors", 7, "b"}};
  m.tensors = {{"param/x", "F32", {1}, {{0, "param/x", 0, 1}}}};
  m.metrics["val_loss"] = val_loss;
  return m;
}

fs::path write(const test::TempFolder& folder, const Manifest& manifest) {
  const fs::path path = folder / checkpoint_name(manifest.step);
  EXPECT_TRUE(files::make_folders(path));
  EXPECT_TRUE(files::write_atomic(path / "manifest.json", to_json(manifest)));
  return path;
}

}  // namespace

TEST(CheckpointFolder, SkipsUnfinishedSavesAndNamesDefects) {
  const test::TempFolder folder;
  write(folder, manifest_of(1200, 0.25));
  ASSERT_TRUE(files::make_folders(folder / "step-00001300.zt-tmp.0123456789abcdef"));
  ASSERT_TRUE(files::make_folders(folder / "step-00001250"));

  const auto found = list_checkpoints(folder.path());

  ASSERT_EQ(found.size(), 2u);
  EXPECT_FALSE(found[0].defect);
  EXPECT_EQ(found[0].metrics.at("val_loss"), 0.25);
  EXPECT_EQ(found[0].size_bytes(), 5 + 7 + fs::file_size(found[0].folder / "manifest.json"));
  EXPECT_EQ(found[1].step, 1250);
  EXPECT_TRUE(found[1].defect);
}

TEST(CheckpointFolder, NamesAFolderThatHoldsAnotherStep) {
  const test::TempFolder folder;
  fs::rename(write(folder, manifest_of(1200, 0.25)), folder / checkpoint_name(9999));

  const auto found = list_checkpoints(folder.path());

  ASSERT_EQ(found.size(), 1u);
  ASSERT_TRUE(found[0].defect);
  EXPECT_EQ(found[0].defect->code, ErrorCode::Corrupt);
}

TEST(CheckpointFolder, ReadsAManifestAgainOnlyWhenItIsAnother) {
  const test::TempFolder folder;
  const fs::path kept = write(folder, manifest_of(1, 0.5)) / "manifest.json";
  CheckpointFolder checkpoints(folder.path());
  ASSERT_EQ(checkpoints.list().size(), 1u);
  // Changed behind its back, with inode, size and time as before: a look does not read it.
  struct stat before {};
  ASSERT_EQ(::stat(kept.c_str(), &before), 0);
  std::string text = *files::read(kept);
  text.replace(text.find("0.5"), 3, "0.7");
  std::fstream(kept, std::ios::in | std::ios::out) << text;
  const timespec times[] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, kept.c_str(), times, 0), 0);
  EXPECT_EQ(checkpoints.list()[0].metrics.at("val_loss"), 0.5);

  write(folder, manifest_of(1, 0.6));
  write(folder, manifest_of(2, 0.4));
  const auto found = checkpoints.list();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].metrics.at("val_loss"), 0.6);
  EXPECT_EQ(found[1].metrics.at("val_loss"), 0.4);

  fs::remove_all(folder / checkpoint_name(1));
  EXPECT_EQ(checkpoints.list().size(), 1u);
}

TEST(CheckpointFolder, LooksAgainAtADefect) {
  const test::TempFolder folder;
  const fs::path manifest = write(folder, manifest_of(1, 0.5)) / "manifest.json";
  const std::string whole = *files::read(manifest);
  ASSERT_TRUE(files::write_atomic(manifest, "{}"));
  CheckpointFolder checkpoints(folder.path());
  EXPECT_TRUE(checkpoints.list()[0].defect);

  ASSERT_TRUE(files::write_atomic(manifest, whole));
  EXPECT_FALSE(checkpoints.list()[0].defect);
}

}  // namespace zt::contract
