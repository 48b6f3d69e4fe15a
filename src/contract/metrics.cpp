// SPDX-License-Identifier: Apache-2.0
#include "contract/metrics.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <optional>

#include "base/clock.hpp"
#include "base/files/files.hpp"
#include "base/hash.hpp"

namespace zt::contract {
namespace {

static_assert(std::endian::native == std::endian::little,
              "segments are little-endian and written from memory");

constexpr std::string_view kMagic = "ZTMETRIC";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 16, kRecordHeaderBytes = 8, kCellBytes = 12;
constexpr size_t kMaxPayloadBytes = size_t{1} << 20;
constexpr size_t kMaxNameBytes = 255;
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
enum RecordKind : uint8_t { kNameRecord = 1, kRowRecord = 2 };

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

// Takes a value off the front; false when too few bytes are left.
template <class T>
bool take(std::string_view& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  std::memcpy(&value, in.data(), sizeof(T));
  in.remove_prefix(sizeof(T));
  return true;
}

uint32_t check_word(std::string_view payload) { return static_cast<uint32_t>(hash::xxh64(payload)); }

void put_record(std::string& out, const std::string& payload) {
  put(out, static_cast<uint32_t>(payload.size()));
  put(out, check_word(payload));
  out += payload;
}

struct Row {
  int64_t step = 0;
  double time_s = 0;
  std::vector<std::pair<uint32_t, double>> cells;
};

std::optional<Row> parse_row(std::string_view payload) {
  Row row;
  if (!take(payload, row.step) || !take(payload, row.time_s) || payload.size() % kCellBytes != 0)
    return std::nullopt;
  while (!payload.empty()) {
    auto& cell = row.cells.emplace_back();
    take(payload, cell.first);
    take(payload, cell.second);
  }
  return row;
}

// The checked payload at the front of `in`, which then starts behind it; none when the rest can't be read.
std::optional<std::string_view> take_record(std::string_view& in) {
  uint32_t size = 0, check = 0;
  if (!take(in, size) || !take(in, check) || size == 0 || size > kMaxPayloadBytes || size > in.size())
    return std::nullopt;
  const std::string_view payload = in.substr(0, size);
  if (check_word(payload) != check) return std::nullopt;
  in.remove_prefix(size);
  return payload;
}

using Steps = std::map<int64_t, MetricPoint>;
using Tables = std::map<std::string, Steps, std::less<>>;

// Adds one segment's rows to the tables; false if it ends in bytes that can't be read. Segments come in order
// of generation, so that a later value replaces an earlier one.
bool read_segment(std::string_view in, int64_t generation, Tables& tables) {
  uint32_t version = 0, reserved = 0;
  if (!in.starts_with(kMagic)) return false;
  in.remove_prefix(kMagic.size());
  if (!take(in, version) || !take(in, reserved) || version != kVersion) return false;
  std::vector<Steps*> columns;
  while (!in.empty()) {
    auto payload = take_record(in);
    if (!payload) return false;
    const auto kind = static_cast<uint8_t>(payload->front());
    payload->remove_prefix(1);
    if (kind == kNameRecord) {
      uint32_t id = 0;
      if (!take(*payload, id) || id != columns.size() || payload->empty()) return false;
      columns.push_back(&tables[std::string(*payload)]);
    } else if (kind == kRowRecord) {
      const auto row = parse_row(*payload);
      if (!row) return false;
      for (const auto& [id, value] : row->cells) {
        if (id >= columns.size()) return false;
        (*columns[id])[row->step] = {row->step, row->time_s, value, generation};
      }
    }  // other kinds come from a newer program and are skipped
  }
  return true;
}

}  // namespace

Result<MetricWriter> MetricWriter::create(const std::filesystem::path& metrics_folder, int64_t generation,
                                          std::string_view writer) {
  ZT_TRY_ASSIGN(auto file,
                internal::AppendFile::create(metrics_folder, generation, writer, internal::kMetricExtension));
  std::string header(kMagic);
  put(header, kVersion);
  put(header, uint32_t{0});
  static_assert(kMagic.size() + 8 == kHeaderBytes);
  ZT_TRY(file.append(header));
  return MetricWriter(std::move(file));
}

Status MetricWriter::write(int64_t step, std::span<const MetricValue> values) {
  ZT_TRY(file_.make_room());
  std::string out;
  std::string row(1, static_cast<char>(kRowRecord));
  put(row, step);
  put(row, clock::unix_now_s());
  for (const auto& [name, value] : values) {
    if (name.empty() || name.size() > kMaxNameBytes) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("a metric's name has {} bytes, 1 to 255 are allowed", name.size()));
    }
    auto it = ids_.find(name);
    if (it == ids_.end()) {
      it = ids_.emplace(std::string(name), static_cast<uint32_t>(ids_.size())).first;
      std::string record(1, static_cast<char>(kNameRecord));
      put(record, it->second);
      put_record(out, record.append(name));
    }
    put(row, it->second);
    put(row, value);
  }
  if (row.size() > kMaxPayloadBytes) {
    return fail(ErrorCode::InvalidArgument, fmt::format("a row of {} metrics is too long", values.size()));
  }
  put_record(out, row);
  static_assert(kRecordHeaderBytes == 2 * sizeof(uint32_t));
  return file_.append(out);
}

Status MetricWriter::sync() { return file_.sync(); }

Result<MetricSeries> read_metrics(const std::filesystem::path& metrics_folder) {
  Tables tables;
  MetricSeries series;
  for (const auto& file : internal::list_segments(metrics_folder, internal::kMetricExtension)) {
    ZT_TRY_ASSIGN(const std::string bytes, files::read_regular(file.path, kMaxFileBytes));
    if (!read_segment(bytes, file.generation, tables)) ++series.damaged_segments;
  }
  for (auto& [name, steps] : tables) {
    auto& points = series.by_name[name];
    for (const auto& [step, point] : steps) points.push_back(point);
    if (points.empty()) series.by_name.erase(name);
  }
  return series;
}

}  // namespace zt::contract
