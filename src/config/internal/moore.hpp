// SPDX-License-Identifier: Apache-2.0
// MooreThreads/Moore-AnimateAnyone's yaml files as they stand: stage1.yaml, stage2.yaml; animation.yaml with
// the inference_v1.yaml or inference_v2.yaml it names. A file is known by its keys. Its values are explicit
// settings; what it leaves open has our defaults, or the reference's with --set compat=moore
// (docs/decisions/0001-moore-files.md).
#pragma once

#include <string>
#include <vector>

#include "config/effect.hpp"
#include "config/internal/settings.hpp"
#include "config/internal/yaml.hpp"

namespace zt::config {

bool is_moore_train(const YamlNode& root);
bool is_moore_generate(const YamlNode& root);

/// What becomes of the keys that a file does not have.
Effect left_open(const Source& source);

struct MooreTrain {
  Batch batch;
  std::vector<Effect> effects;
};
Result<MooreTrain> read_moore_train(const Source& source, const YamlNode& root);

struct MooreGenerate {
  /// One per reference and pose of test_cases; one when there are none.
  std::vector<std::vector<Batch>> jobs;
  std::vector<Effect> effects;
};
/// Also reads the file inference_config names. Errors: NotFound when it is not there.
Result<MooreGenerate> read_moore_generate(const Source& source, const YamlNode& root);

}  // namespace zt::config
