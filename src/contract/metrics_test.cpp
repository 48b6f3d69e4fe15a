// SPDX-License-Identifier: Apache-2.0
#include "contract/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "base/files/files.hpp"
#include "support/file_limit.hpp"
#include "support/temp_folder.hpp"

namespace zt::contract {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

void write_row(MetricWriter& writer, int64_t step, std::vector<MetricValue> values) {
  ASSERT_TRUE(writer.write(step, values));
}

std::vector<std::pair<int64_t, double>> points(const MetricSeries& series, const std::string& name) {
  std::vector<std::pair<int64_t, double>> out;
  const auto it = series.by_name.find(name);
  if (it == series.by_name.end()) return out;
  for (const auto& p : it->second) out.emplace_back(p.step, p.value);
  return out;
}

using Points = std::vector<std::pair<int64_t, double>>;

TEST(Metrics, RowsOfDifferentNamesAreReadBack) {
  const test::TempFolder folder;
  auto writer = MetricWriter::create(folder.path(), 1, "rank0");
  ASSERT_TRUE(writer);

  write_row(*writer, 1, {{"loss", 0.5}, {"lr", 1e-4}});
  write_row(*writer, 2, {{"loss", 0.25}});
  const auto series = read_metrics(folder.path());

  ASSERT_TRUE(series);
  EXPECT_EQ(points(*series, "loss"), (Points{{1, 0.5}, {2, 0.25}}));
  EXPECT_EQ(points(*series, "lr"), (Points{{1, 1e-4}}));
  EXPECT_EQ(series->damaged_segments, 0);
  EXPECT_GT(series->by_name.at("loss").front().time_s, 1.7e9);  // a time after 2023
}

TEST(Metrics, FileHasTheDocumentedBytes) {
  const test::TempFolder folder;
  auto writer = MetricWriter::create(folder.path(), 1, "rank0");
  write_row(*writer, 5, {{"a", 1.0}});

  const auto bytes = files::read(folder / "000001.rank0.seg");

  ASSERT_TRUE(bytes);
  // Header, then a name record (kind 1, id 0, "a") and a row record (kind 2, step 5, time, id 0, 1.0).
  ASSERT_EQ(bytes->size(), 16u + (8 + 6) + (8 + 29));
  EXPECT_EQ(bytes->substr(0, 16), std::string("ZTMETRIC\1\0\0\0\0\0\0\0", 16));
  EXPECT_EQ(bytes->substr(16, 4), std::string("\6\0\0\0", 4));
  EXPECT_EQ(bytes->substr(24, 6), std::string("\1\0\0\0\0a", 6));
  EXPECT_EQ(bytes->substr(38, 9), std::string("\2\5\0\0\0\0\0\0\0", 9));
  EXPECT_EQ(bytes->substr(55, 12), std::string("\0\0\0\0\0\0\0\0\0\0\xf0\x3f", 12));
}

TEST(Metrics, RowsThatAFullDiskDidNotTakeComeOnceItHasRoom) {
  const test::TempFolder folder;
  auto writer = *MetricWriter::create(folder.path(), 1, "rank0");
  const auto write = [&](int64_t step, const char* name) {
    const MetricValue value{name, static_cast<double>(step)};
    return writer.write(step, {&value, 1});
  };
  ASSERT_TRUE(write(1, "loss"));
  const auto whole = std::filesystem::file_size(folder / "000001.rank0.seg");
  {
    const test::FileLimit full(whole + 5);
    EXPECT_FALSE(write(2, "norm"));  // the name's first row
  }
  ASSERT_TRUE(write(3, "norm"));

  const auto series = read_metrics(folder.path());

  ASSERT_TRUE(series);
  EXPECT_EQ(series->by_name.at("norm").size(), 2U);
}

TEST(Metrics, NanAndInfinitySurvive) {
  const test::TempFolder folder;
  auto writer = MetricWriter::create(folder.path(), 1, "rank0");

  write_row(*writer, 1, {{"loss", kNan}, {"norm", -kInf}});
  const auto series = read_metrics(folder.path());

  ASSERT_TRUE(series);
  EXPECT_TRUE(std::isnan(points(*series, "loss").at(0).second));
  EXPECT_EQ(points(*series, "norm").at(0).second, -kInf);
}

TEST(Metrics, HigherGenerationWinsPerStepAndOthersStay) {
  const test::TempFolder folder;
  auto old = MetricWriter::create(folder.path(), 1, "rank0");
  auto restarted = MetricWriter::create(folder.path(), 2, "rank0");
  write_row(*old, 10, {{"loss", 1.0}});
  write_row(*restarted, 11, {{"loss", 2.5}});
  write_row(*restarted, 11, {{"loss", 2.75}});
  write_row(*old, 11, {{"loss", 2.0}});  // written later, but by the older generation
  write_row(*old, 12, {{"loss", 3.0}});

  const auto series = read_metrics(folder.path());

  ASSERT_TRUE(series);
  EXPECT_EQ(points(*series, "loss"), (Points{{10, 1.0}, {11, 2.75}, {12, 3.0}}));
  EXPECT_EQ(series->by_name.at("loss").at(1).generation, 2);
}

TEST(Metrics, AFileCutAtAnyByteGivesAPrefixOfItsRows) {
  const test::TempFolder folder;
  const auto path = folder / "000001.rank0.seg";
  {
    auto writer = MetricWriter::create(folder.path(), 1, "rank0");
    for (int step = 0; step < 3; ++step) write_row(*writer, step, {{"loss", step + 0.5}});
  }
  const std::string whole = *files::read(path);
  size_t most = 0;
  for (size_t kept = 0; kept <= whole.size(); ++kept) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << whole.substr(0, kept);

    const auto series = read_metrics(folder.path());

    ASSERT_TRUE(series);
    const auto got = points(*series, "loss");
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i], (std::pair<int64_t, double>(static_cast<int64_t>(i), static_cast<double>(i) + 0.5)));
    }
    EXPECT_GE(got.size(), most);
    most = got.size();
  }
  EXPECT_EQ(most, 3u);
}

TEST(Metrics, AnyFlippedByteIsNoticedOrHarmless) {
  const test::TempFolder folder;
  const auto path = folder / "000001.rank0.seg";
  {
    auto writer = MetricWriter::create(folder.path(), 1, "rank0");
    write_row(*writer, 1, {{"loss", 0.5}});
    write_row(*writer, 2, {{"loss", 0.25}});
  }
  const std::string whole = *files::read(path);
  for (size_t i = 16; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << damaged;

    const auto series = read_metrics(folder.path());

    ASSERT_TRUE(series);
    EXPECT_EQ(series->damaged_segments, 1) << "byte " << i;
  }
}

TEST(Metrics, ANameThatIsEmptyOrTooLongIsRefused) {
  const test::TempFolder folder;
  auto writer = MetricWriter::create(folder.path(), 1, "rank0");
  const std::string overlong(256, 'x');
  const std::vector<MetricValue> empty_name{{"", 1}}, long_name{{overlong, 1}};

  EXPECT_FALSE(writer->write(1, empty_name));
  EXPECT_FALSE(writer->write(1, long_name));
}

}  // namespace
}  // namespace zt::contract
