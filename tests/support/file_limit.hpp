// SPDX-License-Identifier: Apache-2.0
// A disk that is full, for one process: no file of it grows beyond a size while one of these lives.
#pragma once

#include <signal.h>
#include <sys/resource.h>

#include <cstdint>

namespace zt::test {

class FileLimit {
 public:
  explicit FileLimit(uint64_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);  // as signals::install()
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now = before_;
    now.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace zt::test
