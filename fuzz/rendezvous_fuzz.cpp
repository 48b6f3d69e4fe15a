// SPDX-License-Identifier: Apache-2.0
// What strangers send to the rendezvous: a stream of frames, from two connections in turn. Every answer must
// be one that a client takes.
#include <string>

#include "input.hpp"
#include "rendezvous/internal/table.hpp"
#include "rendezvous/wire.hpp"

namespace {

using namespace zt;

void check(const std::vector<rendezvous::Table::Answer>& answers) {
  for (const auto& answer : answers) {
    const std::string bytes = rendezvous::encode(answer.reply);
    const std::string_view payload = std::string_view(bytes).substr(rendezvous::kLengthBytes);
    fuzz::expect(rendezvous::payload_bytes(bytes) == payload.size());
    fuzz::expect(rendezvous::decode(payload) == answer.reply);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  rendezvous::Table table("");
  std::string_view rest = fuzz::text_of(data, size);
  clock::Deadline now{};
  for (uint64_t turn = 0; rest.size() >= rendezvous::kLengthBytes; ++turn) {
    const size_t length = rendezvous::payload_bytes(rest);
    rest.remove_prefix(rendezvous::kLengthBytes);
    if (length > rest.size()) break;
    const auto request = rendezvous::decode(rest.substr(0, length));
    rest.remove_prefix(length);
    if (request) check(table.handle(turn % 2, *request, now));
    if (!request) check(table.disconnect(turn % 2));
    check(table.expire(now += std::chrono::milliseconds(1)));
  }
  return 0;
}
