// SPDX-License-Identifier: Apache-2.0
// A limit of this process, lowered while one of these lives.
#pragma once

#include <sys/resource.h>

namespace zt::test {

class ResourceLimit {
 public:
  ResourceLimit(int resource, rlim_t most) : resource_(resource) {
    get(&before_);
    rlimit now = before_;
    now.rlim_cur = most;
    set(&now);
  }
  ~ResourceLimit() { set(&before_); }
  ResourceLimit(const ResourceLimit&) = delete;
  ResourceLimit& operator=(const ResourceLimit&) = delete;

 private:
  // glibc's parameter is an enumeration of its own in C++.
  void get(rlimit* limit) const { ::getrlimit(static_cast<__rlimit_resource>(resource_), limit); }
  void set(const rlimit* limit) const { ::setrlimit(static_cast<__rlimit_resource>(resource_), limit); }
  const int resource_;
  rlimit before_{};
};

}  // namespace zt::test
