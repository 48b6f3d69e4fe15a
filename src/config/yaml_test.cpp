// SPDX-License-Identifier: Apache-2.0
#include "config/internal/yaml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zt::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string refusal(const std::string& text) {
  const auto root = parse_yaml({"f.yaml", text});
  if (root) return "accepted";
  EXPECT_EQ(root.error().code, ErrorCode::InvalidConfig);
  return root.error().message;
}

std::string repeated(const std::string& part, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += part;
  return out;
}

TEST(Yaml, ReadsMapsListsAndScalarsWithPositions) {
  const auto root = parse_yaml({"f.yaml", "a: 1\nb:\n  - x\n  - 'y z'\nc: {d: ~, e: []}\n"});

  ASSERT_TRUE(root) << root.error().message;
  ASSERT_EQ(root->children.size(), 3u);
  EXPECT_EQ(root->find("a")->text, "1");
  EXPECT_EQ(root->find("b")->children[1].text, "y z");
  EXPECT_TRUE(root->find("b")->children[1].is_quoted);
  EXPECT_EQ(root->find("b")->children[1].at.line, 3u);
  EXPECT_EQ(root->find("b")->children[1].at.column, 4u);
  EXPECT_EQ(root->find("c")->find("d")->kind, YamlNode::Kind::Null);
  EXPECT_EQ(root->find("c")->find("e")->kind, YamlNode::Kind::List);
}

TEST(Yaml, ReadsQuotesInQuotesAndBlockText) {
  const auto root = parse_yaml({"f.yaml", "a: 'it''s'\nb: \"x\\\"y\"\nc: |\n  'open\n'd': 1\n"});

  ASSERT_TRUE(root) << root.error().message;
  EXPECT_EQ(root->find("a")->text, "it's");
  EXPECT_EQ(root->find("b")->text, "x\"y");
  EXPECT_EQ(root->find("c")->text, "'open\n");
  EXPECT_EQ(root->find("d")->text, "1");
}

TEST(Yaml, EmptyTextIsNull) {
  for (const char* text : {"", "\n", "# nothing\n", "---\n", "\xEF\xBB\xBF"}) {
    const auto root = parse_yaml({"f.yaml", text});

    ASSERT_TRUE(root) << root.error().message;
    EXPECT_EQ(root->kind, YamlNode::Kind::Null);
  }
}

TEST(Yaml, RefusesDuplicateKeys) {
  EXPECT_EQ(refusal("a: 1\nb: 2\na: 3\n"),
            "f.yaml:3:1: the key \"a\" stands here twice, first in line 1\n  3 | a: 3\n    | ^");
}

TEST(Yaml, RefusesAnchorsAliasesMergesAndTags) {
  EXPECT_THAT(refusal("a: &x 1\nb: *x\n"), StartsWith("f.yaml:1:4: anchors"));
  EXPECT_THAT(refusal("a: *x\n"), HasSubstr("f.yaml:1:4"));
  EXPECT_THAT(refusal("a: &x {k: 1}\nb:\n  <<: *x\n"), HasSubstr("anchors"));
  EXPECT_THAT(refusal("a: !!python/object:os.system 1\n"), HasSubstr("tags"));
  EXPECT_THAT(refusal("a: !!map {}\n"), HasSubstr("tags"));
}

TEST(Yaml, RefusesABillionLaughs) {
  EXPECT_THAT(refusal("a: &a [l, l]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"), HasSubstr("anchors"));
}

TEST(Yaml, RefusesDeepNesting) {
  EXPECT_THAT(refusal(repeated("[", 17) + repeated("]", 17)), HasSubstr("more than 16 levels"));
  EXPECT_THAT(refusal(repeated("[", 100000)), HasSubstr("f.yaml"));
  EXPECT_THAT(refusal(repeated("{a: ", 50000)), HasSubstr("f.yaml"));
  EXPECT_THAT(refusal(repeated("- ", 100000)), HasSubstr("f.yaml"));
  EXPECT_THAT(refusal(repeated("? ", 100000)), HasSubstr("f.yaml"));
}

TEST(Yaml, RefusesLargeTextsAndLongLists) {
  EXPECT_THAT(refusal(std::string(kYamlLimitBytes + 1, '#')), HasSubstr("too large"));
  EXPECT_THAT(refusal("[" + repeated("1,", kYamlLimitItems + 1) + "]"), HasSubstr("more than 4096 entries"));
}

TEST(Yaml, RefusesWhatIsNotUtf8Text) {
  EXPECT_THAT(refusal(std::string("a: \0b", 5)), HasSubstr("byte 4 is zero, which no text has"));
  EXPECT_THAT(refusal("\xFF\xFE\x61\x00"), HasSubstr("not UTF-8"));
  EXPECT_THAT(refusal("a: \xC0\xAF"), HasSubstr("not UTF-8"));
}

TEST(Yaml, RefusesASecondDocument) {
  EXPECT_THAT(refusal("a: 1\n---\nb: 2\n"), HasSubstr("second document"));
}

TEST(Yaml, RefusesKeysThatAreNotText) {
  EXPECT_THAT(refusal("[a, b]: 1\n"), HasSubstr("a key must be plain text"));
  EXPECT_THAT(refusal("? {a: 1}\n: 2\n"), HasSubstr("a key must be plain text"));
  EXPECT_THAT(refusal("~: 1\n"), HasSubstr("a key must be plain text"));
}

TEST(Yaml, PointsAtBrokenSyntax) {
  EXPECT_THAT(refusal("a: 'open\nb: 1\n"), StartsWith("f.yaml:1:4: the quotes are not closed"));
  EXPECT_THAT(refusal("\xEF\xBB\xBF\"a\": \"op\\\"en\n"),
              StartsWith("f.yaml:1:6: the quotes are not closed"));
  EXPECT_THAT(refusal("a: 'it''s\n"), HasSubstr("not closed"));
  EXPECT_THAT(refusal("a: [1, 2\nb: 3\n"), HasSubstr("f.yaml:"));
  EXPECT_THAT(refusal("a: 1\n  b: 2\n"), HasSubstr("f.yaml:2:"));
  EXPECT_THAT(refusal("a:\n\t- b\n"), HasSubstr("f.yaml:"));
  EXPECT_THAT(refusal("%YAML 9.9\n--- a\n"), HasSubstr("f.yaml:"));
}

TEST(Source, CaretStandsUnderTheCharacter) {
  const Source source{"f.yaml", "ok\n\t\xC3\xA4: 1\n"};

  EXPECT_EQ(source.error({1, 3}, "here").message, "f.yaml:2:4: here\n  2 | \t\xC3\xA4: 1\n    | \t ^");
}

TEST(Source, TheLineThatIsShownGivesATerminalNothingToObey) {
  const Source source{"f.yaml", "a\x1b[31m: 1\n"};

  EXPECT_EQ(source.error({0, 6}, "here").text(), "f.yaml:1:7: here\n  1 | a?[31m: 1\n    |       ^");
}

TEST(Source, LinesOutsideTheTextAreLeftOut) {
  EXPECT_EQ((Source{"f.yaml", "a"}.error({7, 1}, "gone").message), "f.yaml:8:2: gone");
  EXPECT_EQ((Source{"--set a=1", ""}.error({}, "bad").message), "--set a=1: bad");
}

}  // namespace
}  // namespace zt::config
