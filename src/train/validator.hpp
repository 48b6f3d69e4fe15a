// SPDX-License-Identifier: Apache-2.0
// Validates a run now and then: the fixed-noise loss, which decides what "best" means, and clips for eyes.
// Uses averaged weights where there are some.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "train/journal/journal.hpp"
#include "train/launch/setup.hpp"
#include "train/pass/forward.hpp"
#include "train/pass/validation.hpp"

namespace zt::train {

class Validator {
 public:
  /// Encodes the samples of the loss, if the configuration wants it. Everything given by reference must
  /// outlive the validator. `samples`: folder of the clips. Errors: those of ValidationSet::open and of
  /// Ranks. With several ranks the first validates; the others, which all call this too, wait for it and lend
  /// it their averages.
  static Result<Validator> open(Setup& setup, const ForwardRules& rules, std::filesystem::path samples,
                                Journal& journal, const std::function<bool()>& should_stop);

  /// What the configuration wants validated at the cursor's step and has not been yet. Every rank calls it.
  /// Errors: that of making the clips' folder; those of Ranks.
  Status run(bool with_clips);
  /// The loss of the weights at `step`; nothing if they were not validated.
  std::optional<double> loss_at(int64_t step) const;
  /// What the last validation with clips took: the one at the run's end will take as long.
  double clips_s() const { return clips_s_; }

 private:
  Validator(Setup& setup, const ForwardRules& rules, std::filesystem::path samples, Journal& journal)
      : setup_(setup), rules_(rules), samples_(std::move(samples)), journal_(journal) {}
  Status open_set(const std::function<bool()>& should_stop);
  void measure_loss(const StepNetworks& nets);
  Status measure(bool wants_loss, bool wants_clips);
  Setup& setup_;
  const ForwardRules& rules_;
  std::filesystem::path samples_;
  Journal& journal_;
  std::optional<ValidationSet> set_;  ///< nothing if no loss is wanted, or none of its samples can be read
  int64_t loss_step_ = -1;
  int64_t clips_step_ = -1;
  double loss_ = 0;
  double clips_s_ = 0;
};

}  // namespace zt::train
