// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/internal/table.hpp"

#include <algorithm>
#include <utility>

#include "base/text/text.hpp"
#include "rendezvous/server.hpp"

namespace zt::rendezvous {
namespace {

Frame reply(ReplyKind kind, int64_t number = 0, std::vector<std::string> strings = {}) {
  return {static_cast<uint8_t>(kind), number, std::move(strings)};
}

/// How many strings a request of this kind has; -1 = one or more.
std::optional<int> expected_strings(RequestKind kind) {
  switch (kind) {
    case RequestKind::Hello:
    case RequestKind::CompareAndSet:
      return 3;
    case RequestKind::Set:
      return 2;
    case RequestKind::Get:
      return -1;
    case RequestKind::Add:
    case RequestKind::Erase:
      return 1;
    case RequestKind::Goodbye:
      return 0;
  }
  return std::nullopt;
}

bool is_well_formed(const Frame& request) {
  const std::optional<int> wanted = expected_strings(static_cast<RequestKind>(request.kind));
  if (!wanted) return false;
  return *wanted < 0 ? !request.strings.empty() : request.strings.size() == static_cast<size_t>(*wanted);
}

}  // namespace

std::vector<Table::Answer> Table::handle(uint64_t connection, const Frame& request, clock::Deadline now) {
  Answers answers;
  const bool is_hello = static_cast<RequestKind>(request.kind) == RequestKind::Hello;
  const auto peer = peers_.find(connection);
  if (!is_well_formed(request) || is_hello != (peer == peers_.end()) || waits_.contains(connection)) {
    answers.push_back({connection, reply(ReplyKind::Invalid, 0, {"not a request of this protocol"}), true});
  } else if (is_hello) {
    hello(connection, request, answers);
  } else if (peer->second.generation != generation_) {
    answers.push_back({connection, reply(ReplyKind::Superseded, generation_), true});
  } else {
    serve(connection, request, now, answers);
  }
  return answers;
}

void Table::hello(uint64_t connection, const Frame& request, Answers& answers) {
  if (request.strings[0] != kProtocol || request.strings[1] != token_ || request.number < 1) {
    answers.push_back({connection, reply(ReplyKind::Refused), true});
    return;
  }
  if (request.number < generation_) {
    answers.push_back({connection, reply(ReplyKind::Superseded, generation_), true});
    return;
  }
  if (request.number > generation_) {
    generation_ = request.number;
    values_.clear();
    stored_bytes_ = 0;
    for (const auto& [waiting, wait] : std::exchange(waits_, {}))
      answers.push_back({waiting, reply(ReplyKind::Superseded, generation_), true});
  }
  peers_[connection] = {request.number, request.strings[2]};
  answers.push_back({connection, reply(ReplyKind::Done, generation_), false});
}

void Table::serve(uint64_t connection, const Frame& request, clock::Deadline now, Answers& answers) {
  const std::vector<std::string>& strings = request.strings;
  switch (static_cast<RequestKind>(request.kind)) {
    case RequestKind::Set: {
      const ReplyKind kind = store(strings[0], strings[1], answers) ? ReplyKind::Done : ReplyKind::Full;
      answers.push_back({connection, reply(kind), false});
      break;
    }
    case RequestKind::Get:
      get(connection, request, now, answers);
      break;
    case RequestKind::Add:
      add(connection, request, answers);
      break;
    case RequestKind::CompareAndSet:
      compare_and_set(connection, request, answers);
      break;
    case RequestKind::Erase: {
      const auto found = values_.find(strings[0]);
      const bool was_there = found != values_.end();
      if (was_there) {
        stored_bytes_ -= found->first.size() + found->second.size();
        values_.erase(found);
      }
      answers.push_back({connection, reply(ReplyKind::Done, was_there), false});
      break;
    }
    case RequestKind::Goodbye:
      peers_.erase(connection);
      answers.push_back({connection, reply(ReplyKind::Done), true});
      break;
    case RequestKind::Hello:
      break;  // handled before
  }
}

void Table::get(uint64_t connection, const Frame& request, clock::Deadline now, Answers& answers) {
  std::vector<std::string> absent = missing(request.strings);
  if (absent.empty()) {
    answers.push_back({connection, values(request.strings), false});
  } else if (request.number <= 0) {
    answers.push_back({connection, reply(ReplyKind::TimedOut, 0, std::move(absent)), false});
  } else {
    constexpr int64_t kLongestWaitMs = int64_t{1000} * 3600 * 24 * 365;
    const std::chrono::milliseconds wait(std::min(request.number, kLongestWaitMs));
    waits_[connection] = {request.strings, now + wait};
  }
}

void Table::add(uint64_t connection, const Frame& request, Answers& answers) {
  const auto found = values_.find(request.strings[0]);
  const std::optional<int64_t> before = found == values_.end() ? 0 : text::to_number<int64_t>(found->second);
  int64_t sum = 0;
  if (!before || __builtin_add_overflow(*before, request.number, &sum)) {
    answers.push_back({connection, reply(ReplyKind::Invalid, 0, {"the value is not a number"}), false});
    return;
  }
  const bool is_stored = store(request.strings[0], std::to_string(sum), answers);
  answers.push_back({connection, reply(is_stored ? ReplyKind::Done : ReplyKind::Full, sum), false});
}

void Table::compare_and_set(uint64_t connection, const Frame& request, Answers& answers) {
  const auto found = values_.find(request.strings[0]);
  std::string current = found == values_.end() ? std::string() : found->second;
  if (current == request.strings[1]) {
    current = request.strings[2];
    if (!store(request.strings[0], current, answers)) {
      answers.push_back({connection, reply(ReplyKind::Full), false});
      return;
    }
  }
  answers.push_back({connection, reply(ReplyKind::Done, 0, {std::move(current)}), false});
}

bool Table::store(const std::string& key, std::string value, Answers& answers) {
  const auto found = values_.find(key);
  const size_t before = found == values_.end() ? 0 : key.size() + found->second.size();
  const size_t after = stored_bytes_ - before + key.size() + value.size();
  if (after > kMaxStoredBytes) return false;
  stored_bytes_ = after;
  values_.insert_or_assign(key, std::move(value));
  if (before > 0) return true;  // nobody can be waiting for a key that was there
  std::erase_if(waits_, [&](const auto& entry) {
    const auto& [waiting, wait] = entry;
    if (!missing(wait.keys).empty()) return false;
    answers.push_back({waiting, values(wait.keys), false});
    return true;
  });
  return true;
}

std::vector<Table::Answer> Table::disconnect(uint64_t connection) {
  Answers answers;
  waits_.erase(connection);
  const auto peer = peers_.find(connection);
  if (peer == peers_.end()) return answers;
  const Peer gone = std::move(peer->second);
  peers_.erase(peer);
  if (gone.generation == generation_ && !gone.member.empty() && !values_.contains(kFirstLostKey))
    store(kFirstLostKey, gone.member, answers);
  return answers;
}

std::vector<Table::Answer> Table::expire(clock::Deadline now) {
  Answers answers;
  std::erase_if(waits_, [&](const auto& entry) {
    const auto& [waiting, wait] = entry;
    if (wait.until > now) return false;
    answers.push_back({waiting, reply(ReplyKind::TimedOut, 0, missing(wait.keys)), false});
    return true;
  });
  return answers;
}

std::optional<clock::Deadline> Table::next_expiry() const {
  std::optional<clock::Deadline> first;
  for (const auto& [connection, wait] : waits_)
    if (!first || wait.until < *first) first = wait.until;
  return first;
}

std::vector<std::string> Table::missing(const std::vector<std::string>& keys) const {
  std::vector<std::string> absent;
  for (const std::string& key : keys)
    if (!values_.contains(key)) absent.push_back(key);
  return absent;
}

Frame Table::values(const std::vector<std::string>& keys) const {
  size_t total = 0;
  for (const std::string& key : keys) total += values_.find(key)->second.size() + sizeof(uint32_t);
  if (total > kMaxPayloadBytes / 2)
    return reply(ReplyKind::Invalid, 0, {"the values together are too long: ask for fewer keys at once"});
  std::vector<std::string> found;
  for (const std::string& key : keys) found.push_back(values_.find(key)->second);
  return reply(ReplyKind::Done, 0, std::move(found));
}

}  // namespace zt::rendezvous
