// SPDX-License-Identifier: Apache-2.0
#include "base/process/library.hpp"

#include <gtest/gtest.h>

namespace zt {
namespace {

constexpr const char* kNeed = "cosines need a library: install one";

TEST(Library, OpensTheFirstThatIsThereAndFindsItsFunctions) {
  const auto library = Library::open({"libzt_is_not_there.so.1", "libm.so.6"}, kNeed);
  ASSERT_TRUE(library) << library.error().text();
  double (*cosine)(double) = nullptr;
  ASSERT_TRUE(library->find("cos", cosine));
  EXPECT_EQ(cosine(0), 1);
}

TEST(Library, SaysWhatIsMissingAndHowToGetIt) {
  const auto absent = Library::open({"libzt_is_not_there.so.1"}, kNeed);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::Unsupported);
  EXPECT_EQ(absent.error().message.find(kNeed), 0U);
  EXPECT_NE(absent.error().message.find("libzt_is_not_there.so.1"), std::string::npos);

  const auto library = Library::open({"libm.so.6"}, kNeed);
  ASSERT_TRUE(library);
  double (*function)(double) = nullptr;
  const Status found = library->find("zt_is_not_there", function);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::Unsupported);
  EXPECT_EQ(found.error().message,
            std::string(kNeed) + " (libm.so.6 has no zt_is_not_there: it is another version)");
  EXPECT_EQ(function, nullptr);
}

}  // namespace
}  // namespace zt
