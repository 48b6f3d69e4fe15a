// SPDX-License-Identifier: Apache-2.0
// Expected failures as values: Result<T> and Error. Input, files, network, peers and checkpoints fail through
// these; broken calls inside tensor code throw ContractError (tensor/require.hpp) instead, because libtorch
// throws too.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace zt {

/// The closed set of failure kinds. What each one means for restarts, exit codes and the operator is in one
/// table, base/error_policy.hpp.
enum class ErrorCode {
  InvalidArgument,  ///< a command line or call that can't be right
  InvalidConfig,    ///< a configuration file or value
  NotFound,
  AlreadyExists,
  Permission,
  Unavailable,  ///< a thing that may come back: a service, a busy file
  Timeout,
  Cancelled,
  Exhausted,  ///< memory, disk, slots
  Corrupt,    ///< bytes that are not what they must be
  Numeric,    ///< NaN, divergence
  PeerLost,
  Superseded,  ///< a newer generation of the run has taken over
  Unsupported,
  Internal,  ///< a bug in Zoetrope
};

/// The code's name as written in this file, e.g. "NotFound".
std::string_view name(ErrorCode code);

/// What was wanted, what was found, where, and what to do. `message` is one sentence or two for the person on
/// call; contexts are added on the way up, innermost first.
struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;
  std::vector<std::string> contexts = {};

  /// Adds what the caller was doing, e.g. "while loading shard 3 of step 1200".
  Error with(std::string context) && {
    contexts.push_back(std::move(context));
    return std::move(*this);
  }
  /// "message (while ...; while ...)", for logs and the terminal.
  std::string text() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::make_unexpected(Error{code, std::move(message)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::make_unexpected(std::move(error)); }

}  // namespace zt

#define ZT_CONCAT_(a, b) a##b
#define ZT_CONCAT(a, b) ZT_CONCAT_(a, b)

/// Returns the error of a Result<void> expression from the enclosing function.
#define ZT_TRY(expr)                                               \
  do {                                                             \
    if (auto zt_status_ = (expr); !zt_status_) {                   \
      return ::tl::make_unexpected(std::move(zt_status_).error()); \
    }                                                              \
  } while (false)

/// ZT_TRY_ASSIGN(auto x, expr): x = value of a Result, or returns its error from the enclosing function.
#define ZT_TRY_ASSIGN(decl, expr) ZT_TRY_ASSIGN_(ZT_CONCAT(zt_result_, __LINE__), decl, expr)
#define ZT_TRY_ASSIGN_(tmp, decl, expr)                           \
  auto tmp = (expr);                                              \
  if (!tmp) return ::tl::make_unexpected(std::move(tmp).error()); \
  decl = std::move(*tmp)
