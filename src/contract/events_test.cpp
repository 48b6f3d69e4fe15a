// SPDX-License-Identifier: Apache-2.0
#include "contract/events.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "base/files/files.hpp"
#include "support/file_limit.hpp"
#include "support/temp_folder.hpp"

namespace zt::contract {
namespace {

void put_file(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }

std::string line(int seq, const std::string& rest) {
  return "{\"v\":1,\"seq\":" + std::to_string(seq) + ",\"time\":\"2026-01-01T00:00:00.000Z\"," + rest + "}\n";
}

std::vector<std::string> types(const EventLog& log) {
  std::vector<std::string> out;
  for (const auto& e : log.events) out.emplace_back(type_name(e.body));
  return out;
}

TEST(Events, WhatIsWrittenIsReadBackWithItsOrder) {
  const test::TempFolder folder;
  auto writer = EventWriter::create(folder.path(), 3, "rank0");
  ASSERT_TRUE(writer);

  ASSERT_TRUE(writer->write(AttemptStarted{.host = "h", .pid = 7, .device = "cpu", .from_step = 10}));
  ASSERT_TRUE(
      writer->write(CheckpointSaved{.step = 20, .name = "step-00000020", .bytes = 5, .stall_s = 0.25}));
  const auto log = read_events(folder.path());

  ASSERT_TRUE(log);
  ASSERT_EQ(log->events.size(), 2u);
  EXPECT_EQ(log->dropped_lines, 0);
  EXPECT_EQ(log->events[1].generation, 3);
  EXPECT_EQ(log->events[1].writer, "rank0");
  EXPECT_EQ(log->events[1].sequence, 1);
  const auto& saved = std::get<CheckpointSaved>(log->events[1].body);
  EXPECT_EQ(saved.step, 20);
  EXPECT_EQ(saved.name, "step-00000020");
  EXPECT_EQ(saved.stall_s, 0.25);
  EXPECT_EQ(std::get<AttemptStarted>(log->events[0].body).from_step, 10);
}

TEST(Events, LineHasTheDocumentedForm) {
  const test::TempFolder folder;
  auto writer = EventWriter::create(folder.path(), 1, "rank0");
  ASSERT_TRUE(writer->write(StopRequested{.step = 12, .signal = 15}));

  const auto text = files::read(folder / "000001.rank0.jsonl");

  ASSERT_TRUE(text);
  EXPECT_EQ(text->substr(0, 16), "{\"v\":1,\"seq\":0,\"");
  EXPECT_NE(text->find("Z\",\"type\":\"stop_requested\",\"step\":12,\"signal\":15}\n"), std::string::npos);
}

TEST(Events, NumbersThatAreNotFiniteSurvive) {
  const test::TempFolder folder;
  auto writer = EventWriter::create(folder.path(), 1, "rank0");
  ASSERT_TRUE(writer->write(ValidationDone{.step = 1, .loss = std::numeric_limits<double>::quiet_NaN()}));
  ASSERT_TRUE(writer->write(ValidationDone{.step = 2, .loss = -std::numeric_limits<double>::infinity()}));

  const auto log = read_events(folder.path());

  ASSERT_TRUE(log);
  EXPECT_TRUE(std::isnan(std::get<ValidationDone>(log->events[0].body).loss));
  EXPECT_EQ(std::get<ValidationDone>(log->events[1].body).loss, -std::numeric_limits<double>::infinity());
}

TEST(Events, AGenerationIsNeverWrittenTwice) {
  const test::TempFolder folder;
  ASSERT_TRUE(EventWriter::create(folder.path(), 1, "rank0"));

  const auto second = EventWriter::create(folder.path(), 1, "rank0");

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::AlreadyExists);
}

TEST(Events, WhatAFullDiskDidNotTakeComesOnceItHasRoom) {
  const test::TempFolder folder;
  auto writer = *EventWriter::create(folder.path(), 1, "rank0");
  ASSERT_TRUE(writer.write(StopRequested{1, 2}));
  const auto file = folder / "000001.rank0.jsonl";
  const auto whole = std::filesystem::file_size(file);
  {
    const test::FileLimit full(whole + 20);  // a part of the next line fits
    EXPECT_FALSE(writer.write(Warning{"data", "a"}));
    EXPECT_FALSE(writer.write(Warning{"data", "b"}));
  }
  ASSERT_TRUE(writer.write(StopRequested{2, 2}));

  const auto log = read_events(folder.path());

  ASSERT_TRUE(log);
  EXPECT_EQ(types(*log),
            (std::vector<std::string>{"stop_requested", "warning", "warning", "stop_requested"}));
  EXPECT_EQ(log->dropped_lines, 0);
}

TEST(Events, AreDroppedWhereTooManyWaitForTheDiskAndThoseThatWaitStillCome) {
  const test::TempFolder folder;
  auto writer = *EventWriter::create(folder.path(), 1, "rank0");
  const Warning half_megabyte{"data", std::string(1 << 19, 'x')};
  {
    const test::FileLimit full(0);
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(writer.write(half_megabyte));
  }
  ASSERT_TRUE(writer.write(StopRequested{1, 2}));

  const auto log = read_events(folder.path());

  ASSERT_TRUE(log);
  EXPECT_EQ(log->events.size(), 8U + 1);  // 4 MiB that were kept
  EXPECT_EQ(types(*log).back(), "stop_requested");
}

TEST(Events, TornLastLineIsDroppedAtEveryLength) {
  const test::TempFolder folder;
  const std::string first = line(0, "\"type\":\"warning\",\"component\":\"data\",\"message\":\"a\"");
  const std::string second = line(1, "\"type\":\"stop_requested\",\"step\":4,\"signal\":2");
  for (size_t kept = 0; kept < second.size(); ++kept) {
    put_file(folder / "000001.rank0.jsonl", first + second.substr(0, kept));

    const auto log = read_events(folder.path());

    ASSERT_TRUE(log);
    EXPECT_EQ(types(*log), std::vector<std::string>{"warning"}) << "kept " << kept;
    EXPECT_EQ(log->dropped_lines, kept > 0 ? 1 : 0);
  }
}

TEST(Events, DamagedLinesAreCountedAndTheRestIsRead) {
  const test::TempFolder folder;
  put_file(folder / "000001.rank0.jsonl", "garbage\n" + std::string(300, '[') + "\n" +
                                              line(2, "\"type\":\"stop_requested\",\"step\":\"four\"") +
                                              line(3, "\"type\":\"stop_requested\",\"step\":4"));

  const auto log = read_events(folder.path());

  ASSERT_TRUE(log);
  EXPECT_EQ(types(*log), std::vector<std::string>{"stop_requested"});
  EXPECT_EQ(log->dropped_lines, 3);
}

TEST(Events, UnknownTypesAndVersionsAreKeptByName) {
  const test::TempFolder folder;
  const std::string newer = "{\"v\":2,\"seq\":1,\"time\":\"t\",\"type\":\"warning\",\"message\":5}\n";
  put_file(folder / "000001.rank0.jsonl", line(0, "\"type\":\"moon_landed\",\"x\":1") + newer);

  const auto log = read_events(folder.path());

  ASSERT_TRUE(log);
  EXPECT_EQ(types(*log), (std::vector<std::string>{"moon_landed", "warning"}));
  EXPECT_TRUE(std::holds_alternative<UnknownEvent>(log->events[1].body));
  EXPECT_EQ(log->events[1].json + "\n", newer);
}

TEST(Events, HigherGenerationReplacesWhatItRepeatsAndNothingElse) {
  const test::TempFolder folder;
  const auto saved = [](int seq, int step, const char* name) {
    return line(
        seq, "\"type\":\"checkpoint_saved\",\"step\":" + std::to_string(step) + ",\"name\":\"" + name + "\"");
  };
  const std::string stopped = "\"type\":\"stop_requested\",\"step\":10,\"signal\":15";
  put_file(folder / "000001.rank0.jsonl", saved(0, 5, "a5") + saved(1, 10, "a10") + line(2, stopped));
  put_file(folder / "000002.rank0.jsonl", saved(0, 10, "b10") + line(1, stopped));
  put_file(folder / "notes.txt", "not an event file");

  const auto log = read_events(folder.path());

  ASSERT_TRUE(log);
  ASSERT_EQ(types(*log), (std::vector<std::string>{"checkpoint_saved", "stop_requested", "checkpoint_saved",
                                                   "stop_requested"}));
  EXPECT_EQ(std::get<CheckpointSaved>(log->events[0].body).name, "a5");
  EXPECT_EQ(std::get<CheckpointSaved>(log->events[2].body).name, "b10");
}

TEST(Events, GenerationTenComesAfterNine) {
  const test::TempFolder folder;
  put_file(folder / "10.rank0.jsonl", line(0, "\"type\":\"warning\",\"message\":\"ten\""));
  put_file(folder / "9.rank0.jsonl", line(7, "\"type\":\"warning\",\"message\":\"nine\""));

  const auto log = read_events(folder.path());

  ASSERT_TRUE(log);
  EXPECT_EQ(std::get<Warning>(log->events[0].body).message, "nine");
}

TEST(Events, AnAbsentFolderIsAnEmptyLog) {
  const auto log = read_events("/nowhere/events");

  ASSERT_TRUE(log);
  EXPECT_TRUE(log->events.empty());
}

}  // namespace
}  // namespace zt::contract
