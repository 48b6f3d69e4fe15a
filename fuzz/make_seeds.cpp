// SPDX-License-Identifier: Apache-2.0
// make_seeds FOLDER: one valid file per format, by our own writers, into FOLDER/NAME: the seed corpora of the
// fuzz targets that have no test data. Seeds are made at test time so that they never fall behind the
// formats.
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files/files.hpp"
#include "contract/events.hpp"
#include "contract/manifest.hpp"
#include "contract/metrics.hpp"
#include "contract/run_folder.hpp"
#include "data/clip_index.hpp"
#include "data/keypoints/keypoints.hpp"
#include "image/file.hpp"
#include "rendezvous/wire.hpp"

namespace zt::fuzz {
namespace {

namespace fs = std::filesystem;

// A lossless WebP picture of one pixel, the shortest there is.
constexpr unsigned char kWebp[] = {0x52, 0x49, 0x46, 0x46, 0x1A, 0x00, 0x00, 0x00, 0x57, 0x45, 0x42, 0x50,
                                   0x56, 0x50, 0x38, 0x4C, 0x0D, 0x00, 0x00, 0x00, 0x2F, 0x00, 0x00, 0x00,
                                   0x10, 0x07, 0x10, 0x11, 0x11, 0x88, 0x88, 0xFE, 0x07, 0x00};

Status write(const fs::path& path, std::span<const std::byte> bytes) {
  ZT_TRY(files::make_folders(path.parent_path()));
  return files::write_atomic(path, bytes);
}
Status write(const fs::path& path, std::string_view text) {
  return write(path, std::as_bytes(std::span(text)));
}

/// Two clients, in turn: they meet, one waits for what the other sets.
std::string conversation() {
  using rendezvous::RequestKind;
  const auto frame = [](RequestKind kind, int64_t number, std::vector<std::string> strings) {
    return rendezvous::encode({static_cast<uint8_t>(kind), number, std::move(strings)});
  };
  const std::string protocol(rendezvous::kProtocol);
  return frame(RequestKind::Hello, 1, {protocol, "", "0"}) +
         frame(RequestKind::Hello, 1, {protocol, "", "1"}) + frame(RequestKind::Get, 1000, {"key"}) +
         frame(RequestKind::Set, 0, {"key", "value"}) + frame(RequestKind::Add, 1, {"n"}) +
         frame(RequestKind::CompareAndSet, 0, {"n", "1", "2"}) + frame(RequestKind::Erase, 0, {"key"}) +
         frame(RequestKind::Goodbye, 0, {});
}

std::string manifest() {
  contract::Manifest m;
  m.step = 12;
  m.run_id = "a-00000001";
  m.files = {{"rank-00000.safetensors", 24, std::string(32, 'a')}};
  m.tensors = {{"param/x", "F32", {2, 3}, {{0, "param/x", 0, 6}}}};
  m.scalars["cursor"] = "77";
  m.metrics["val_loss"] = 0.25;
  return contract::to_json(m);
}

std::string identity() {
  contract::Identity identity;
  identity.run_id = "a-00000001";
  identity.name = "a";
  identity.kind = "stage1";
  identity.created_at = "2026-01-01T00:00:00Z";
  identity.environment["host"] = "h";
  return contract::to_json(identity);
}

Status write_pictures(const fs::path& folder) {
  image::Image picture = image::filled(9, 7, {200, 100, 50});
  *picture.at(3, 3) = 0;
  ZT_TRY_ASSIGN(const auto png, image::encode_png(picture));
  ZT_TRY_ASSIGN(const auto jpeg, image::encode_jpeg(picture));
  ZT_TRY(write(folder / "a.png", png));
  ZT_TRY(write(folder / "a.jpg", jpeg));
  return write(folder / "a.webp", std::as_bytes(std::span(kWebp)));
}

/// The writers refuse to append to what is there, so an older run's files go first.
Status write_streams(const fs::path& root) {
  for (const char* name : {"events", "metrics"}) {
    fs::remove_all(root / name);
    ZT_TRY(files::make_folders(root / name));
  }
  ZT_TRY_ASSIGN(auto events, contract::EventWriter::create(root / "events", 1, "rank0"));
  ZT_TRY(events.write(contract::AttemptStarted{.host = "h", .pid = 1}));
  ZT_TRY(events.write(contract::ValidationDone{.step = 3, .loss = 0.5, .is_best = true, .seconds = 1}));
  ZT_TRY_ASSIGN(auto metrics, contract::MetricWriter::create(root / "metrics", 1, "rank0"));
  const contract::MetricValue values[] = {{"train/loss", 0.5}, {"train/lr", 1e-5}};
  ZT_TRY(metrics.write(1, values));
  return metrics.write(2, values);
}

Status write_data(const fs::path& root) {
  data::KeypointClip clip;
  clip.width = 64;
  clip.height = 48;
  clip.fps_num = 25;
  clip.frames.resize(2);
  clip.frames[0].people.resize(1);
  clip.frames[0].people[0].at(data::BodyPart::Nose) = {0.5F, 0.25F, 0.9F};
  clip.frames[0].people[0].left_hand.resize(data::kNumHand);
  ZT_TRY(write(root / "keypoints" / "a.jsonl", data::format_keypoints(clip)));
  data::ClipRecord record;
  record.id = "a";
  record.video = "a.mp4";
  record.num_frames = 5;
  record.width = 64;
  record.height = 48;
  ZT_TRY(write(root / "clip_index" / "a.jsonl", data::format_index({record})));
  return write(root / "meta_list" / "a.json", R"([{"video_path": "a/b.mp4", "kps_path": "a_dwpose/b.mp4"}])");
}

Status write_all(const fs::path& root) {
  ZT_TRY(write(root / "config" / "train.yaml",
               "name: a\nstage: 2\ncompat: moore\nmodel:\n  unet: {block_out_channels: [64, 96]}\n  codec:\n "
               "   {kind: linear, patch: 8}\n"
               "data:\n  splits:\n    - train\n    - 'val a'\noptimizer:\n  learning_rate: 1e-3\n"));
  ZT_TRY(write(root / "config" / "animation.yaml",
               "pretrained_vae_path: v\ntest_cases:\n  a.png:\n    - \"b.mp4\"\n"));
  ZT_TRY(write(root / "manifest" / "a.json", manifest()));
  ZT_TRY(write(root / "identity" / "a.json", identity()));
  ZT_TRY(write(root / "rendezvous" / "a", conversation()));
  ZT_TRY(write_pictures(root / "picture"));
  ZT_TRY(write_streams(root));
  return write_data(root);
}

}  // namespace
}  // namespace zt::fuzz

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const zt::Status status = zt::fuzz::write_all(argv[1]);
  if (!status) std::fprintf(stderr, "make_seeds: %s\n", status.error().text().c_str());
  return status ? 0 : 1;
}
