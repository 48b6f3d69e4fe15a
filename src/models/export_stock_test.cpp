// SPDX-License-Identifier: Apache-2.0
// What we write is what the programs it is for have themselves. testdata/stock_networks.json: names, shapes,
// types and settings of stock diffusers' and transformers' classes, made for tests/parity/configs by
// scripts/check_exports --pin; that script also loads our files there. The files in tests/parity/weights have
// the reference's own names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "models/export_folder.hpp"
#include "support/parity_networks.hpp"
#include "support/temp_folder.hpp"

namespace zt::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::parity_internal::value_of;
using ::testing::ContainerEq;

/// Type and shape by name.
using Tensors = std::map<std::string, std::pair<std::string, std::vector<int64_t>>>;

Tensors tensors_of(const fs::path& path) {
  const auto file = value_of(weights::TensorFile::open(path));
  Tensors tensors;
  for (const weights::TensorEntry& entry : file.entries())
    tensors[entry.name] = {std::string(weights::name(entry.dtype)), entry.shape};
  return tensors;
}

json json_of(const fs::path& path) { return json::parse(value_of(files::read(path))); }

class ExportedParityNetworks : public ::testing::Test {
 protected:
  void write(config::ExportLayout layout) {
    const test::ParityNetworks networks = test::load_parity_networks(/*motion=*/true);
    const Status status = export_networks(networks.set, networks.codec.get(), networks.image_encoder.get(),
                                          folder_.path(), layout);
    ASSERT_TRUE(status) << status.error().text();
  }
  const test::TempFolder folder_;
};

TEST_F(ExportedParityNetworks, HaveTheTensorsAndSettingsOfTheStockClasses) {
  ASSERT_NO_FATAL_FAILURE(write(config::ExportLayout::Diffusers));
  const json stock = json_of(fs::path(ZT_SOURCE_DIR) / "src/models/testdata/stock_networks.json");

  for (const auto& [network, cls, file] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"reference_unet", "UNet2DConditionModel", "diffusion_pytorch_model"},
           {"denoising_unet", "UNet2DConditionModel", "diffusion_pytorch_model"},
           {"motion_adapter", "MotionAdapter", "diffusion_pytorch_model"},
           {"vae", "AutoencoderKL", "diffusion_pytorch_model"},
           {"image_encoder", "CLIPVisionModelWithProjection", "model"}}) {
    Tensors wanted;
    for (const auto& [name, type_and_shape] : stock.at(cls).at("tensors").items()) {
      const std::string type = type_and_shape.at(0);
      wanted[name] = {type, std::vector<int64_t>(type_and_shape.begin() + 1, type_and_shape.end())};
    }
    EXPECT_THAT(tensors_of(folder_ / network / (file + ".safetensors")), ContainerEq(wanted)) << network;

    const json config = json_of(folder_ / network / "config.json");
    for (const auto& [key, value] : stock.at(cls).at("config").items())
      EXPECT_EQ(config.value(key, json()), value) << network << "/config.json: " << key;
  }
}

TEST_F(ExportedParityNetworks, HaveTheTensorsOfTheReferencesFiles) {
  ASSERT_NO_FATAL_FAILURE(write(config::ExportLayout::Moore));

  for (const std::string network : {"reference_unet", "denoising_unet", "motion_module", "pose_guider"}) {
    Tensors wanted =
        tensors_of(fs::path(ZT_SOURCE_DIR) / "tests/parity/weights" / (network + ".safetensors"));
    for (auto& [name, type_and_shape] : wanted) type_and_shape.first = "F32";  // kept there in half precision
    EXPECT_THAT(tensors_of(folder_ / (network + ".pth")), ContainerEq(wanted)) << network;
  }
}

}  // namespace
}  // namespace zt::models
