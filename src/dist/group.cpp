// SPDX-License-Identifier: Apache-2.0
#include "dist/group.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.hpp"
#include "base/host_name.hpp"
#include "base/log.hpp"
#include "base/text/text.hpp"
#include "dist/backends/backends.hpp"
#include "exchange/segment.hpp"

namespace zt::dist {
namespace {

constexpr BackendRow kBackends[] = {
    {"shared-memory", at::kCPU, make_shared_memory},
    {"gloo", at::kCPU, make_gloo},
    {"nccl", at::kCUDA, make_nccl},
};

std::vector<std::string> keys_of_all(const Meeting& meeting, std::string_view topic) {
  std::vector<std::string> keys;
  for (int rank = 0; rank < meeting.size(); ++rank)
    keys.push_back(fmt::format("{}{}/{}", meeting.prefix, topic, rank));
  return keys;
}

/// "rank 1", "ranks 1, 4": whose keys nobody has set.
std::string who_is_missing(const Meeting& meeting, const std::vector<std::string>& keys) {
  std::vector<size_t> missing;
  for (size_t rank = 0; rank < keys.size(); ++rank)
    if (!meeting.store->get(keys[rank], clock::in(std::chrono::milliseconds(0)))) missing.push_back(rank);
  return fmt::format("rank{} {}", missing.size() == 1 ? "" : "s", fmt::join(missing, ", "));
}

/// The keys' values. Says who is waited for if that takes long.
Result<std::vector<std::string>> await_all(const GroupOptions& options, const Meeting& meeting,
                                           const std::vector<std::string>& keys) {
  constexpr std::chrono::seconds kQuiet{10};
  const clock::Stopwatch watch;
  auto all = meeting.store->get(keys, std::min(meeting.deadline, clock::in(kQuiet)));
  if (all || all.error().code != ErrorCode::Timeout) return all;
  if (clock::left(meeting.deadline).count() > 0) {
    log::info("dist", fmt::format("rank {} of group {} (of {}) waits for {}", options.rank, options.name,
                                  options.size, who_is_missing(meeting, keys)));
    all = meeting.store->get(keys, meeting.deadline);
    if (all || all.error().code != ErrorCode::Timeout) return all;
  }
  return fail(
      ErrorCode::Timeout,
      fmt::format("{} of {} did not come within {:.0f} s: look whether all were started with the same "
                  "run and number of ranks (WORLD_SIZE), and whether their hosts reach this one",
                  who_is_missing(meeting, keys), options.size, watch.seconds()));
}

/// Every rank's introduction is three lines: world rank, host, host identity.
Status meet(const GroupOptions& options, Meeting& meeting) {
  const std::vector<std::string> keys = keys_of_all(meeting, "member");
  const std::string& mine = keys[static_cast<size_t>(meeting.rank)];
  ZT_TRY_ASSIGN(const int64_t times, meeting.store->add(mine + "/times", 1));
  if (times > 1) {
    return fail(ErrorCode::AlreadyExists,
                fmt::format("rank {} has formed group {} in attempt {} before", options.world_rank,
                            options.name, meeting.store->generation()));
  }
  const std::string host = options.host.empty() ? host_name() : options.host;
  const std::string identity =
      options.host_identity.empty() ? exchange::host_identity() : options.host_identity;
  ZT_TRY(meeting.store->set(mine, fmt::format("{}\n{}\n{}", options.world_rank, host, identity)));
  ZT_TRY_ASSIGN(const auto introductions, await_all(options, meeting, keys));
  for (size_t rank = 0; rank < introductions.size(); ++rank) {
    const std::string& text = introductions[rank];
    const size_t first = text.find('\n');
    const size_t second = first == std::string::npos ? first : text.find('\n', first + 1);
    const auto world_rank = text::to_number<int>(std::string_view(text).substr(0, first));
    if (second == std::string::npos || !world_rank)
      return fail(ErrorCode::Corrupt, fmt::format("'{}' in the rendezvous is not an introduction: {}",
                                                  keys[rank], text::quoted(text)));
    meeting.members[rank] = {*world_rank, text.substr(first + 1, second - first - 1)};
    meeting.host_identities.push_back(text.substr(second + 1));
  }
  return {};
}

Result<std::unique_ptr<Backend>> make_backend(const GroupOptions& options, const Meeting& meeting) {
  Error reason{ErrorCode::InvalidArgument, fmt::format("there is no backend '{}'", options.backend)};
  for (const BackendRow& row : backend_table()) {
    if (options.backend == "auto" ? options.device.type() != row.device : options.backend != row.name)
      continue;
    auto backend = row.make(meeting);
    if (backend) return backend;
    reason = std::move(backend.error());
    if (reason.code != ErrorCode::Unsupported) break;
  }
  return fail(std::move(reason));
}

}  // namespace

std::span<const BackendRow> backend_table() { return kBackends; }

Status agree(const Meeting& meeting, std::string_view topic, const Status& mine) {
  const std::vector<std::string> keys = keys_of_all(meeting, topic);
  ZT_TRY(meeting.store->set(keys[static_cast<size_t>(meeting.rank)], mine ? "" : mine.error().text()));
  ZT_TRY_ASSIGN(const auto reasons, meeting.store->get(keys, meeting.deadline));
  for (size_t rank = 0; rank < reasons.size(); ++rank) {
    if (!reasons[rank].empty())
      return fail(ErrorCode::Unsupported,
                  fmt::format("rank {}: {}", meeting.members[rank].world_rank, reasons[rank]));
  }
  return {};
}

Result<std::unique_ptr<Communicator>> form_group(const GroupOptions& options, clock::Deadline deadline) {
  if (options.size < 1 || options.rank < 0 || options.rank >= options.size)
    return fail(ErrorCode::InvalidArgument,
                fmt::format("rank {} of {} is not possible", options.rank, options.size));
  Meeting meeting;
  meeting.store = options.store;
  meeting.prefix = fmt::format("group/{}/", options.name);
  meeting.rank = options.rank;
  meeting.members.resize(static_cast<size_t>(options.size));
  meeting.device = options.device;
  meeting.deadline = deadline;
  meeting.compare_after = options.compare_after;
  if (options.size == 1) {
    meeting.members.front() = {options.world_rank, options.host.empty() ? host_name() : options.host};
    const int64_t generation = options.store ? options.store->generation() : 0;
    return std::make_unique<Communicator>(GroupIdentity{options.name, generation, 0, meeting.members},
                                          make_alone(options.device.type()));
  }
  meeting.address = options.address.empty() ? options.store->local_address() : options.address;
  const auto forming = [&](Error error) {
    return std::move(error).with(fmt::format("rank {} of {} forms group {}, attempt {}", options.rank,
                                             options.size, options.name, options.store->generation()));
  };
  if (Status met = meet(options, meeting); !met) return fail(forming(std::move(met.error())));
  auto backend = make_backend(options, meeting);
  if (!backend) return fail(forming(std::move(backend.error())));
  return std::make_unique<Communicator>(
      GroupIdentity{options.name, options.store->generation(), options.rank, meeting.members},
      std::move(*backend));
}

}  // namespace zt::dist
