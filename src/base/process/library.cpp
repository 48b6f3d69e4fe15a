// SPDX-License-Identifier: Apache-2.0
// See library.hpp.
#include "base/process/library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

namespace zt {

Result<Library> Library::open(std::initializer_list<const char*> names, std::string need) {
  std::string why;
  for (const char* name : names) {
    if (void* handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL)) return Library(handle, name, std::move(need));
    why = ::dlerror();
  }
  return fail(ErrorCode::Unsupported, fmt::format("{} ({})", need, why));
}

Result<void*> Library::find_address(const char* symbol) const {
  if (void* address = ::dlsym(handle_, symbol)) return address;
  return fail(ErrorCode::Unsupported,
              fmt::format("{} ({} has no {}: it is another version)", need_, name_, symbol));
}

}  // namespace zt
