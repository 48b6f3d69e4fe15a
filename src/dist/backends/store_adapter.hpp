// SPDX-License-Identifier: Apache-2.0
// The rendezvous as a c10d::Store, for c10d's process groups. c10d's stores report errors by throwing;
// StoreError carries ours through c10d to the code that started it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "rendezvous/client.hpp"

namespace zt::dist {

class StoreError : public std::runtime_error {
 public:
  explicit StoreError(Error cause) : std::runtime_error(cause.text()), error(std::move(cause)) {}
  Error error;
};

class StoreAdapter final : public c10d::Store {
 public:
  /// All keys start with `prefix`; waits without a timeout of their own take `timeout`.
  StoreAdapter(std::shared_ptr<rendezvous::Client> client, std::string prefix,
               std::chrono::milliseconds timeout)
      : c10d::Store(timeout), client_(std::move(client)), prefix_(std::move(prefix)) {}

  c10::intrusive_ptr<c10d::Store> clone() override;
  void set(const std::string& key, const std::vector<uint8_t>& value) override;
  std::vector<uint8_t> compareSet(const std::string& key, const std::vector<uint8_t>& expected,
                                  const std::vector<uint8_t>& desired) override;
  std::vector<uint8_t> get(const std::string& key) override;
  int64_t add(const std::string& key, int64_t value) override;
  bool deleteKey(const std::string& key) override;
  bool check(const std::vector<std::string>& keys) override;
  /// Throws: the rendezvous doesn't count.
  int64_t getNumKeys() override;
  void wait(const std::vector<std::string>& keys) override;
  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds& timeout) override;

 private:
  std::string full(const std::string& key) const { return prefix_ + key; }
  std::vector<std::string> full(const std::vector<std::string>& keys) const;
  std::shared_ptr<rendezvous::Client> client_;
  std::string prefix_;
};

}  // namespace zt::dist
