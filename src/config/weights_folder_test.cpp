// SPDX-License-Identifier: Apache-2.0
#include "config/weights_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {
namespace {

using testing::HasSubstr;

TEST(WeightsFolder, FindsWhatIsThereByItsNames) {
  const test::TempFolder folder;
  for (const char* name : {"denoising_unet.pth", "pose_guider.safetensors", "notes.txt"})
    ASSERT_TRUE(files::write_atomic(folder / name, "x"));
  for (const char* name : {"motion_adapter", "sd-vae-ft-mse"})
    ASSERT_TRUE(files::make_folders(folder / name));

  const auto found = find_weights(folder.path());

  ASSERT_TRUE(found) << found.error().text();
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [key, value] : *found) pairs.emplace_back(key, value);
  EXPECT_EQ(pairs, (std::vector<std::pair<std::string, std::string>>{
                       {"denoising_unet_path", folder / "denoising_unet.pth"},
                       {"pose_guider_path", folder / "pose_guider.safetensors"},
                       {"mm_path", folder / "motion_adapter"},
                       {"vae_model_path", folder / "sd-vae-ft-mse"}}));
}

TEST(WeightsFolder, LeavesGivenPathsAndNamesWhatIsMissing) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "denoising_unet.pth", "x"));
  ModelJob given;
  given.denoising_unet_path = "mine";
  given.reference_unet_path = "mine too";

  const auto missing = files_of_folder(folder.path(), given);
  given.pose_guider_path = given.vae_model_path = given.image_encoder_path = "there";
  const auto whole = files_of_folder(folder.path(), given);

  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("pose_guider.pth, pose_guider.safetensors"));
  EXPECT_THAT(missing.error().message, HasSubstr("model.pose_guider_path"));
  ASSERT_TRUE(whole) << whole.error().text();
  EXPECT_EQ(whole->denoising_unet_path, "mine");
  EXPECT_EQ(whole->mm_path, "");
}

TEST(WeightsFolder, ThatIsNotThereIsNamed) {
  EXPECT_EQ(find_weights("nowhere").error().code, ErrorCode::NotFound);
  EXPECT_EQ(files_of_folder("nowhere", {}).error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace zt::config
