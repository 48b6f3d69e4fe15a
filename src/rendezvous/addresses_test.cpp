// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/addresses.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zt::rendezvous {
namespace {

TEST(Addresses, TheRouteToThisHostItselfIsLoopback) {
  EXPECT_EQ(address_towards("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(address_towards("127.3.2.1"), "127.0.0.1");  // any of 127/8: the kernel sends from the first
}

TEST(Addresses, ANameThatNobodyKnowsIsNamed) {
  const std::string name(70, 'x');  // longer than a name's part may be: not asked about

  const auto address = address_towards(name);

  ASSERT_FALSE(address);
  EXPECT_EQ(address.error().code, ErrorCode::Unavailable);
  EXPECT_THAT(address.error().text(), testing::HasSubstr(name));
}

// 192.0.2.0/24 is for documentation (RFC 5737): nobody's own.
TEST(Addresses, WhatOthersCallThisHostComesFirst) {
  const auto addresses = addresses_of_this_host("192.0.2.7");

  EXPECT_EQ(addresses.front(), "192.0.2.7");
  EXPECT_THAT(addresses, testing::Not(testing::Contains("127.0.0.1")));
}

TEST(Addresses, ANameThatIsLoopbackHereIsNoUseElsewhere) {
  const auto named = addresses_of_this_host("127.0.1.1");

  EXPECT_EQ(named, addresses_of_this_host(""));
  EXPECT_FALSE(named.empty());
}

}  // namespace
}  // namespace zt::rendezvous
