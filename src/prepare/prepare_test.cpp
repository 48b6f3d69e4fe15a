// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "config/load.hpp"
#include "data/cache_store.hpp"
#include "data/sample/decode_budget.hpp"
#include "media/frame_tables.hpp"
#include "models/linear_codec/linear_codec.hpp"
#include "models/network_set.hpp"
#include "prepare/build_cache.hpp"
#include "prepare/encoded_store.hpp"
#include "prepare/pixels.hpp"
#include "prepare/run_encoders.hpp"
#include "prepare/sample_stream.hpp"
#include "support/bytes_read.hpp"
#include "support/film.hpp"
#include "support/puppet_clips.hpp"
#include "support/temp_folder.hpp"

namespace zt::prepare {
namespace {

using test::value_of;

/// Puppet clips on disk with fitted encoders and a cache.
struct Prepared {
  Prepared() : index(test::write_puppet_clips(folder.path(), 5)) {
    job = value_of(config::load<config::TrainJob>({{}, test::tiny_settings(folder.path())})).job;
    job.data.splits = {};
    clips = value_of(data::read_index(index));
    store = value_of(data::CacheStore::open({.folder = folder / "cache"}));
    EncoderSource source;
    source.run = folder.path();
    source.model = job.model;
    source.data = job.data;
    encoders = value_of(open_run_encoders(source, clips));
    plan.width = plan.height = 32;
    plan.margin = 2;
  }
  SampleEncoder encoder(data::CacheStore* cache) const {
    EncodeOptions options;
    options.load.width = options.load.height = 32;
    options.load.tables = tables;
    return SampleEncoder(encoders, clips, cache, config::CacheDtype::Fp32, options);
  }
  EncodedSample sample(const SampleEncoder& with, uint64_t number) const {
    return value_of(with.encode(value_of(data::plan_sample(plan, clips, number))));
  }

  test::TempFolder folder;
  std::filesystem::path index;
  config::TrainJob job;
  data::ClipIndex clips;
  std::unique_ptr<data::CacheStore> store;
  Encoders encoders;
  data::SamplePlanOptions plan;
  std::shared_ptr<media::FrameTables> tables = std::make_shared<media::FrameTables>();
};

void expect_equal(const EncodedSample& a, const EncodedSample& b) {
  ASSERT_EQ(a.targets_F.size(), b.targets_F.size());
  for (size_t f = 0; f < a.targets_F.size(); ++f)
    EXPECT_TRUE(at::equal(a.targets_F[f].mean_CHW, b.targets_F[f].mean_CHW));
  EXPECT_TRUE(at::equal(a.reference.mean_CHW, b.reference.mean_CHW));
  EXPECT_TRUE(at::equal(a.embedding_D, b.embedding_D));
  EXPECT_TRUE(at::equal(a.pose_3FHW, b.pose_3FHW));
}

TEST(Pixels, AreScaledAsTorchvisionDoes) {
  image::Image picture(2, 1);
  picture.pixels = {0, 51, 255, 102, 0, 0};
  const at::Tensor signed_CHW = signed_pixels(picture);
  EXPECT_EQ(signed_CHW.sizes(), (at::IntArrayRef{3, 1, 2}));
  EXPECT_FLOAT_EQ(signed_CHW[0][0][0].item<float>(), -1);
  EXPECT_FLOAT_EQ(signed_CHW[2][0][0].item<float>(), 1);
  EXPECT_FLOAT_EQ(signed_CHW[1][0][0].item<float>(), -0.6F);  // (51 / 255 - .5) / .5

  const std::vector<image::Image> frames = {picture, picture};
  EXPECT_EQ(byte_frames(frames).sizes(), (at::IntArrayRef{3, 2, 1, 2}));
  EXPECT_EQ(byte_frames(frames)[1][1][0][0].item<int>(), 51);
}

TEST(EncodedStore, RoundsWhetherFoundOrJustMade) {
  const test::TempFolder folder;
  const auto store = value_of(data::CacheStore::open({.folder = folder.path()}));
  const EncodedStore encoded(store.get(), config::CacheDtype::Bf16);
  data::ClipRecord clip;
  clip.content = "abc";
  const PictureMoments moments{at::full({1, 2, 2}, 1.001F), at::full({1, 2, 2}, -0.3F)};
  const PictureMoments kept = encoded.keep_moments(clip, {}, "codec", moments);
  const auto found = encoded.find_moments(clip, {}, "codec", {1, 2, 2});

  ASSERT_TRUE(found);
  EXPECT_TRUE(at::equal(found->mean_CHW, kept.mean_CHW));
  EXPECT_TRUE(at::equal(found->logvar_CHW, kept.logvar_CHW));
  EXPECT_EQ(found->mean_CHW[0][0][0].item<float>(), 1.0F);  // bf16 has 8 bits of mantissa
  EXPECT_FALSE(encoded.find_moments(clip, {}, "another codec", {1, 2, 2}));
  EXPECT_FALSE(encoded.find_moments(clip, {.frame = 1}, "codec", {1, 2, 2}));
  EXPECT_FALSE(encoded.find_moments(clip, {}, "codec", {1, 2, 3}));
}

// A run in fp32 took the latents that one with precision.tf32 had made.
TEST(EncodedStore, KeepsWhatWasComputedInTf32Apart) {
  const test::TempFolder folder;
  const auto store = value_of(data::CacheStore::open({.folder = folder.path()}));
  const EncodedStore in_fp32(store.get(), config::CacheDtype::Fp32);
  const EncodedStore in_tf32(store.get(), config::CacheDtype::Fp32, {.allow_tf32 = true});
  data::ClipRecord clip;
  clip.content = "abc";
  in_tf32.keep_moments(clip, {}, "codec", {at::ones({1, 2, 2}), {}});
  in_tf32.keep_embedding(clip, 0, "encoder", at::ones({3}));

  EXPECT_TRUE(in_tf32.find_moments(clip, {}, "codec", {1, 2, 2}));
  EXPECT_FALSE(in_fp32.find_moments(clip, {}, "codec", {1, 2, 2}));
  EXPECT_FALSE(in_fp32.find_embedding(clip, 0, "encoder", 3));
}

// Algorithms that a GPU chose by trying give other bits.
TEST(EncodedStore, KeepsWhatWasComputedByOtherAlgorithmsApart) {
  const test::TempFolder folder;
  const auto store = value_of(data::CacheStore::open({.folder = folder.path()}));
  const EncodedStore by_default(store.get(), config::CacheDtype::Fp32);
  const EncodedStore by_any(store.get(), config::CacheDtype::Fp32, {.is_repeatable = false});
  const EncodedStore by_any_in_tf32(store.get(), config::CacheDtype::Fp32,
                                    {.allow_tf32 = true, .is_repeatable = false});
  data::ClipRecord clip;
  clip.content = "abc";
  by_any.keep_embedding(clip, 0, "encoder", at::ones({3}));

  EXPECT_TRUE(by_any.find_embedding(clip, 0, "encoder", 3));
  EXPECT_FALSE(by_default.find_embedding(clip, 0, "encoder", 3));
  EXPECT_FALSE(by_any_in_tf32.find_embedding(clip, 0, "encoder", 3));
}

// By hand: docs/formats/cache.md. Another key would have every cache filled again.
TEST(EncodedStore, FindsWhatEarlierVersionsKept) {
  const test::TempFolder folder;
  const auto store = value_of(data::CacheStore::open({.folder = folder.path()}));
  data::CacheKey key("embedding");
  key.add("content", "abc").add("frame", int64_t{7}).add("encoder", "clip").add("dtype", "Float");
  const std::array<float, 2> values = {1, 2};
  ASSERT_TRUE(store->put(key.hex(), std::as_bytes(std::span(values))));
  data::ClipRecord clip;
  clip.content = "abc";
  clip.first_frame = 5;

  EXPECT_TRUE(EncodedStore(store.get(), config::CacheDtype::Fp32).find_embedding(clip, 2, "clip", 2));
}

TEST(EncodedStore, ADeterministicCodecKeepsItsMeanAlone) {
  const test::TempFolder folder;
  const auto store = value_of(data::CacheStore::open({.folder = folder.path()}));
  const EncodedStore encoded(store.get(), config::CacheDtype::Fp32);
  data::ClipRecord clip;
  clip.content = "abc";
  encoded.keep_moments(clip, {}, "codec", {at::ones({1, 2, 2}), at::full({1, 2, 2}, -30.0F)});

  EXPECT_FALSE(encoded.find_moments(clip, {}, "codec", {1, 2, 2})->logvar_CHW.defined());
}

TEST(SampleEncoder, AWarmCacheGivesTheSameBitsAsNone) {
  const Prepared prepared;
  const SampleEncoder plain = prepared.encoder(nullptr), cached = prepared.encoder(prepared.store.get());
  const EncodedSample wanted = prepared.sample(plain, 3);
  expect_equal(prepared.sample(cached, 3), wanted);
  const uint64_t misses = prepared.store->stats().misses;
  expect_equal(prepared.sample(cached, 3), wanted);

  EXPECT_EQ(prepared.store->stats().misses, misses);
}

TEST(BuildCache, LeavesNothingToEncode) {
  const Prepared prepared;
  const SampleEncoder encoder = prepared.encoder(prepared.store.get());
  const BuildReport first =
      value_of(build_cache(encoder, prepared.plan, {.num_threads = 2, .batch_frames = 3}));
  EXPECT_EQ(first.clips, 5);
  EXPECT_EQ(first.encoded, 5 * 8 * 2);  // moments and embedding of every frame

  EXPECT_EQ(value_of(build_cache(encoder, prepared.plan, {})).encoded, 0);
  const uint64_t misses = prepared.store->stats().misses;
  prepared.sample(encoder, 7);
  EXPECT_EQ(prepared.store->stats().misses, misses);
}

TEST(BuildCache, HoldsEveryVariantOfARandomCrop) {
  Prepared prepared;
  prepared.plan.crop = {.scale_min = 0.5, .scale_max = 0.9};
  EXPECT_FALSE(has_fixed_crops(prepared.plan));
  prepared.plan.crop_variants = 2;
  EXPECT_TRUE(has_fixed_crops(prepared.plan));
  const SampleEncoder encoder = prepared.encoder(prepared.store.get());

  EXPECT_EQ(value_of(build_cache(encoder, prepared.plan, {})).encoded, 5 * 8 * (2 + 1));

  const uint64_t misses = prepared.store->stats().misses;
  for (uint64_t number = 0; number < 6; ++number) prepared.sample(encoder, number);
  EXPECT_EQ(prepared.store->stats().misses, misses);
}

/// Counts the calls in which a decode budget of kBudget_bytes is not all free.
class CodecBesideABudget final : public models::LatentCodec {
 public:
  static constexpr uint64_t kBudget_bytes = 1 << 20;
  explicit CodecBesideABudget(std::unique_ptr<models::LatentCodec> codec) : codec_(std::move(codec)) {}
  int64_t scale_factor() const override { return codec_->scale_factor(); }
  int64_t channels() const override { return codec_->channels(); }
  int64_t decoding_channels() const override { return codec_->decoding_channels(); }
  double scaling() const override { return codec_->scaling(); }
  std::string digest() const override { return codec_->digest(); }
  int64_t num_elements() const override { return codec_->num_elements(); }
  Status save(const std::filesystem::path& to) const override { return codec_->save(to); }

  const std::shared_ptr<data::DecodeBudget> budget = std::make_shared<data::DecodeBudget>(kBudget_bytes);
  mutable int held = 0;

 private:
  models::Moments encode_in_chunks(const at::Tensor& image_BCHW, int64_t chunk) const override {
    if (!budget->take(kBudget_bytes, std::chrono::milliseconds(0))) ++held;
    return codec_->encode(image_BCHW, chunk);
  }
  at::Tensor decode_in_chunks(const at::Tensor& latents_BCHW, int64_t chunk) const override {
    return codec_->decode(latents_BCHW, chunk);
  }
  const std::unique_ptr<models::LatentCodec> codec_;
};

// Encoding takes minutes where decoding takes seconds: other threads would wait for room in vain.
TEST(BuildCache, GivesDecodedPicturesBackBeforeItEncodes) {
  Prepared prepared;
  auto codec = std::make_unique<CodecBesideABudget>(std::move(prepared.encoders.codec));
  const CodecBesideABudget& looked_at = *codec;
  prepared.encoders.codec = std::move(codec);
  EncodeOptions options;
  options.load.width = options.load.height = 32;
  options.load.budget = looked_at.budget;
  const SampleEncoder encoder(prepared.encoders, prepared.clips, prepared.store.get(),
                              config::CacheDtype::Fp32, options);

  EXPECT_EQ(value_of(build_cache(encoder, prepared.plan, {.num_threads = 1})).encoded, 5 * 8 * 2);
  EXPECT_EQ(looked_at.held, 0);
}

// Each shot had the film compared, and each eight of its frames were reached from its start, twice.
TEST(BuildCache, ReadsAFilmForItsShotsAndNotForTheirFrames) {
  if (test::bytes_read() == 0) GTEST_SKIP() << "the kernel does not count reads (/proc/self/io)";
  Prepared prepared;
  prepared.clips = test::write_film(prepared.folder.path(), /*gop=*/250);
  const SampleEncoder encoder = prepared.encoder(prepared.store.get());
  const uint64_t before = test::bytes_read();

  EXPECT_EQ(value_of(build_cache(encoder, prepared.plan, {})).encoded, 4 * 24 * 2);

  // To compare it 1, for the frame table 1, and by the last frame of each shot 1/4, 2/4, 3/4 and 1.
  const uint64_t film = std::filesystem::file_size(prepared.folder / "film.mp4");
  EXPECT_LT(test::bytes_read() - before, 6 * film);
}

TEST(SampleStream, GivesTheSameSamplesForAnyNumberOfThreads) {
  const Prepared prepared;
  const auto encoder = std::make_shared<SampleEncoder>(prepared.encoder(prepared.store.get()));
  SampleStream one(encoder, {.plan = prepared.plan, .num_threads = 1, .prefetch = 2}, 4);
  SampleStream three(encoder, {.plan = prepared.plan, .num_threads = 3, .prefetch = 6}, 4);
  for (uint64_t number = 4; number < 16; ++number) {
    const EncodedSample a = value_of(one.next()), b = value_of(three.next());
    EXPECT_EQ(a.plan.sample, number);
    expect_equal(a, b);
  }
}

TEST(SampleStream, ReplacesAClipThatCannotBeRead) {
  Prepared prepared;
  std::filesystem::remove(prepared.folder / prepared.clips.clips[1].video);
  const auto encoder = std::make_shared<SampleEncoder>(prepared.encoder(nullptr));
  SampleStream stream(encoder, {.plan = prepared.plan, .num_threads = 2}, 0);
  for (int i = 0; i < 10; ++i) EXPECT_NE(value_of(stream.next()).plan.clip, 1U);
  EXPECT_GE(stream.stats().replaced, 2U);
}

// Every sample was drawn eight times at most: one in 256 met the lost clips only.
TEST(SampleStream, GoesOnWithTheClipsThatAreLeft) {
  Prepared prepared;
  for (size_t clip = 1; clip < prepared.clips.clips.size(); ++clip)
    std::filesystem::remove(prepared.folder / prepared.clips.clips[clip].video);
  const auto encoder = std::make_shared<SampleEncoder>(prepared.encoder(nullptr));
  SampleStream stream(encoder, {.plan = prepared.plan, .num_threads = 1}, 0);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(value_of(stream.next()).plan.clip, 0U) << "sample " << i;
}

// Clip after clip was replaced, and a rerun with the disk back would have trained on others.
TEST(SampleStream, EndsWhereADiskIsGone) {
  Prepared prepared;
  prepared.clips.clips[1].video = "unmounted/clip1.mp4";
  const auto encoder = std::make_shared<SampleEncoder>(prepared.encoder(nullptr));
  SampleStream stream(encoder, {.plan = prepared.plan, .num_threads = 2}, 0);
  Result<EncodedSample> made = stream.next();
  for (int i = 0; i < 10 && made; ++i) made = stream.next();

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::Unavailable);
  EXPECT_NE(made.error().text().find("unmounted/clip1.mp4"), std::string::npos);
  EXPECT_EQ(stream.stats().replaced, 0U);
}

TEST(SampleStream, TakesTheSampleOfALeftOutClipFromTheOneThatWouldReplaceIt) {
  Prepared prepared;
  const auto encoder = std::make_shared<SampleEncoder>(prepared.encoder(nullptr));
  SampleStream stream(encoder, {.plan = prepared.plan, .left_out = {1, 2}}, 0);
  for (uint64_t number = 0; number < 10; ++number) {
    data::SamplePlan wanted;
    for (uint32_t attempt = 0; attempt == 0 || wanted.clip == 1 || wanted.clip == 2; ++attempt)
      wanted = value_of(data::plan_sample(prepared.plan, prepared.clips, number, attempt));
    EXPECT_EQ(value_of(stream.next()).plan.clip, wanted.clip);
  }
}

TEST(SampleStream, MakesAsManySamplesAheadAsMayWaitAndNoMore) {
  const Prepared prepared;
  const auto encoder = std::make_shared<SampleEncoder>(prepared.encoder(prepared.store.get()));
  constexpr uint64_t kMayWait = 3;
  SampleStream stream(encoder, {.plan = prepared.plan, .num_threads = 2, .prefetch = kMayWait}, 0);
  for (uint64_t taken = 1; taken <= 4; ++taken) {
    value_of(stream.next());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (stream.stats().begun < taken + kMayWait && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    for (uint64_t number = 0; number < 8; ++number) prepared.sample(*encoder, number);  // time to go too far
    EXPECT_EQ(stream.stats().begun, taken + kMayWait);
  }
}

TEST(SampleStream, StopsWaitingWhenAskedToOrAtTheDeadline) {
  const Prepared prepared;
  const auto encoder = std::make_shared<SampleEncoder>(prepared.encoder(nullptr));
  StreamOptions options{.plan = prepared.plan, .prefetch = 0};  // no sample is ever made
  options.deadline = std::chrono::milliseconds(1);
  EXPECT_EQ(SampleStream(encoder, options, 0).next().error().code, ErrorCode::Timeout);

  options.deadline = std::chrono::hours(1);
  options.should_stop = [] { return true; };
  EXPECT_EQ(SampleStream(encoder, options, 0).next().error().code, ErrorCode::Cancelled);
}

TEST(SampleStream, EndsThoughAThreadHangsInADeadDisk) {
  const Prepared prepared;
  for (const data::ClipRecord& clip : prepared.clips.clips) {
    const std::filesystem::path keypoints = prepared.clips.path(clip.keypoints);
    std::filesystem::remove(keypoints);
    ASSERT_EQ(::mkfifo(keypoints.c_str(), 0600), 0);  // opening it to read waits for a writer
  }
  auto encoder = std::make_shared<SampleEncoder>(prepared.encoder(nullptr));
  const std::weak_ptr<SampleEncoder> still_used = encoder;
  {
    StreamOptions options{.plan = prepared.plan, .prefetch = 1};
    options.deadline = options.end_deadline = std::chrono::milliseconds(50);
    SampleStream stream(std::move(encoder), options, 0);
    EXPECT_EQ(stream.next().error().code, ErrorCode::Timeout);
  }
  EXPECT_FALSE(still_used.expired()) << "the thread that hangs may wake up";

  while (!still_used.expired()) {  // the disk is back: empty files
    for (const data::ClipRecord& clip : prepared.clips.clips)
      ::close(::open(prepared.clips.path(clip.keypoints).c_str(), O_WRONLY | O_NONBLOCK));
    std::this_thread::yield();
  }
}

// The run kept a codec that was fitted to the pictures of the other disk.
TEST(RunEncoders, NoCodecIsFittedWhereADiskIsGone) {
  Prepared prepared;
  const test::TempFolder run;
  EncoderSource source;
  source.run = run.path();
  source.model = prepared.job.model;
  source.data = prepared.job.data;
  prepared.clips.clips[1].video = "unmounted/clip1.mp4";

  const auto encoders = open_run_encoders(source, prepared.clips);

  ASSERT_FALSE(encoders);
  EXPECT_EQ(encoders.error().code, ErrorCode::Unavailable);
  prepared.clips.clips[1].video = "removed.mp4";
  EXPECT_TRUE(open_run_encoders(source, prepared.clips)) << "one clip's own fault";
}

TEST(RunEncoders, AreTheSameWhenReadBack) {
  const Prepared prepared;
  EncoderSource source;
  source.run = prepared.folder.path();
  source.model = prepared.job.model;
  const Encoders again = value_of(open_run_encoders(source, {}));

  EXPECT_EQ(again.codec->digest(), prepared.encoders.codec->digest());
  EXPECT_EQ(again.image_encoder->digest(), prepared.encoders.image_encoder->digest());
  EXPECT_EQ(null_embedding(again, false).abs().sum().item<double>(), 0);
  EXPECT_GT(null_embedding(again, true).abs().sum().item<double>(), 0);
}

}  // namespace
}  // namespace zt::prepare
