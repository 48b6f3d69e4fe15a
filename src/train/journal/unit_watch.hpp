// SPDX-License-Identifier: Apache-2.0
// Says in the progress words which unit is at work, in front of whoever brings its weights.
#pragma once

#include <string>
#include <thread>

#include "params/param_store.hpp"
#include "train/journal/rank_words.hpp"

namespace zt::train {

class UnitWatch final : public params::UnitGate {
 public:
  /// Becomes the store's gate, before the one that it has. All three must outlive this. Lanes on other
  /// threads than the caller's are not told of: the first one speaks for those beside it.
  UnitWatch(params::ParamStore& store, RankWords& words)
      : store_(store), words_(words), inner_(store.gate()) {
    store_.set_gate(this);
  }
  ~UnitWatch() override {
    if (store_.gate() == this) store_.set_gate(inner_);
  }
  UnitWatch(const UnitWatch&) = delete;
  UnitWatch& operator=(const UnitWatch&) = delete;

  void before_forward(const std::string& unit) override {
    tell(contract::Activity::Forward, unit);
    if (inner_) inner_->before_forward(unit);
  }
  void after_forward(const std::string& unit) override {
    if (inner_) inner_->after_forward(unit);
  }
  void before_backward(const std::string& unit) override {
    tell(contract::Activity::Backward, unit);
    if (inner_) inner_->before_backward(unit);
  }
  void after_backward(const std::string& unit) override {
    if (inner_) inner_->after_backward(unit);
  }

 private:
  void tell(contract::Activity activity, const std::string& unit) {
    if (std::this_thread::get_id() == thread_) words_.work_on(activity, unit);
  }
  params::ParamStore& store_;
  RankWords& words_;
  params::UnitGate* const inner_;
  const std::thread::id thread_ = std::this_thread::get_id();
};

}  // namespace zt::train
