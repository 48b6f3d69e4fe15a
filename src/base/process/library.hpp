// SPDX-License-Identifier: Apache-2.0
// Shared libraries that a program opens when it first needs one, so that it also starts where they are not.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "base/error.hpp"

namespace zt {

/// An open shared library. It stays loaded to the end of the program: threads and thread-local data of its
/// own don't survive dlclose().
class Library {
 public:
  /// The first of `names` (as dlopen takes them) that opens. `need`: what wants it and how to get it, with
  /// which an error begins. Errors: Unsupported.
  static Result<Library> open(std::initializer_list<const char*> names, std::string need);

  /// Sets `function` to the library's `symbol`. Errors: Unsupported: this is another version of the library.
  template <class Function>
  Status find(const char* symbol, Function*& function) const {
    ZT_TRY_ASSIGN(void* const address, find_address(symbol));
    function = reinterpret_cast<Function*>(address);
    return {};
  }

 private:
  Library(void* handle, std::string name, std::string need)
      : handle_(handle), name_(std::move(name)), need_(std::move(need)) {}
  Result<void*> find_address(const char* symbol) const;

  void* handle_;
  std::string name_, need_;
};

}  // namespace zt
