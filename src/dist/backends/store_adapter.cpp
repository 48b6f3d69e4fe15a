// SPDX-License-Identifier: Apache-2.0
#include "dist/backends/store_adapter.hpp"

namespace zt::dist {
namespace {

std::string text(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }
std::vector<uint8_t> bytes(const std::string& text) { return {text.begin(), text.end()}; }

template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw StoreError(std::move(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

c10::intrusive_ptr<c10d::Store> StoreAdapter::clone() {
  return c10::make_intrusive<StoreAdapter>(client_, prefix_, timeout_);
}

void StoreAdapter::set(const std::string& key, const std::vector<uint8_t>& value) {
  value_or_throw(client_->set(full(key), text(value)));
}

std::vector<uint8_t> StoreAdapter::compareSet(const std::string& key, const std::vector<uint8_t>& expected,
                                              const std::vector<uint8_t>& desired) {
  return bytes(value_or_throw(client_->compare_and_set(full(key), text(expected), text(desired))));
}

std::vector<uint8_t> StoreAdapter::get(const std::string& key) {
  return bytes(value_or_throw(client_->get(full(key), clock::in(timeout_))));
}

int64_t StoreAdapter::add(const std::string& key, int64_t value) {
  return value_or_throw(client_->add(full(key), value));
}

bool StoreAdapter::deleteKey(const std::string& key) { return value_or_throw(client_->erase(full(key))); }

bool StoreAdapter::check(const std::vector<std::string>& keys) {
  const auto found = client_->get(full(keys), clock::Deadline{});
  if (!found && found.error().code == ErrorCode::Timeout) return false;
  value_or_throw(found);
  return true;
}

int64_t StoreAdapter::getNumKeys() {
  throw StoreError({ErrorCode::Unsupported, "the rendezvous does not count its keys"});
}

void StoreAdapter::wait(const std::vector<std::string>& keys) { wait(keys, timeout_); }

void StoreAdapter::wait(const std::vector<std::string>& keys, const std::chrono::milliseconds& timeout) {
  value_or_throw(client_->get(full(keys), clock::in(timeout)));
}

std::vector<std::string> StoreAdapter::full(const std::vector<std::string>& keys) const {
  std::vector<std::string> prefixed;
  for (const std::string& key : keys) prefixed.push_back(full(key));
  return prefixed;
}

}  // namespace zt::dist
