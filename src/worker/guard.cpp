// SPDX-License-Identifier: Apache-2.0
// See guard.hpp.
#include "worker/guard.hpp"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/thrown.hpp"
#include "contract/exit_codes.hpp"

namespace zt::worker {
namespace {

/// How libraries word that memory ran out, in errors of no type of their own: libtorch's CPU allocator, and
/// oneDNN, which finds none for a kernel's code or its buffers.
constexpr std::array<std::string_view, 2> kOutOfMemory{"can't allocate memory",
                                                       "could not create a primitive"};

Error as_memory(Error error) {
  const auto is_said = [&](std::string_view words) { return error.message.find(words) != std::string::npos; };
  if (error.code == ErrorCode::Internal && std::ranges::any_of(kOutOfMemory, is_said))
    return {ErrorCode::Exhausted, "memory ran out: " + error.message};
  return error;
}

}  // namespace

Result<int> guarded(const std::function<Result<int>()>& body) {
  try {
    return body();
  } catch (const c10::OutOfMemoryError& thrown) {
    return fail(ErrorCode::Exhausted, std::string("memory ran out: ") + thrown.what_without_backtrace());
  } catch (const c10::Error& thrown) {
    return fail(as_memory({ErrorCode::Internal, thrown.what_without_backtrace()}));
  } catch (const std::exception& thrown) {
    return fail(as_memory(error_of(thrown)));
  }
}

int say_error(const Error& error) {
  log::flush();
  std::fprintf(stderr, "zoetrope-worker: error: %s\n", error.text().c_str());
  std::fflush(stderr);
  return contract::exit_code(error);
}

}  // namespace zt::worker
