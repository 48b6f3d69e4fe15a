// SPDX-License-Identifier: Apache-2.0
// Who holds whose snapshots.
#include "train/ranks/rank_groups.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace zt::train {
namespace {

/// Ranks on hosts named by letters: "aabb".
std::vector<dist::Member> members_of(const std::string& hosts) {
  std::vector<dist::Member> members;
  for (const char host : hosts) members.push_back({static_cast<int>(members.size()), std::string(1, host)});
  return members;
}

PeerRule rule_of(const std::string& hosts, int64_t zero_stage = 1, int64_t shard_ranks = 0) {
  config::ParallelJob job;
  job.zero_stage = zero_stage;
  job.shard_ranks = shard_ranks;
  return peer_rule(members_of(hosts), job);
}

std::vector<int64_t> holders(const PeerRule& rule) {
  std::vector<int64_t> out;
  for (int64_t rank = 0; rank < rule.ranks; ++rank) out.push_back(rule.holder(rank));
  return out;
}

TEST(PeerRule, HoldersAreOnAnotherHostWhereThereIsOne) {
  EXPECT_EQ(holders(rule_of("aaa")), (std::vector<int64_t>{1, 2, 0}));
  EXPECT_EQ(holders(rule_of("aabb")), (std::vector<int64_t>{2, 3, 0, 1}));
  EXPECT_EQ(holders(rule_of("abc")), (std::vector<int64_t>{1, 2, 0}));
  EXPECT_EQ(holders(rule_of("aabbcc")), (std::vector<int64_t>{2, 3, 4, 5, 0, 1}));
  EXPECT_FALSE(rule_of("aabb").are_twins);
}

TEST(PeerRule, WithCopiesOfTheStateARankOfTheSamePartHolds) {
  const PeerRule hybrid = rule_of("aabb", 1, 2), on_one_host = rule_of("aaaa", 3, 2),
                 whole_copies = rule_of("aabb", 0);
  EXPECT_EQ(holders(hybrid), (std::vector<int64_t>{2, 3, 0, 1}));
  EXPECT_EQ(holders(on_one_host), (std::vector<int64_t>{2, 3, 0, 1}));
  EXPECT_EQ(holders(whole_copies), (std::vector<int64_t>{2, 3, 0, 1}));
  EXPECT_TRUE(hybrid.are_twins && on_one_host.are_twins && whole_copies.are_twins);
  EXPECT_FALSE(rule_of("aabb", 1, 4).are_twins);
}

TEST(PeerRule, WardIsWhomItHoldsFor) {
  for (const char* hosts : {"aa", "aab", "aaab", "aabbcc"}) {
    const PeerRule rule = rule_of(hosts);
    for (int64_t rank = 0; rank < rule.ranks; ++rank) {
      EXPECT_EQ(rule.ward(rule.holder(rank)), rank) << hosts;
      EXPECT_NE(rule.holder(rank), rank) << hosts;
    }
  }
}

TEST(PeerRule, OneRankHasNoHolder) { EXPECT_EQ(rule_of("a").distance, 0); }

}  // namespace
}  // namespace zt::train
