// SPDX-License-Identifier: Apache-2.0
// The backend of a group of one.
#include <ATen/ATen.h>

#include <atomic>
#include <utility>

#include "dist/backends/backends.hpp"

namespace zt::dist {
namespace {

class Alone final : public Backend {
 public:
  explicit Alone(at::DeviceType device) : device_(device) {}
  std::string_view name() const override { return "alone"; }
  at::DeviceType device_type() const override { return device_; }
  void start(Operation operation) override {
    if (operation.kind != Primitive::Broadcast && operation.input.data_ptr() != operation.output.data_ptr())
      operation.output.copy_(operation.input);
    if (operation.then) operation.then();
  }
  Outcome finish(uint64_t sequence, clock::Deadline) override {
    return {is_aborted_ ? Outcome::Kind::Cancelled : Outcome::Kind::Done, sequence, {}, {}};
  }
  void abort() override { is_aborted_ = true; }

 private:
  const at::DeviceType device_;
  std::atomic<bool> is_aborted_ = false;
};

}  // namespace

std::unique_ptr<Backend> make_alone(at::DeviceType device) { return std::make_unique<Alone>(device); }

}  // namespace zt::dist
