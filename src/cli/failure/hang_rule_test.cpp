// SPDX-License-Identifier: Apache-2.0
#include "cli/failure/hang_rule.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace zt::cli {
namespace {

using contract::Activity;
using contract::Progress;
using process::Pulse;
using Kind = Hang::Kind;

constexpr Pulse kAsleep{}, kStopped{.is_stopped = true};
constexpr double kForever_s = 36000;

/// A rank that said at `heartbeat_s` what it does, and whose silence may last 5 s.
Progress in(Activity activity, double heartbeat_s = 1) {
  Progress words;
  words.pid = 4711;
  words.phase = contract::Phase::Training;
  words.activity = activity;
  words.heartbeat_s = heartbeat_s;
  words.limit_s = words.stop_limit_s = 5;
  return words;
}

Progress may_last(double limit_s, Progress words) {
  words.limit_s = limit_s;
  return words;
}

/// A pulse at a time, of a process that uses `share` of a core.
using PulseAt = std::function<Pulse(double now_s)>;
PulseAt always(Pulse pulse) {
  return [=](double) { return pulse; };
}
PulseAt at_work(double share) {
  return [=](double now_s) { return Pulse{.is_active = true, .cpu_s = share * now_s}; };
}

struct Found {
  double at_s = 0;
  Kind kind = Kind::Stopped;
};
/// Looks at one rank four times a second.
std::optional<Found> watch(const Progress& words, const PulseAt& pulse_at, double until_s) {
  HangRule rule;
  for (double now_s = 0; now_s < until_s; now_s += 0.25) {
    const std::vector<std::optional<RankLook>> ranks{RankLook{words, pulse_at(now_s)}};
    if (const auto hangs = rule.look(now_s, ranks); !hangs.empty()) return Found{now_s, hangs[0].kind};
  }
  return std::nullopt;
}

struct Case {
  const char* what;
  Progress words;
  PulseAt pulse;
  std::optional<Found> found;  ///< none: never
};

TEST(HangRule, FindsWhatHangsAndNothingElse) {
  Progress unjudged = in(Activity::None);
  unjudged.limit_s = unjudged.stop_limit_s = 0;
  const Case cases[] = {
      {"stopped", in(Activity::Backward), always(kStopped), Found{5, Kind::Stopped}},
      {"stopped while it waits for others", in(Activity::Exchange), always(kStopped),
       Found{5, Kind::Stopped}},
      {"stopped in what usually takes long", may_last(1800, in(Activity::Forward)), always(kStopped),
       Found{5, Kind::Stopped}},
      {"asleep", in(Activity::Backward), always(kAsleep), Found{5, Kind::Asleep}},
      {"asleep in what usually takes long", may_last(60, in(Activity::Backward)), always(kAsleep),
       Found{60, Kind::Asleep}},
      {"waits for others", in(Activity::Exchange), always(kAsleep), {}},
      {"waits for others and polls", in(Activity::Exchange), at_work(1), {}},
      {"spins", in(Activity::Backward), at_work(1), Found{50, Kind::Spinning}},
      {"spins with many threads", in(Activity::Backward), at_work(16), Found{50, Kind::Spinning}},
      {"computes with a tenth of a core", in(Activity::Backward), at_work(0.1), Found{500, Kind::Spinning}},
      {"waits for a core that it never gets", in(Activity::Backward), at_work(0), {}},
      {"is not judged", unjudged, always(kStopped), {}},
      {"is not judged and sleeps", unjudged, always(kAsleep), {}},
  };
  for (const Case& c : cases) {
    const auto found = watch(c.words, c.pulse, kForever_s);
    ASSERT_EQ(found.has_value(), c.found.has_value()) << c.what;
    if (!found) continue;
    EXPECT_EQ(found->kind, c.found->kind) << c.what;
    EXPECT_NEAR(found->at_s, c.found->at_s, 0.26) << c.what;
  }
}

// An action that usually takes 0.2 s of one core, on a machine that gives it a hundredth of one: 20 s.
TEST(HangRule, AStarvedRankDoesNotHang) { EXPECT_FALSE(watch(in(Activity::Backward), at_work(0.01), 20)); }

TEST(HangRule, ARankThatIsStoppedNowAndThenDoesNotHang) {
  const PulseAt by_turns = [](double now_s) {
    return Pulse{.is_stopped = static_cast<int64_t>(now_s) % 4 != 0, .is_active = true, .cpu_s = 0};
  };
  EXPECT_FALSE(watch(in(Activity::Backward), by_turns, 600));
}

TEST(HangRule, ChangedWordsBeginAnew) {
  HangRule rule;
  for (double now_s = 0; now_s < 20; now_s += 0.5)
    EXPECT_TRUE(rule.look(now_s, std::vector<std::optional<RankLook>>{RankLook{in(Activity::Backward, now_s),
                                                                               kAsleep}})
                    .empty());
}

TEST(HangRule, ARestartedRankBeginsAnew) {
  HangRule rule;
  std::vector<std::optional<RankLook>> ranks{RankLook{in(Activity::Backward), kAsleep}};
  for (double now_s = 0; now_s < 4.9; now_s += 0.5) EXPECT_TRUE(rule.look(now_s, ranks).empty());
  EXPECT_TRUE(rule.look(5, std::vector<std::optional<RankLook>>{std::nullopt}).empty());
  for (double now_s = 5.5; now_s < 10.4; now_s += 0.5) EXPECT_TRUE(rule.look(now_s, ranks).empty()) << now_s;
  EXPECT_EQ(rule.look(10.5, ranks).size(), 1U);
}

TEST(HangRule, NamesTheOneThatTheOthersWaitFor) {
  HangRule rule;
  const std::vector<std::optional<RankLook>> ranks{RankLook{in(Activity::Exchange), kAsleep}, std::nullopt,
                                                   RankLook{in(Activity::Optimizer), kAsleep}};
  std::vector<Hang> hangs;
  for (double now_s = 0; now_s < 10 && hangs.empty(); now_s += 0.25) hangs = rule.look(now_s, ranks);

  ASSERT_EQ(hangs.size(), 1U);
  EXPECT_EQ(hangs[0].rank, 2U);
  EXPECT_DOUBLE_EQ(hangs[0].silent_s, 5);
}

// One after the other each would take one of the run's restarts.
TEST(HangRule, RanksThatWereStoppedTogetherHangTogether) {
  HangRule rule(/*sees_all=*/true);
  const std::vector<std::optional<RankLook>> ranks{RankLook{in(Activity::Exchange), kStopped},
                                                   RankLook{in(Activity::Backward), kStopped},
                                                   RankLook{in(Activity::Exchange), kAsleep}};
  std::vector<Hang> hangs;
  for (double now_s = 0; now_s < 10 && hangs.empty(); now_s += 0.25) hangs = rule.look(now_s, ranks);

  ASSERT_EQ(hangs.size(), 2U);
  EXPECT_EQ(hangs[0].rank, 0U);
  EXPECT_EQ(hangs[1].rank, 1U);
  EXPECT_EQ(hangs[1].kind, Kind::Stopped);
}

// The launcher was stopped, or its machine slept, for ten minutes.
TEST(HangRule, TimeInWhichNobodyLookedDoesNotCount) {
  HangRule rule;
  const std::vector<std::optional<RankLook>> ranks{RankLook{in(Activity::Backward), kStopped}};
  EXPECT_TRUE(rule.look(0, ranks).empty());
  EXPECT_TRUE(rule.look(600, ranks).empty());
  for (double now_s = 600.5; now_s < 604; now_s += 0.5) EXPECT_TRUE(rule.look(now_s, ranks).empty()) << now_s;
  EXPECT_EQ(rule.look(604.5, ranks).size(), 1U);
}

/// Looks at several ranks four times a second, each with words of its own.
std::optional<Hang> watch_all(bool sees_all, const std::vector<std::optional<Progress>>& words,
                              const PulseAt& pulse_of_last, double until_s) {
  HangRule rule(sees_all);
  for (double now_s = 0; now_s < until_s; now_s += 0.25) {
    std::vector<std::optional<RankLook>> ranks;
    for (const auto& one : words) {
      const bool is_last = &one == &words.back();
      ranks.push_back(one ? std::optional(RankLook{*one, is_last ? pulse_of_last(now_s) : kAsleep})
                          : std::nullopt);
    }
    if (const auto hangs = rule.look(now_s, ranks); !hangs.empty()) return hangs[0];
  }
  return std::nullopt;
}

TEST(HangRule, RanksThatAllWaitForEachOtherHang) {
  const Progress waits = in(Activity::Exchange);
  const auto hang = watch_all(true, {waits, may_last(8, waits)}, always(kAsleep), 100);
  ASSERT_TRUE(hang);
  EXPECT_EQ(hang->kind, Kind::Waiting);
  EXPECT_EQ(hang->silent_s, 8) << "the usual time of every rank's exchange has passed";
}

TEST(HangRule, RanksThatWaitForOneThatComesDoNot) {
  const Progress waits = in(Activity::Exchange);
  EXPECT_FALSE(watch_all(false, {waits, waits}, always(kAsleep), kForever_s / 100)) << "others are elsewhere";
  EXPECT_FALSE(watch_all(true, {waits, std::nullopt}, always(kAsleep), kForever_s / 100)) << "one is started";
  EXPECT_FALSE(watch_all(true, {waits, may_last(0, waits)}, always(kAsleep), kForever_s / 100));
  EXPECT_FALSE(watch_all(true, {waits, waits}, at_work(0.01), kForever_s / 100)) << "one writes to a disk";
  EXPECT_FALSE(watch_all(true, {waits, may_last(1e9, in(Activity::Backward))}, at_work(1), kForever_s / 100));
  EXPECT_FALSE(watch_all(true, {waits}, always(kAsleep), kForever_s / 100)) << "alone";
}

}  // namespace
}  // namespace zt::cli
