// SPDX-License-Identifier: Apache-2.0
#include "contract/manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <limits>
#include <span>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "support/temp_folder.hpp"

namespace zt::contract {
namespace {

using testing::HasSubstr;
using testing::Not;

Manifest two_chunk_manifest() {
  Manifest m;
  m.step = 1200;
  m.run_id = "a-00000001";
  m.files = {{"rank-00000.safetensors", 5, hash::xxh128_hex(std::as_bytes(std::span("hello", 5)))},
             {"rank-00001.safetensors", 0, hash::xxh128_hex({})}};
  m.tensors = {{"param/x", "F32", {2, 3}, {{0, "param/x", 0, 4}, {1, "param/x", 4, 6}}}};
  m.scalars["cursor"] = "77";
  m.metrics["val_loss"] = 0.25;
  return m;
}

std::filesystem::path write_checkpoint(const test::TempFolder& folder) {
  const auto path = folder / "step-00001200";
  EXPECT_TRUE(files::make_folders(path));
  EXPECT_TRUE(files::write_atomic(path / "rank-00000.safetensors", "hello"));
  EXPECT_TRUE(files::write_atomic(path / "rank-00001.safetensors", ""));
  EXPECT_TRUE(files::write_atomic(path / "manifest.json", to_json(two_chunk_manifest())));
  return path;
}

}  // namespace

TEST(Manifest, SurvivesARoundTrip) {
  const auto read = parse_manifest(to_json(two_chunk_manifest()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(to_json(*read), to_json(two_chunk_manifest()));
}

// Three ranks: one has the first half of a tensor, the next the rest, the last another tensor. Parts come in
// any order.
TEST(Manifest, IsPutTogetherFromRanksParts) {
  const ManifestPart first{{{"rank-00000.safetensors", 8, "a"}},
                           {{"param/x", "F32", {2, 2}, {{0, "param/x", 0, 2}}}}};
  const ManifestPart second{{{"rank-00001.safetensors", 8, "b"}},
                            {{"param/x", "F32", {2, 2}, {{0, "param/x", 2, 4}}}}};
  const ManifestPart third{{{"rank-00002.safetensors", 4, "c"}},
                           {{"param/y", "F32", {1}, {{0, "param/y", 0, 1}}}}};
  Manifest whole;
  for (const ManifestPart& part : {second, first, third}) {
    const auto sent = parse_manifest_part(to_json(part));
    ASSERT_TRUE(sent) << sent.error().message;
    add_part(whole, *sent);
  }

  const auto read = parse_manifest(to_json(whole));

  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->tensors.size(), 2U);
  EXPECT_EQ(read->files[read->tensors[0].chunks[0].file].name, "rank-00000.safetensors");
  EXPECT_EQ(read->files[read->tensors[0].chunks[1].file].name, "rank-00001.safetensors");
  EXPECT_EQ(read->files[read->tensors[1].chunks[0].file].name, "rank-00002.safetensors");
}

TEST(Manifest, WithoutARanksPartIsRefused) {
  Manifest whole;
  add_part(whole,
           {{{"rank-00000.safetensors", 8, "a"}}, {{"param/x", "F32", {2, 2}, {{0, "param/x", 0, 2}}}}});
  EXPECT_EQ(parse_manifest(to_json(whole)).error().code, ErrorCode::Corrupt);
}

TEST(Manifest, RefusesAPartThatIsNone) {
  for (const char* text : {"", "[]", "{\"files\":[]}",
                           "{\"files\":[],\"tensors\":[{\"name\":\"x\",\"dtype\":\"F32\",\"shape\":[1],"
                           "\"chunks\":[{\"file\":0,\"key\":\"x\",\"begin\":0,\"end\":1}]}]}"})
    EXPECT_EQ(parse_manifest_part(text).error().code, ErrorCode::Corrupt) << text;
}

// The text is put together by hand: it must be JSON whatever the names hold.
TEST(Manifest, QuotesNames) {
  auto odd = two_chunk_manifest();
  odd.run_id = "a \"quoted\" \\ name\nin two lines, \xc3\xa9";
  odd.tensors[0].name = "param/\"x\"";
  odd.tensors[0].chunks[0].key = "param\t\\x";
  odd.tensors.push_back({"param/scalar", "F32", {}, {{1, "param/scalar", 0, 1}}});

  const auto read = parse_manifest(to_json(odd));

  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->run_id, odd.run_id);
  EXPECT_EQ(read->tensors[0].name, odd.tensors[0].name);
  EXPECT_EQ(read->tensors[0].chunks[0].key, odd.tensors[0].chunks[0].key);
  EXPECT_TRUE(read->tensors[1].shape.empty());
}

TEST(Manifest, TakesAMetricThatIsNotFinite) {
  auto diverged = two_chunk_manifest();
  diverged.metrics["val_loss"] = std::numeric_limits<double>::quiet_NaN();

  const auto read = parse_manifest(to_json(diverged));

  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(std::isnan(read->metrics.at("val_loss")));
}

TEST(Manifest, RefusesGapsOverlapsEscapesAndOtherVersions) {
  auto gap = two_chunk_manifest();
  gap.tensors[0].chunks[1].begin = 5;
  auto overlap = two_chunk_manifest();
  overlap.tensors[0].chunks[1].begin = 3;
  auto shortfall = two_chunk_manifest();
  shortfall.tensors[0].shape = {2, 4};
  auto overflow = two_chunk_manifest();
  overflow.tensors[0].shape = {int64_t{1} << 62, 8};
  auto escape = two_chunk_manifest();
  escape.files[0].name = "../x";
  auto forged = two_chunk_manifest();
  forged.files[0].name = "x\n\x1b[31mok";
  auto twice = two_chunk_manifest();
  twice.files[1].name = twice.files[0].name;
  auto none = two_chunk_manifest();
  none.tensors.clear();
  auto stranger = two_chunk_manifest();
  stranger.tensors[0].chunks[0].file = 9;
  for (const auto& bad : {gap, overlap, shortfall, overflow, escape, forged, twice, none, stranger}) {
    const auto read = parse_manifest(to_json(bad));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::Corrupt);
  }
  auto newer = two_chunk_manifest();
  newer.version = 2;
  EXPECT_EQ(parse_manifest(to_json(newer)).error().code, ErrorCode::Unsupported);
}

TEST(Manifest, FindsAnyChangedBitOfItsText) {
  const std::string text = to_json(two_chunk_manifest());
  const std::string before = unsummed_json(two_chunk_manifest());
  ASSERT_TRUE(parse_manifest(before)) << "the format before";
  // Of the key's own letters none is looked for: without it the text is one of before.
  const size_t key = before.size() - 2, sum = key + std::string_view(",\n \"xxh128\": \"").size();
  for (size_t at = 0; at + 3 < text.size(); ++at) {
    if (at >= key && at < sum) continue;
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      EXPECT_FALSE(parse_manifest(changed)) << "bit " << bit << " of byte " << at << ": " << text[at];
    }
  }
}

// Each by its key, in the words of this project.
TEST(Manifest, RefusesValuesOfAnotherKind) {
  const std::string good = unsummed_json(two_chunk_manifest());
  const auto message_with = [&](const std::string& old, const std::string& value) {
    std::string text = good;
    const size_t at = text.find(old);
    EXPECT_NE(at, text.npos) << old;
    const auto read = parse_manifest(text.replace(at, old.size(), value));
    return read ? "it was taken" : read.error().text();
  };
  for (const char* value : {"-1", "16.5", "1e308", "9223372036854775808", "\"1\"", "null", "true", "[1]"}) {
    for (const char* key : {"step", "generation", "world_size"}) {
      const std::string old = key == std::string("step")         ? "1200"
                              : key == std::string("generation") ? "0"
                                                                 : "1";
      const std::string name = "\"" + std::string(key) + "\"";
      EXPECT_THAT(message_with(name + ": " + old, name + ": " + value), HasSubstr(name + " must be"))
          << value;
    }
    EXPECT_THAT(message_with("\"end\": 4", std::string("\"end\": ") + value), HasSubstr("\"end\"")) << value;
    EXPECT_THAT(message_with("\"size_bytes\": 5", std::string("\"size_bytes\": ") + value),
                HasSubstr("\"size_bytes\""))
        << value;
  }
  EXPECT_THAT(message_with("\"world_size\": 1", "\"world_size\": 0"), HasSubstr("\"world_size\""));
  EXPECT_THAT(message_with("\"run_id\": ", "\"other\": "), HasSubstr("\"run_id\" is missing"));
  EXPECT_THAT(message_with("{", "["), Not(HasSubstr("json.exception")));
}

TEST(Manifest, RefusesATensorThatIsListedTwice) {
  auto twice = two_chunk_manifest();
  twice.tensors.push_back(twice.tensors[0]);
  EXPECT_THAT(parse_manifest(to_json(twice)).error().text(), HasSubstr("param/x is listed twice"));
}

TEST(Manifest, EveryTruncationIsRefused) {
  const std::string text = to_json(two_chunk_manifest());
  for (size_t n = 0; n + 2 < text.size(); ++n)
    EXPECT_FALSE(parse_manifest(std::string_view(text).substr(0, n))) << n;
  EXPECT_FALSE(parse_manifest(std::string(100000, '[')));
}

TEST(Manifest, VerifyFindsAChangedByteAndATruncation) {
  const test::TempFolder folder;
  const auto path = write_checkpoint(folder);
  ASSERT_TRUE(verify_checkpoint(path));
  ASSERT_TRUE(files::write_atomic(path / "rank-00000.safetensors", "hellp"));
  EXPECT_EQ(verify_checkpoint(path).error().code, ErrorCode::Corrupt);
  ASSERT_TRUE(files::write_atomic(path / "rank-00000.safetensors", "hell"));
  EXPECT_EQ(verify_checkpoint(path).error().code, ErrorCode::Corrupt);
  std::filesystem::remove(path / "rank-00000.safetensors");
  EXPECT_EQ(verify_checkpoint(path).error().code, ErrorCode::NotFound);
  ASSERT_EQ(::mkfifo((path / "rank-00000.safetensors").c_str(), 0600), 0);  // reading it would never end
  EXPECT_EQ(verify_checkpoint(path).error().code, ErrorCode::Corrupt);
}

TEST(Manifest, WhoReadsWhatIsFrozenVerifiesThatAlone) {
  const test::TempFolder folder;
  auto manifest = two_chunk_manifest();
  manifest.files.push_back({frozen_file(0), 5, hash::xxh128_hex(std::as_bytes(std::span("hello", 5)))});
  const auto path = write_checkpoint(folder);
  ASSERT_TRUE(files::write_atomic(path / "manifest.json", to_json(manifest)));
  ASSERT_TRUE(files::write_atomic(path / frozen_file(0), "hello"));
  ASSERT_TRUE(files::write_atomic(path / "rank-00000.safetensors", "hellp"));

  EXPECT_FALSE(verify_checkpoint(path));
  EXPECT_TRUE(verify_checkpoint(path, {.only_frozen = true}));
  ASSERT_TRUE(files::write_atomic(path / frozen_file(0), "hellp"));
  EXPECT_EQ(verify_checkpoint(path, {.only_frozen = true}).error().code, ErrorCode::Corrupt);
}

}  // namespace zt::contract
