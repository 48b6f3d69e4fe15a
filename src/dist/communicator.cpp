// SPDX-License-Identifier: Apache-2.0
#include "dist/communicator.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <limits>
#include <span>
#include <utility>

#include "base/hash.hpp"
#include "dist/backends/backend.hpp"
#include "dist/tree_sum.hpp"
#include "tensor/require.hpp"

namespace zt::dist {
namespace {

bool is_flat(const at::Tensor& tensor) {
  return tensor.defined() && tensor.dim() == 1 && tensor.is_contiguous();
}

void require_summable(const at::Tensor& tensor) {
  ZT_REQUIRE(at::isFloatingType(tensor.scalar_type()) || tensor.scalar_type() == at::kLong,
             "wanted a floating-point or int64 tensor to reduce, got ", tensor);
}

void require_parts(const at::Tensor& whole, const at::Tensor& part, int size) {
  ZT_REQUIRE(is_flat(whole) && is_flat(part) && whole.scalar_type() == part.scalar_type() &&
                 whole.numel() == part.numel() * size,
             "wanted flat tensors of one type, one ", size, " times as long as the other, got ", whole,
             " and ", part);
}

}  // namespace

Status Pending::wait(clock::Deadline deadline) { return group_->wait(sequence_, deadline); }

Communicator::Communicator(GroupIdentity identity, std::unique_ptr<Backend> backend)
    : identity_(std::move(identity)), backend_(std::move(backend)) {}

Communicator::~Communicator() = default;

std::string_view Communicator::backend() const { return backend_->name(); }
at::DeviceType Communicator::device_type() const { return backend_->device_type(); }
void Communicator::abort() { backend_->abort(); }

Pending Communicator::all_gather_into(const at::Tensor& output, const at::Tensor& input,
                                      std::string_view label) {
  require_parts(output, input, size());
  return start(Collective::AllGather, label, output, {{Primitive::AllGather, input, output}});
}

Pending Communicator::reduce_scatter_into(const at::Tensor& output, const at::Tensor& input,
                                          std::string_view label) {
  require_parts(input, output, size());
  require_summable(input);
  return start(Collective::ReduceScatter, label, input, {{Primitive::ReduceScatter, input, output}});
}

Pending Communicator::all_reduce(const at::Tensor& buffer, Reduction reduction, std::string_view label) {
  ZT_REQUIRE(is_flat(buffer), "wanted a flat tensor, got ", buffer);
  require_summable(buffer);
  const int64_t part = buffer.numel() / size();
  if (reduction == Reduction::Max || part == 0 || static_cast<int64_t>(buffer.nbytes()) <= kSmallBytes)
    return start(Collective::AllReduce, label, buffer, {gather_and_reduce(buffer, reduction)});
  const at::Tensor even = buffer.narrow(0, 0, part * size());
  const at::Tensor mine = buffer.narrow(0, part * rank(), part);
  std::vector<Operation> parts{{Primitive::ReduceScatter, even, mine}, {Primitive::AllGather, mine, even}};
  parts.back().follows = true;
  if (even.numel() < buffer.numel()) {
    const at::Tensor rest = buffer.narrow(0, even.numel(), buffer.numel() - even.numel());
    parts.push_back(gather_and_reduce(rest, reduction));
  }
  return start(Collective::AllReduce, label, buffer, std::move(parts));
}

Pending Communicator::broadcast(const at::Tensor& buffer, int root, std::string_view label) {
  ZT_REQUIRE(is_flat(buffer), "wanted a flat tensor, got ", buffer);
  ZT_REQUIRE(root >= 0 && root < size(), "wanted a root below ", size(), ", got ", root);
  return start(Collective::Broadcast, label, buffer, {{Primitive::Broadcast, {}, buffer, root}});
}

Pending Communicator::barrier(std::string_view label) {
  const at::Tensor nothing = at::empty({0}, at::TensorOptions(at::kByte).device(backend_->device_type()));
  return start(Collective::Barrier, label, nothing, {{Primitive::AllGather, nothing, nothing}});
}

Operation Communicator::gather_and_reduce(const at::Tensor& buffer, Reduction reduction) const {
  const at::Tensor all = at::empty({buffer.numel() * size()}, buffer.options().requires_grad(false));
  Operation gather{Primitive::AllGather, buffer, all};
  gather.then = [buffer, all, reduction, ranks = size()] {
    if (reduction == Reduction::Sum)
      tree_sum(buffer, all.chunk(ranks));
    else
      buffer.copy_(all.view({ranks, -1}).amax(0));
  };
  return gather;
}

Pending Communicator::start(Collective counted_as, std::string_view label, const at::Tensor& larger,
                            std::vector<Operation> parts) {
  ZT_REQUIRE(larger.device().type() == backend_->device_type(), "wanted a tensor on ",
             at::DeviceTypeName(backend_->device_type()), ", got one on ", larger.device().str());
  const at::NoGradGuard no_grad;  // parameters and their views may require gradients
  const uint64_t last = started_ + parts.size();
  traffic_.add_operation(counted_as);
  uint64_t print = hash::xxh64(label);
  for (Operation& part : parts) {
    const std::array<int64_t, 4> facts{static_cast<int64_t>(part.kind), part.output.numel(),
                                       static_cast<int64_t>(part.output.scalar_type()), part.root};
    print = hash::xxh64(std::as_bytes(std::span(facts)), print);
    part.fingerprint = static_cast<uint32_t>(print);
  }
  flight_->started({.sequence = last,
                    .kind = counted_as,
                    .label = std::string(label),
                    .bytes = static_cast<int64_t>(larger.nbytes()),
                    .fingerprint = static_cast<uint32_t>(print)});
  for (Operation& part : parts) {
    part.sequence = ++started_;
    count(counted_as, part);
    if (!failure_) backend_->start(std::move(part));
  }
  return {*this, last};
}

void Communicator::count(Collective counted_as, const Operation& part) {
  const int64_t others = size() - 1;
  const auto element_bytes = static_cast<int64_t>(part.output.element_size());
  if (part.kind == Primitive::Broadcast) {
    const bool is_root = part.root == rank();
    const int64_t all = part.output.numel();
    traffic_.add_elements(counted_as, is_root ? others * all : 0, is_root ? 0 : all, element_bytes);
    return;
  }
  const int64_t elements =
      others * (part.kind == Primitive::AllGather ? part.input.numel() : part.output.numel());
  traffic_.add_elements(counted_as, elements, elements, element_bytes);
}

Status Communicator::wait(uint64_t sequence, clock::Deadline deadline) {
  if (failure_) return fail(failure_->error);
  if (sequence <= completed_) return {};
  const at::NoGradGuard no_grad;
  const clock::Stopwatch watch;
  const Outcome outcome = finish(sequence, deadline);
  if (outcome.kind != Outcome::Kind::Done) return fail_group(outcome, watch.seconds());
  completed_ = sequence;
  flight_->end_up_to(sequence, FlightState::Complete);
  return {};
}

Outcome Communicator::finish(uint64_t sequence, clock::Deadline deadline) {
  const std::optional<FlightEntry> entry = observer_ ? flight_->entry(sequence) : std::nullopt;
  if (entry) observer_->wait_begins(*entry);
  Outcome outcome = backend_->finish(sequence, deadline);
  if (entry) observer_->wait_ends();
  return outcome;
}

Status Communicator::fail_group(const Outcome& outcome, double waited_s) {
  Failure failure;
  failure.sequence = outcome.sequence;
  if (const std::optional<FlightEntry> entry = flight_->entry(outcome.sequence)) {
    failure.operation = name(entry->kind);
    failure.label = entry->label;
  }
  for (const int lost : outcome.ranks)
    failure.world_ranks.push_back(identity_.members[static_cast<size_t>(lost)].world_rank);
  const std::string who = describe({rank()});
  const std::string them = describe(outcome.ranks);
  const std::string what =
      fmt::format("{} {} (operation {} of group {}, attempt {})", failure.label, failure.operation,
                  outcome.sequence, identity_.name, identity_.generation);
  switch (outcome.kind) {
    case Outcome::Kind::Done:
    case Outcome::Kind::PeerLost:
      failure.error = {ErrorCode::PeerLost, fmt::format("{} is gone: {} can't finish {}", them, who, what)};
      break;
    case Outcome::Kind::Timeout:
      failure.error = {ErrorCode::Timeout,
                       fmt::format("{} waited {:.1f} s for {} in {}", who, waited_s, them, what)};
      break;
    case Outcome::Kind::Cancelled:
      failure.error = {ErrorCode::Cancelled, fmt::format("{} was told to give up {}", who, what)};
      break;
    case Outcome::Kind::Diverged:
      failure.error = {
          ErrorCode::Internal,
          fmt::format("{} does not do what {} does in {}: their schedules differ", them, who, what)};
      break;
  }
  if (!outcome.detail.empty()) failure.error.contexts.push_back(outcome.detail);
  flight_->end_up_to(outcome.sequence - 1, FlightState::Complete);
  flight_->end_up_to(std::numeric_limits<uint64_t>::max(), FlightState::Failed);
  failure_ = std::move(failure);
  return fail(failure_->error);
}

std::string Communicator::describe(const std::vector<int>& ranks) const {
  std::vector<std::string> names;
  for (const int one : ranks) {
    const Member& member = identity_.members[static_cast<size_t>(one)];
    names.push_back(fmt::format("rank {} on {}", member.world_rank, member.host));
  }
  return names.empty() ? "a rank" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace zt::dist
