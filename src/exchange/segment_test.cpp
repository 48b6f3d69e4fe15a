// SPDX-License-Identifier: Apache-2.0
#include "exchange/segment.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

namespace zt::exchange {
namespace {

TEST(Segment, AttachedOneIsTheSameMemory) {
  const auto made = *Segment::create(10'000);
  const auto attached = *Segment::attach(made->offer());

  std::memcpy(made->data() + 9'990, "shared", 7);

  EXPECT_STREQ(reinterpret_cast<const char*>(attached->data() + 9'990), "shared");
  EXPECT_EQ(attached->size(), 10'000U);
}

TEST(Segment, StaysAfterItsOfferIsClosed) {
  const auto made = *Segment::create(100);
  const auto attached = *Segment::attach(made->offer());
  const Segment::Offer offer = made->offer();

  made->close_offer();

  attached->data()[0] = std::byte{7};
  EXPECT_EQ(made->data()[0], std::byte{7});
  EXPECT_EQ(Segment::attach(offer).error().code, ErrorCode::Unavailable);
}

TEST(Segment, OfferOfSomethingElseIsRefused) {
  const auto made = *Segment::create(100);
  Segment::Offer other_nonce = made->offer(), other_size = made->offer(), no_process = made->offer();
  other_nonce.nonce ^= 1;
  other_size.bytes += 1;
  no_process.pid = std::numeric_limits<int>::max();

  EXPECT_EQ(Segment::attach(other_nonce).error().code, ErrorCode::Unavailable);
  EXPECT_EQ(Segment::attach(other_size).error().code, ErrorCode::Unavailable);
  EXPECT_EQ(Segment::attach(no_process).error().code, ErrorCode::Unavailable);
}

TEST(Segment, OfferTravelsAsText) {
  const auto made = *Segment::create(100);
  const auto parsed = Segment::Offer::parse(made->offer().text());

  ASSERT_TRUE(parsed);
  EXPECT_TRUE(Segment::attach(*parsed));
  EXPECT_FALSE(Segment::Offer::parse("1 2 3"));
  EXPECT_FALSE(Segment::Offer::parse("1 2 3 4 5"));
  EXPECT_FALSE(Segment::Offer::parse(""));
}

TEST(Segment, MoreThanThereIsIsAnError) {
  EXPECT_EQ(Segment::create(size_t{1} << 50).error().code, ErrorCode::Exhausted);
}

}  // namespace
}  // namespace zt::exchange
