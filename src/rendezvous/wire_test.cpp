// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/wire.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace zt::rendezvous {
namespace {

std::string_view payload(const std::string& bytes) { return std::string_view(bytes).substr(kLengthBytes); }

TEST(Wire, FrameHasTheDocumentedBytes) {
  const Frame frame{2, -2, {"k", ""}};

  const std::string bytes = encode(frame);

  const std::string wanted(
      "\x16\x00\x00\x00"                  // 22 bytes follow
      "\x02"                              // kind
      "\xfe\xff\xff\xff\xff\xff\xff\xff"  // -2
      "\x02\x00\x00\x00"                  // two strings
      "\x01\x00\x00\x00k"
      "\x00\x00\x00\x00",
      26);
  EXPECT_EQ(bytes, wanted);
}

TEST(Wire, DecodesWhatItEncodes) {
  const Frame frame{5, int64_t{1} << 40, {"key", std::string(1000, '\0'), "value"}};
  const std::string bytes = encode(frame);

  EXPECT_EQ(payload_bytes(bytes), bytes.size() - kLengthBytes);
  EXPECT_EQ(decode(payload(bytes)), frame);
}

TEST(Wire, RefusesEveryTruncationAndExtension) {
  const std::string bytes = encode({3, 7, {"one", "two"}});
  for (size_t length = 0; length < payload(bytes).size(); ++length)
    EXPECT_FALSE(decode(payload(bytes).substr(0, length))) << length;

  EXPECT_FALSE(decode(std::string(payload(bytes)) + "x"));
}

TEST(Wire, RefusesCountsAndLengthsBeyondTheBytes) {
  std::string many = encode({3, 0, {}});
  many.replace(many.size() - 4, 4, "\xff\xff\xff\xff");
  EXPECT_FALSE(decode(payload(many)));

  std::string longer = encode({3, 0, {"text"}});
  longer.replace(longer.size() - 8, 4, "\xff\xff\xff\x7f");
  EXPECT_FALSE(decode(payload(longer)));
}

}  // namespace
}  // namespace zt::rendezvous
