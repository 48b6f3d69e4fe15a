// SPDX-License-Identifier: Apache-2.0
// The transports there are. A new one is a source of its own and one row of backend_table().
#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "dist/backends/backend.hpp"
#include "dist/communicator.hpp"
#include "rendezvous/client.hpp"

namespace zt::dist {

/// What a backend needs to connect. The ranks have met: all know all members.
struct Meeting {
  std::shared_ptr<rendezvous::Client> store;
  std::string prefix;  ///< of the group's keys in the store
  int rank = 0;
  std::vector<Member> members;
  std::vector<std::string> host_identities;  ///< of the members
  std::string address;                       ///< where other hosts reach this rank
  at::Device device = at::kCPU;              ///< where this rank's buffers lie
  clock::Deadline deadline;
  std::chrono::milliseconds compare_after{};  ///< as GroupOptions::compare_after

  int size() const { return static_cast<int>(members.size()); }
};

/// Errors: Unsupported if it can't serve this group; then on every rank alike, so that all try the next one.
using MakeBackend = Result<std::unique_ptr<Backend>> (*)(const Meeting& meeting);

struct BackendRow {
  std::string_view name;
  at::DeviceType device;  ///< of the buffers it moves
  MakeBackend make;
};
/// In the order in which "auto" tries those of a device.
std::span<const BackendRow> backend_table();

/// Ranks of one host, through one shared segment (exchange/). Torch's own threads aside, it starts none.
Result<std::unique_ptr<Backend>> make_shared_memory(const Meeting& meeting);
/// Ranks anywhere, over TCP: send and receive of c10d's ProcessGroupGloo.
Result<std::unique_ptr<Backend>> make_gloo(const Meeting& meeting);
/// Ranks with a GPU each, through NCCL.
Result<std::unique_ptr<Backend>> make_nccl(const Meeting& meeting);
/// One rank, which exchanges nothing. Not in the table: form_group() takes it for groups of one.
std::unique_ptr<Backend> make_alone(at::DeviceType device);

/// Tells all ranks whether this one succeeded, and returns Ok only if all did; else Unsupported with the
/// first failing rank's reason, on every rank alike. Errors of the store come through.
Status agree(const Meeting& meeting, std::string_view topic, const Status& mine);

}  // namespace zt::dist
