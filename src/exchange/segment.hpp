// SPDX-License-Identifier: Apache-2.0
// A piece of memory that several processes of one host map. It has no name in any file system: the creator
// makes an anonymous file (memfd) and the others open it through /proc/PID/fd. So there is nothing to clean
// up: the kernel frees it with its last process, however that one ends. (A POSIX segment has a name between
// shm_open and shm_unlink, which a kill at that moment leaves behind.)
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace zt::exchange {

/// What tells hosts apart for the purpose of sharing memory: boot, process-id namespace and user.
std::string host_identity();

class Segment {
 public:
  /// Where the others find it. Travels as text: "pid fd bytes nonce".
  struct Offer {
    pid_t pid = 0;
    int fd = -1;
    uint64_t bytes = 0;
    uint64_t nonce = 0;
    std::string text() const;
    static std::optional<Offer> parse(std::string_view text);
  };

  /// Zero-filled memory that is really there: a host that lacks it says so now. Errors: Exhausted.
  static Result<std::shared_ptr<Segment>> create(size_t bytes);
  /// Errors: Unavailable if the offering process is gone or its files can't be opened from here.
  static Result<std::shared_ptr<Segment>> attach(const Offer& offer);
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  ~Segment();

  /// Requires: this process created it and close_offer() was not called.
  Offer offer() const;
  /// Nobody will attach any more.
  void close_offer();
  /// Page-aligned.
  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  Segment(int fd, std::byte* data, size_t size) : fd_(fd), data_(data), size_(size) {}
  int fd_;  ///< -1 unless offered
  std::byte* data_;
  size_t size_;
};

}  // namespace zt::exchange
