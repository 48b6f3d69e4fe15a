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
#include "config/load.hpp"
#include "contract/events.hpp"
#include "contract/manifest.hpp"
#include "contract/metrics.hpp"
#include "contract/run_folder.hpp"
#include "contract/store_address.hpp"
#include "contract/words/flight.hpp"
#include "data/clip_index.hpp"
#include "data/internal/cache_entry.hpp"
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

/// Files of accelerate and DeepSpeed, with keys of every kind that their tables have.
Status write_foreign(const fs::path& root) {
  ZT_TRY(write(root / "accelerate" / "deepspeed.yaml",
               "compute_environment: LOCAL_MACHINE\ndistributed_type: DEEPSPEED\ndeepspeed_config:\n"
               "  gradient_accumulation_steps: 2\n  gradient_clipping: 1.0\n  zero_stage: 2\n"
               "  zero3_init_flag: false\n  offload_optimizer_device: cpu\nmachine_rank: 0\n"
               "mixed_precision: bf16\nnum_machines: 1\nnum_processes: 4\nuse_cpu: false\n"));
  ZT_TRY(write(root / "accelerate" / "fsdp.yaml",
               "distributed_type: FSDP\nfsdp_config: {fsdp_version: 2, reshard_after_forward: true}\n"
               "parallelism_config: {dp_replicate_size: 2}\nmixed_precision: 'no'\n"));
  return write(root / "deepspeed" / "zero.json",
               R"({"train_batch_size": "auto", "train_micro_batch_size_per_gpu": "auto",
 "gradient_accumulation_steps": 1, "gradient_clipping": 1.0, "bf16": {"enabled": "auto"},
 "fp16": {"enabled": false, "initial_scale_power": 16}, "zero_optimization": {"stage": 3,
 "offload_optimizer": {"device": "cpu"}, "stage3_param_persistence_threshold": 1e5, "reduce_bucket_size": 5e8},
 "optimizer": {"type": "AdamW", "params": {"lr": 1e-5, "betas": [0.9, 0.999], "eps": 1e-8}},
 "scheduler": {"type": "WarmupLR", "params": {"warmup_min_lr": 0, "warmup_num_steps": 10}}})");
}

Status write_launch(const fs::path& root) {
  contract::Flight flight;
  flight.groups["world"] = {0, 1};
  flight.host = "h";
  flight.doing = "backward";
  flight.exchanges = {{.group = "world",
                       .sequence = 1,
                       .operation = "all_gather",
                       .label = "unit.7",
                       .state = contract::ExchangeState::Complete,
                       .started_s = 1,
                       .ended_s = 2},
                      {.group = "world", .sequence = 2, .operation = "all_reduce", .label = "loss"}};
  ZT_TRY(files::make_folders(root / "flight"));
  ZT_TRY(contract::write_flight(root / "flight" / "a.jsonl", flight));
  return write(
      root / "store_address" / "a.json",
      contract::to_json(
          {.launch = "a", .ranks = 2, .hosts = {"127.0.0.1", "::1"}, .port = 29500, .token = "word"}));
}

Status write_films(const fs::path& folder) {
  using namespace std::string_view_literals;
  ZT_TRY(write(folder / "a.mp4",
               "\0\0\0\x10"
               "ftypisom\0\0\2\0"
               "\0\0\0\x10"
               "mdat12345678"
               "\0\0\0\1"
               "moof\0\0\0\0\0\0\0\x10"sv));
  return write(folder / "a.avi", "RIFF\x0c\0\0\0AVI LIST\0\0\0\0RIFF\4\0\0\0AVIX"sv);
}

Status write_entry(const fs::path& root) {
  const std::string payload = "latents of a picture";
  ZT_TRY(files::make_folders(root / "cache_entry"));
  return data::internal::write_entry(root / "cache_entry" / "a", root / "cache_entry", std::string(32, 'a'),
                                     std::as_bytes(std::span(payload)));
}

Status write_all(const fs::path& root) {
  ZT_TRY(write(root / "config" / "train.yaml",
               "name: a\nstage: 2\ncompat: moore\nmodel:\n  unet: {block_out_channels: [64, 96]}\n  codec:\n "
               "   {kind: linear, patch: 8}\n"
               "data:\n  splits:\n    - train\n    - 'val a'\noptimizer:\n  learning_rate: 1e-3\n"));
  ZT_TRY(write(root / "config" / "animation.yaml",
               "pretrained_vae_path: v\ntest_cases:\n  a.png:\n    - \"b.mp4\"\n"));
  ZT_TRY(write(root / "run_yaml" / "run.yaml", config::freeze(config::Resolved<config::TrainJob>{})));
  ZT_TRY(write(root / "shard_index" / "a.json",
               R"({"metadata": {"total_size": 8}, "weight_map": {"x": "a-00001-of-00001.safetensors"}})"));
  ZT_TRY(write_foreign(root));
  ZT_TRY(write_launch(root));
  ZT_TRY(write_entry(root));
  ZT_TRY(write_films(root / "video_end"));
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
