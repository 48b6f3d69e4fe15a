// SPDX-License-Identifier: Apache-2.0
// Google's LiteRT, opened at run time from the shared library that scripts/setup takes out of the Python
// package ai-edge-litert. The package has no headers; litert.cpp declares the few calls that are needed, as
// google-ai-edge/LiteRT has them under litert/c (symbol version VERS_1.0).
#pragma once

#include <filesystem>
#include <memory>

#include "base/error.hpp"
#include "data/pose/blazepose/tflite_model.hpp"

namespace zt::data {

/// The opened library. Models keep it alive. Threads: any.
class LiteRt : public std::enable_shared_from_this<LiteRt> {
 public:
  /// Errors: NotFound if there is no such file; Unsupported if it can't be loaded or lacks a call (another
  /// version).
  static Result<std::shared_ptr<LiteRt>> open(const std::filesystem::path& library);
  ~LiteRt();

  /// Compiles the graph for the CPU. Requires: the file is what its maker wrote; LiteRT does not check it and
  /// may crash on a damaged one. Errors: NotFound; Corrupt if it is no model at all; Unsupported if it has
  /// not one float input and float outputs of known shapes.
  Result<std::unique_ptr<TfliteModel>> load(const std::filesystem::path& model, int num_threads = 1);

 private:
  struct Api;
  class Model;
  explicit LiteRt(std::unique_ptr<Api> api);
  std::unique_ptr<Api> api_;
};

}  // namespace zt::data
