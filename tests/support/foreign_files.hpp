// SPDX-License-Identifier: Apache-2.0
// What the tests of accelerate's and DeepSpeed's files share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/files/files.hpp"
#include "config/foreign/foreign_files.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {

inline const std::string kSample = ZT_SOURCE_DIR "/src/config/testdata/foreign/ds_config.yaml";
inline const std::string kMoore = ZT_SOURCE_DIR "/src/config/testdata/moore/configs/train/stage1.yaml";
inline const std::string kMicro = R"("train_micro_batch_size_per_gpu": "auto")";

class ForeignFilesTest : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(files::write_atomic(folder_ / name, text));
    return folder_ / name;
  }

  /// A job (YAML, overrides) on so many ranks with the files on top.
  Result<Resolved<TrainJob>> with(const ForeignFiles& files, const std::string& job = "",
                                  std::vector<std::string> sets = {}, int64_t ranks = 1) {
    const auto file = job.empty() ? std::filesystem::path() : write("job.yaml", job);
    ZT_TRY_ASSIGN(Resolved<TrainJob> resolved, load<TrainJob>({file, std::move(sets)}));
    ZT_TRY(add_foreign(files, ranks, resolved));
    effects_ = resolved.effects;
    return resolved;
  }
  /// The same for a DeepSpeed JSON with these keys and a batch size.
  Result<Resolved<TrainJob>> deepspeed(const std::string& keys, const std::string& job = "",
                                       std::vector<std::string> sets = {}, int64_t ranks = 1) {
    return with({"", write("ds.json", "{" + kMicro + (keys.empty() ? "" : ",\n" + keys) + "}")}, job,
                std::move(sets), ranks);
  }
  Result<Resolved<TrainJob>> accelerate(const std::string& text, const std::string& job = "",
                                        int64_t ranks = 1) {
    return with({write("accel.yaml", text), ""}, job, {}, ranks);
  }

  template <class T>
  static std::string message(const Result<T>& result) {
    return result ? "accepted" : result.error().message;
  }

  std::string effect(const std::string& key) const {
    const auto found = std::ranges::find(effects_, key, &Effect::key);
    return found == effects_.end() ? "no row" : found->effect;
  }

  test::TempFolder folder_;
  std::vector<Effect> effects_;
};

}  // namespace zt::config
