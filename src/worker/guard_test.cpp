// SPDX-License-Identifier: Apache-2.0
#include "worker/guard.hpp"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

namespace zt::worker {
namespace {

template <class Exception>
ErrorCode code_of(const Exception& thrown) {
  return guarded([&]() -> Result<int> { throw thrown; }).error().code;
}

TEST(Guarded, TellsAShortageOfMemoryFromABug) {
  EXPECT_EQ(code_of(std::bad_alloc()), ErrorCode::Exhausted);
  EXPECT_EQ(code_of(std::runtime_error("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes")),
            ErrorCode::Exhausted);
  EXPECT_EQ(code_of(std::runtime_error("could not create a primitive")), ErrorCode::Exhausted);
  EXPECT_EQ(code_of(std::runtime_error("no such operator")), ErrorCode::Internal);
}

TEST(Guarded, PassesOnWhatIsReturned) {
  EXPECT_EQ(guarded([]() -> Result<int> { return 3; }).value(), 3);
  EXPECT_EQ(guarded([]() -> Result<int> { return fail(ErrorCode::NotFound, "x"); }).error().code,
            ErrorCode::NotFound);
}

}  // namespace
}  // namespace zt::worker
