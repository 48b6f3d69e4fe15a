// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error_policy.hpp"
#include "support/generated_page.hpp"

namespace zt {
namespace {

TEST(ErrorsPage, IsUpToDate) { test::expect_generated_page("errors.md", errors_page()); }

}  // namespace
}  // namespace zt
