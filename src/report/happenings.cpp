// SPDX-License-Identifier: Apache-2.0
#include "report/happenings.hpp"

#include <fmt/format.h>

#include <chrono>

#include "base/text/text.hpp"

namespace zt::report {
namespace {

using namespace contract;

std::string seconds(double s) { return text::duration(std::chrono::duration<double>(s)); }

struct Words {
  const Event& event;

  std::string operator()(const AttemptStarted& e) const {
    const bool is_alone = e.world_size == 1;
    return fmt::format("started on {}: {}{}, {} thread{}{}, {}", e.host,
                       is_alone ? "" : fmt::format("{} ranks, the first on ", e.world_size), e.device,
                       e.threads, e.threads == 1 ? "" : "s", is_alone ? "" : " each",
                       e.checkpoint.empty() ? "from the start" : "going on from " + e.checkpoint);
  }
  std::string operator()(const AttemptReady& e) const {
    return fmt::format("ready after {}: {} parameters train, {} are frozen", seconds(e.seconds),
                       e.trainable_parameters, e.frozen_parameters);
  }
  std::string operator()(const AttemptFinished& e) const {
    return fmt::format("{} at step {}{}", e.outcome, e.step, e.message.empty() ? "" : ": " + e.message);
  }
  std::string operator()(const StopRequested& e) const {
    return fmt::format("asked to stop at step {} (signal {})", e.step, e.signal);
  }
  std::string operator()(const CheckpointSaved& e) const {
    return fmt::format("checkpoint {} saved, {}", e.name, text::bytes(static_cast<uint64_t>(e.bytes)));
  }
  std::string operator()(const CheckpointRemoved&) const { return ""; }
  std::string operator()(const CheckpointRefused& e) const {
    return fmt::format("checkpoint {} was not usable: {}", e.name, e.reason);
  }
  std::string operator()(const StateRestored& e) const {
    return fmt::format("restored step {}: {}", e.step, e.tiers);
  }
  std::string operator()(const ValidationDone& e) const {
    return fmt::format("validation at step {}: loss {:.4g}{}", e.step, e.loss,
                       e.is_best ? ", the best so far" : "");
  }
  std::string operator()(const SampleWritten&) const { return ""; }
  std::string operator()(const StepSkipped& e) const {
    return fmt::format("step {} left out: {}", e.step, e.reason);
  }
  std::string operator()(const ScheduleChanged& e) const {
    return fmt::format("from step {} on, {} steps are planned: {}", e.step, e.total_steps, e.reason);
  }
  std::string operator()(const FaultFound& e) const {
    return fmt::format("step {}: a fault was found ({}): {}; {}", e.step, e.cause, e.what, e.action);
  }
  std::string operator()(const Warning& e) const {
    return fmt::format("warning of {}: {}", e.component, e.message);
  }
  std::string operator()(const UnknownEvent& e) const { return fmt::format("{}: {}", e.type, event.json); }
};

}  // namespace

std::string in_words(const Event& event) { return std::visit(Words{event}, event.body); }

}  // namespace zt::report
