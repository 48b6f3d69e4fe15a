// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/files/files.hpp"
#include "config/job/train_job.hpp"
#include "config/load.hpp"
#include "contract/events.hpp"
#include "report/chart.hpp"
#include "report/html.hpp"
#include "report/run_charts.hpp"
#include "report/run_report.hpp"
#include "support/temp_folder.hpp"

namespace zt::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Ticks, AreRoundAndCoverTheRange) {
  EXPECT_THAT(ticks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(ticks(0.13, 0.29, 4),
              ElementsAre(testing::DoubleNear(0.15, 1e-12), testing::DoubleNear(0.2, 1e-12),
                          testing::DoubleNear(0.25, 1e-12)));
}

TEST(Thinned, KeepsTheSpike) {
  std::vector<Point> points;
  for (int i = 0; i < 10000; ++i) points.push_back({static_cast<double>(i), i == 7777 ? 9.0 : 1.0});

  const auto few = thinned(points, 600);

  EXPECT_LE(few.size(), 602U);
  EXPECT_EQ(few.front().x, 0);
  EXPECT_EQ(few.back().x, 9999);
  EXPECT_TRUE(std::any_of(few.begin(), few.end(), [](const Point& p) { return p.y == 9.0; }));
}

TEST(Chart, BreaksTheLineWhereAValueIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = to_svg({"loss", "", {{"loss", {{0, 1}, {1, nan}, {2, 3}}}}});

  const size_t d = svg.find(" d=\"");
  const std::string path = svg.substr(d, svg.find('"', d + 4) - d);
  EXPECT_EQ(std::count(path.begin(), path.end(), 'M'), 2);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(Chart, SaysThatThereAreNoValues) { EXPECT_THAT(to_svg({"loss", "", {}}), HasSubstr("no values")); }

TEST(Chart, DrawsOneValue) {
  EXPECT_THAT(to_svg({"loss", "", {{"a", {{3, 5}}}}}), Not(HasSubstr("no values")));
}

// RFC 4648, section 10.
TEST(Base64, EqualsTheRfcsVectors) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Html, EscapesWhatEndsAnAttribute) {
  EXPECT_EQ(escaped("<a b='c\"&'>"), "&lt;a b=&#39;c&quot;&amp;&#39;&gt;");
}

TEST(Html, AlignsNumbersRight) {
  const std::string html = table({{"name", "value"}, {"psnr", "24.5 dB"}});
  EXPECT_THAT(html, HasSubstr("<td>psnr</td><td class=\"number\">24.5 dB</td>"));
}

TEST(Chart, NamesItsAxisAndHasNoNegativeZero) {
  const std::string svg = to_svg({"loss", "", {{"a", {{0, -0.001}, {100, 1}}}}});

  EXPECT_THAT(svg, HasSubstr(">step</text>"));
  EXPECT_THAT(svg, HasSubstr(">0</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">-0</text>")));
}

TEST(RunCharts, SayUnitsAndWhereTheTimeGoes) {
  contract::MetricSeries series;
  series.by_name["memory/resident_bytes"] = {{.step = 1, .value = 3.0 * 1024 * 1024}};
  series.by_name["comm/sent_bytes"] = {{.step = 1, .value = 2.0 * 1024 * 1024}};
  series.by_name["time/step_s"] = {{.step = 1, .value = 0.1}, {.step = 2, .value = 0.3}};
  series.by_name["time/forward_s"] = {{.step = 1, .value = 0.04}, {.step = 2, .value = 0.08}};
  series.by_name["time/backward_s"] = {{.step = 1, .value = 0.05}, {.step = 2, .value = 0.15}};
  series.by_name["time/save_s"] = {{.step = 1, .value = 0}, {.step = 2, .value = 0.02}};

  const auto charts = charts_of(series);
  const auto shares = time_of_a_step(series);

  ASSERT_EQ(charts.size(), 3U);
  EXPECT_EQ(charts[2].title, "Sent to other ranks");
  EXPECT_EQ(charts[2].lines[0].points[0].y, 2);
  EXPECT_EQ(charts[1].unit, "MiB");
  EXPECT_EQ(charts[1].lines[0].name, "resident");
  EXPECT_EQ(charts[1].lines[0].points[0].y, 3);
  ASSERT_EQ(shares.size(), 6U);
  EXPECT_EQ(shares[1].name, "forward");
  EXPECT_NEAR(shares[1].seconds, 0.06, 1e-12);
  EXPECT_EQ(shares[4].name, "saving");
  EXPECT_NEAR(shares[4].seconds, 0.01, 1e-12);
  EXPECT_NEAR(shares[5].seconds, 0.2 - 0.06 - 0.1, 1e-12);
  EXPECT_TRUE(time_of_a_step({}).empty());
}

contract::RunFolder make_run(const std::filesystem::path& runs) {
  contract::CreateRun options;
  options.runs_folder = runs;
  options.name = "dance";
  options.kind = "stage1";
  config::Resolved<config::TrainJob> resolved;
  resolved.job.output_dir = "<dance>";
  options.run_yaml = config::freeze(resolved);
  return contract::RunFolder::create(options).value();
}

TEST(RunReport, HoldsCurvesClipsEventsAndConfiguration) {
  const test::TempFolder temp;
  const auto run = make_run(temp.path());
  auto metrics = contract::MetricWriter::create(run.metrics(), 1, "rank0").value();
  for (int64_t step = 1; step <= 3; ++step) {
    const std::array<contract::MetricValue, 2> row{{{"train/loss", 1.0}, {"unforeseen/number", 2.0}}};
    ASSERT_TRUE(metrics.write(step, row));
  }
  auto events = contract::EventWriter::create(run.events(), 1, "rank0").value();
  ASSERT_TRUE(
      events.write(contract::AttemptStarted{.host = "desk", .world_size = 4, .threads = 1, .device = "cpu"}));
  ASSERT_TRUE(events.write(contract::Warning{"data", "clip <x> is broken"}));
  ASSERT_TRUE(files::write_atomic(run.samples() / "step-00000003-grid.png", std::string_view("png")));
  ASSERT_TRUE(files::write_atomic(run.samples() / "step-00000003-clip.mp4", std::string_view("mp4")));

  ASSERT_TRUE(write_run_report(run));

  const std::string html = files::read(run.report()).value();
  EXPECT_THAT(html, HasSubstr("Training loss"));
  EXPECT_THAT(html, HasSubstr("unforeseen"));
  EXPECT_THAT(html, HasSubstr("clip &lt;x&gt; is broken"));
  EXPECT_THAT(html, HasSubstr("started on desk: 4 ranks, the first on cpu, 1 thread each, from the start"));
  EXPECT_THAT(html, HasSubstr("data:image/png;base64,cG5n"));
  EXPECT_THAT(html, HasSubstr("src=\"data:video/mp4;base64,bXA0\""));
  EXPECT_THAT(html, HasSubstr("&lt;dance&gt;"));
  EXPECT_LT(html.find("data:image/png"), html.find("Training loss"));  // the pictures first
  EXPECT_THAT(html, HasSubstr("Stage 1: single pictures"));
  EXPECT_THAT(html, Not(HasSubstr("http")));
}

TEST(RunReport, IsMadeForARunThatNeverStarted) {
  const test::TempFolder temp;
  const auto run = make_run(temp.path());

  ASSERT_TRUE(write_run_report(run));

  EXPECT_THAT(files::read(run.report()).value(), HasSubstr("created"));
}

}  // namespace
}  // namespace zt::report
