// SPDX-License-Identifier: Apache-2.0
// A folder of tensors made by the reference's Python code (layout: tests/parity/README.md). Everything
// missing or malformed throws std::runtime_error with the name: such a folder can't be checked.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "diffusion/noise_schedule.hpp"
#include "models/clip_vision/clip_vision.hpp"
#include "models/network_set.hpp"
#include "models/vae/vae_codec.hpp"
#include "weights/tensor_file.hpp"

namespace zt::parity {

/// The value, or an exception with the error's text.
template <class T>
T unwrap(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return *std::move(result);
}
inline void unwrap(const Status& status) {
  if (!status) throw std::runtime_error(status.error().text());
}

class FixtureFolder {
 public:
  /// `device`: where the networks and their inputs lie.
  FixtureFolder(std::filesystem::path folder, at::Device device);

  at::Device device() const { return device_; }

  bool has(const std::string& file) const;
  bool has(const std::string& file, const std::string& tensor) const;
  /// A copy in the stored type.
  at::Tensor get(const std::string& file, const std::string& tensor) const;
  /// The same on the device.
  at::Tensor input(const std::string& file, const std::string& tensor) const {
    return get(file, tensor).to(device_);
  }
  /// Tensors of a file whose name begins with `prefix`.
  std::vector<std::string> names(const std::string& file, const std::string& prefix) const;
  /// The manifest's suggested absolute tolerance of a tensor.
  double tolerance(const std::string& file, const std::string& tensor) const;

  const nlohmann::json& manifest() const { return manifest_; }
  bool has_json(const std::string& stem) const;
  nlohmann::json json(const std::string& stem) const;

  /// The manifest's "scheduler_train" or "scheduler_infer".
  diffusion::NoiseSchedule schedule(const std::string& key) const;

  /// The three networks with their weights; with motion modules for stage 2. Trainable: the manifest's list.
  models::NetworkSet networks(int stage) const;
  std::unique_ptr<models::VaeCodec> vae() const;
  models::ClipVisionConfig clip_config() const;
  /// Holds the image encoder's weights as network "clip".
  std::unique_ptr<params::ParamStore> clip_store() const;

 private:
  std::string config(const std::string& stem) const;
  weights::TensorFile weights(const std::string& stem) const;
  const weights::TensorFile& file(const std::string& stem) const;
  std::filesystem::path folder_;
  at::Device device_;
  nlohmann::json manifest_;
  mutable std::map<std::string, weights::TensorFile> files_;
};

}  // namespace zt::parity
