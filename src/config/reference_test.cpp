// SPDX-License-Identifier: Apache-2.0
#include "config/reference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "config/listing.hpp"
#include "support/generated_page.hpp"

namespace zt::config {
namespace {

using testing::HasSubstr;

TEST(ConfigReference, PageIsUpToDate) { test::expect_generated_page("config.md", settings_page()); }

TEST(ConfigReference, HelpShowsDefaultsUnitsAndRanges) {
  const std::string help = settings_help<TrainJob>();

  EXPECT_THAT(help, HasSubstr("\noptimizer: AdamW, learning rate and averaged weights\n"));
  EXPECT_THAT(help,
              testing::ContainsRegex(
                  "  max_train_steps=30000 +optimizer steps \\(whole number, 1 to 1000000000, steps\\)\n"));
  EXPECT_THAT(help, HasSubstr("model.codec.kind=vae "));
}

TEST(ConfigReference, SchemaNestsSectionsAndClosesThem) {
  const auto schema = nlohmann::json::parse(json_schema<TrainJob>());

  const auto& kind = schema["properties"]["model"]["properties"]["codec"]["properties"]["kind"];
  EXPECT_EQ(kind["enum"], nlohmann::json({"vae", "linear"}));
  EXPECT_EQ(kind["default"], "vae");
  const auto& stage = schema["properties"]["stage"];
  EXPECT_EQ(stage["type"], "integer");
  EXPECT_EQ(stage["minimum"], 1);
  EXPECT_EQ(stage["maximum"], 2);
  EXPECT_EQ(schema["properties"]["data"]["properties"]["crop_scale"]["maxItems"], 2);
  EXPECT_EQ(schema["properties"]["optimizer"]["properties"]["use_8bit_adam"]["type"], "boolean");
  EXPECT_EQ(schema["additionalProperties"], false);
  EXPECT_EQ(schema["properties"]["model"]["additionalProperties"], false);
}

template <class Job>
class ConfigListing : public testing::Test {};
using Jobs =
    testing::Types<TrainJob, GenerateJob, IngestJob, PoseJob, SynthJob, CacheJob, EvalJob, ExportJob>;
TYPED_TEST_SUITE(ConfigListing, Jobs);

/// Bytes of the members a listing reaches, by their types.
size_t described_bytes(const Listing& listing) {
  size_t bytes = 0;
  for (const Field& field : listing.fields())
    bytes += std::visit(
        [](const auto& member) {
          if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice>)
            return sizeof(int);
          else
            return sizeof(*member);
        },
        field.member);
  return bytes;
}

TYPED_TEST(ConfigListing, ReachesEveryMember) {
  TypeParam job;
  const Listing listing = list(job);

  // What is not described is padding: before an 8-byte member at most 7 bytes, and flags and enums are the
  // only small ones.
  const size_t padding = sizeof(TypeParam) - described_bytes(listing);
  size_t small = 0;
  for (const Field& field : listing.fields())
    small += std::holds_alternative<bool*>(field.member) || std::holds_alternative<Choice>(field.member);
  EXPECT_LE(padding, 7 * small + 7 * listing.sections().size());
}

TYPED_TEST(ConfigListing, KeysAreUniqueAndExplained) {
  TypeParam job;
  const Listing listing = list(job);

  for (const Field& field : listing.fields()) {
    EXPECT_EQ(listing.find(field.key), &field) << field.key;
    EXPECT_FALSE(field.about.help.empty()) << field.key;
    EXPECT_FALSE(field.about.help.ends_with('.')) << field.key;
  }
}

/// A size of 2^63 - 1 once took all memory of the machine, and a margin of that many frames became -1.
TYPED_TEST(ConfigListing, EveryWholeNumberHasARange) {
  TypeParam job;
  for (const Listing listing = list(job); const Field& field : listing.fields()) {
    const bool is_whole = std::holds_alternative<int64_t*>(field.member) ||
                          std::holds_alternative<std::vector<int64_t>*>(field.member);
    if (!is_whole) continue;
    EXPECT_GE(field.about.min, 0) << field.key;
    if (field.key.ends_with("seed")) continue;  // mixed into counters, never counted with
    EXPECT_LE(field.about.max, 1 << 30) << field.key << ": a number that sums and products overflow with";
  }
}

}  // namespace
}  // namespace zt::config
