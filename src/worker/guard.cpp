// SPDX-License-Identifier: Apache-2.0
// See guard.hpp.
#include "worker/guard.hpp"

#include <c10/util/Exception.h>

#include <cstdio>
#include <string>

#include "base/log.hpp"
#include "base/thrown.hpp"
#include "contract/exit_codes.hpp"

namespace zt::worker {
namespace {

/// How libtorch's CPU allocator words its failure: a plain error, not c10::OutOfMemoryError.
constexpr const char* kCpuOutOfMemory = "can't allocate memory";

}  // namespace

Result<int> guarded(const std::function<Result<int>()>& body) {
  try {
    return body();
  } catch (const c10::OutOfMemoryError& thrown) {
    return fail(ErrorCode::Exhausted, std::string("memory ran out: ") + thrown.what_without_backtrace());
  } catch (const c10::Error& thrown) {
    const std::string what = thrown.what_without_backtrace();
    const bool is_memory = what.find(kCpuOutOfMemory) != std::string::npos;
    return fail(is_memory ? ErrorCode::Exhausted : ErrorCode::Internal, what);
  } catch (const std::exception& thrown) {
    return fail(error_of(thrown));
  }
}

int say_error(const Error& error) {
  log::flush();
  std::fprintf(stderr, "zoetrope-worker: error: %s\n", error.text().c_str());
  std::fflush(stderr);
  return contract::exit_code(error);
}

}  // namespace zt::worker
