// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/quickstart/quickstart.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/files/files.hpp"
#include "base/process/process.hpp"
#include "base/text/text.hpp"
#include "cli/launch/launch.hpp"
#include "cli/options/job_options.hpp"
#include "cli/options/run_defaults.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/data_actions.hpp"
#include "cli/verbs/quickstart/quickstart_page.hpp"
#include "config/paths.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/exit_codes.hpp"
#include "contract/run_state.hpp"
#include "data/clip_index.hpp"
#include "image/file.hpp"
#include "media/video_reader.hpp"

namespace zt::cli {
namespace {

namespace fs = std::filesystem;
using contract::kExitOk;
constexpr size_t kNumCrossings = 4;  ///< videos of one character in another's motion

// What a run is looked for by: it may have got another cap at its start.
std::string digest_without_cap(config::TrainJob job) {
  job.time_cap_s = 0;
  return config::digest(job);
}

// Before anything is made: the last parts' are read after minutes of training.
Status check_recipes(const fs::path& recipes) {
  constexpr std::array kNames = {"synth.yaml", "stage1.yaml", "stage2.yaml", "eval.yaml", "generate.yaml"};
  for (const char* name : kNames)
    if (files::is_absent(recipes / name))
      return fail(ErrorCode::NotFound,
                  fmt::format("the recipe {} is not there: --recipes names a folder with {}",
                              (recipes / name).string(), fmt::join(kNames, ", ")));
  return {};
}

std::string seconds_text(double seconds) { return text::duration(std::chrono::duration<double>(seconds)); }

/// The parts, in order; each says whether the next may follow by its exit code.
class Quickstart {
 public:
  Quickstart(fs::path folder, fs::path recipes) : folder_(std::move(folder)), recipes_(std::move(recipes)) {}

  Result<int> run() {
    const clock::Stopwatch watch;
    using Part = Result<int> (Quickstart::*)();
    const std::pair<const char*, Part> parts[] = {
        {"1/6 puppets as mp4 files", &Quickstart::make_data},
        {"2/6 index", &Quickstart::index},
        {"3/6 stage 1: appearance and pose", &Quickstart::stage1},
        {"4/6 stage 2: motion", &Quickstart::stage2},
        {"5/6 unseen characters in unseen motions, measured", &Quickstart::evaluate},
        {"6/6 one character in another's motion", &Quickstart::cross},
    };
    for (const auto& [title, part] : parts) {
      const auto begin = std::chrono::steady_clock::now();
      note(fmt::format("== {}", title));
      if (part == &Quickstart::stage1) data_s_ = watch.seconds();
      ZT_TRY_ASSIGN(const int code, (this->*part)());
      if (code != kExitOk) return code;
      note(fmt::format("== done in {}", text::duration(std::chrono::steady_clock::now() - begin)));
    }
    return finish();
  }

 private:
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  std::string index_file() const { return at("index/index.jsonl"); }

  template <class Job>
  Result<config::Resolved<Job>> job(const fs::path& file, std::vector<std::string> sets) const {
    return config::load<Job>({file, std::move(sets)});
  }

  Result<int> make_data() {
    ZT_TRY_ASSIGN(const auto synth_job,
                  job<config::SynthJob>(recipes_ / "synth.yaml", {"output=" + at("data")}));
    return synth(synth_job.job);
  }

  Result<int> index() {
    ZT_TRY_ASSIGN(const auto ingest_job,
                  job<config::IngestJob>({}, {"input=" + at("data"), "output=" + at("index")}));
    return ingest(ingest_job.job);
  }

  Result<int> stage1() {
    ZT_TRY(copy_codec());
    ZT_TRY_ASSIGN(const auto recipe, load_train_job({recipes_ / "stage1.yaml", {}}));
    const double cap_s = recipe.job.time_cap_s, fair_s = stage1_cap(cap_s, data_s_);
    std::vector<std::string> sets;
    if (fair_s < cap_s) {
      note(fmt::format(
          "the data took {} on this machine: stage 1 has {} instead of {}, so that the whole takes no longer "
          "than meant",
          seconds_text(data_s_), seconds_text(fair_s), seconds_text(cap_s)));
      sets.push_back(fmt::format("time_cap_s={}", fair_s));
    }
    return train("stage1.yaml", std::move(sets), stage1_run_);
  }
  Result<int> stage2() { return train("stage2.yaml", {"model.stage1_run=" + stage1_run_}, stage2_run_); }

  // Recipes without one fit their own.
  bool has_codec() const {
    std::error_code ec;
    return fs::is_directory(recipes_ / "codec", ec);
  }

  // The runs name it by its path: beside them it is there for as long as they are.
  Status copy_codec() const {
    if (!has_codec()) return {};
    std::error_code ec;
    ZT_TRY(files::make_folders(folder_));
    fs::copy(recipes_ / "codec", folder_ / "codec",
             fs::copy_options::recursive | fs::copy_options::overwrite_existing, ec);
    if (ec) return fail(files::errno_error("copy the codec to", folder_ / "codec", ec.value()));
    return {};
  }

  // Goes on with a run of the same configuration if there is one, and leaves a complete one alone.
  Result<int> train(const std::string& recipe, std::vector<std::string> sets, std::string& run_path) {
    if (has_codec()) sets.push_back("model.vae_model_path=" + at("codec"));
    sets.push_back("data.index=" + index_file());
    sets.push_back("output_dir=" + at("runs"));
    sets.push_back("cache.folder=" + at("cache"));
    ZT_TRY_ASSIGN(const auto resolved, load_train_job({recipes_ / recipe, std::move(sets)}));
    const std::string digest = digest_without_cap(resolved.job);
    // From the root, as a new run names itself: results are of the runs' names.
    for (const auto& run : contract::list_runs(resolved.job.output_dir).runs) {
      const auto frozen = config::thaw_run(run.run_yaml(), run.places());
      if (!frozen || digest_without_cap(*frozen) != digest) continue;
      run_path = run.path().string();
      ZT_TRY_ASSIGN(const auto state, contract::run_state(run));
      if (state.condition != contract::RunCondition::Completed) return launch_run(run);
      note(complete_text(run, *frozen, state.step, resolved.job.time_cap_s));
      return kExitOk;
    }
    ZT_TRY(check_start(resolved));
    ZT_TRY(check_worker(resolved.job.device));
    ZT_TRY_ASSIGN(const auto run, create_run(resolved));
    run_path = run.path().string();
    return launch_run(run);
  }

  Result<int> evaluate() {
    ZT_TRY_ASSIGN(auto eval_job, job<config::EvalJob>(recipes_ / "eval.yaml",
                                                      {"run=" + stage2_run_, "baseline_run=" + stage1_run_,
                                                       "index=" + index_file(), "output=" + at("eval")}));
    ZT_TRY(take_run_defaults(eval_job));
    // The worker leaves eval/eval.json, its last file, for the page.
    return make_once({folder_ / "eval/eval.json"}, contract::WorkerVerb::Eval, config::freeze(eval_job));
  }

  // The job, and the checkpoints that it may read.
  Result<std::string> made_of(const std::string& job) const {
    std::string text = job;
    for (const std::string& path : {stage1_run_, stage2_run_}) {
      ZT_TRY_ASSIGN(const auto run, contract::RunFolder::open(path));
      for (const auto& checkpoint : contract::list_checkpoints(run.checkpoints()))
        text += fmt::format("# {} of {}\n", checkpoint.folder.string(), checkpoint.written_at);
    }
    return text;
  }

  // A worker's job, unless its results are there and of the same job and checkpoints.
  Result<int> make_once(const std::vector<fs::path>& results, contract::WorkerVerb verb,
                        const std::string& job) const {
    const fs::path& first = results.front();
    const fs::path stamp = first.parent_path() / fmt::format(".{}.made-of", first.filename().string());
    ZT_TRY_ASSIGN(const std::string made_of_text, made_of(job));
    if (std::ranges::none_of(results, files::is_absent) && files::read(stamp).value_or("") == made_of_text) {
      note(fmt::format("{} is there already", first.string()));
      return kExitOk;
    }
    std::error_code none_there;
    fs::remove(stamp, none_there);
    ZT_TRY_ASSIGN(const WorkerEnd end, run_job(verb, job));
    if (end.code == kExitOk) ZT_TRY(files::write_atomic(stamp, made_of_text));
    return end.code;
  }

  // Character k of the split in the motion of character k + 1.
  Result<int> cross() {
    ZT_TRY_ASSIGN(const auto all, data::read_index(index_file()));
    const auto clips = data::select_split(all, "val_c");
    ZT_TRY(files::make_folders(folder_ / "videos"));
    for (size_t k = 0; k < kNumCrossings && k + 1 < clips.clips.size(); ++k) {
      const auto& who = clips.clips[k];
      const auto& how = clips.clips[k + 1];
      const fs::path picture = folder_ / fmt::format("videos/{}.png", who.id);
      ZT_TRY_ASSIGN(const auto frame, media::read_frame(clips.path(who.video), who.first_frame));
      ZT_TRY(image::write_png(picture, frame));
      ZT_TRY_ASSIGN(const int code,
                    animate(picture, clips.path(who.keypoints), clips.path(how.keypoints), how));
      if (code != kExitOk) return code;
    }
    return kExitOk;
  }

  // The picture is the first of its clip, whose key-points are known: nobody has to be found in it.
  Result<int> animate(const fs::path& picture, const fs::path& keypoints, const fs::path& pose,
                      const data::ClipRecord& how) {
    const std::string name = at(fmt::format("videos/{}-as-{}", picture.stem().string(), how.id));
    const std::string out = name + ".mp4";
    ZT_TRY_ASSIGN(auto resolved,
                  job<config::GenerateJob>(
                      recipes_ / "generate.yaml",
                      {"run=" + stage2_run_, "reference_image=" + picture.string(),
                       "reference_keypoints=" + keypoints.string(), "pose=" + pose.string(), "output=" + out,
                       fmt::format("width={}", how.width), fmt::format("height={}", how.height),
                       fmt::format("length={}", how.num_frames)}));
    ZT_TRY(take_run_defaults(resolved));
    std::vector<fs::path> results{out};
    if (resolved.job.write_panels) results.emplace_back(name + "_panels.mp4");
    return make_once(results, contract::WorkerVerb::Generate, config::freeze(resolved));
  }

  Result<int> finish() {
    ZT_TRY_ASSIGN(const auto run1, contract::RunFolder::open(stage1_run_));
    ZT_TRY_ASSIGN(const auto run2, contract::RunFolder::open(stage2_run_));
    const fs::path page = folder_ / "report.html";
    ZT_TRY(write_quickstart_page(page, {run1, run2, folder_ / "eval", folder_ / "videos"}));
    note(fmt::format("\nEverything is on one page: {}\nVideos: {} and {}", page.string(), at("videos"),
                     at("eval")));
    print(page.string() + "\n");
    return kExitOk;
  }

  fs::path folder_, recipes_;
  double data_s_ = 0;  ///< spent before stage 1
  std::string stage1_run_, stage2_run_;
};

}  // namespace

std::string complete_text(const contract::RunFolder& run, const config::TrainJob& own, int64_t step,
                          double cap_s) {
  const std::string done = run.identity().run_id + " is complete already";
  if (step >= own.max_train_steps || cap_s == own.time_cap_s) return done;
  return fmt::format(
      "{}: its time cap of {} ended it at step {} of {}, and another cap does not make it go on. To train it "
      "anew, remove {} and start quickstart again",
      done, seconds_text(own.time_cap_s), step, own.max_train_steps, run.path().string());
}

double stage1_cap(double cap_s, double data_s) {
  // Start of both stages, evaluation and videos: measured as 27 s where the data took 22 s.
  constexpr double kRestPerData = 1.3;
  // Of the cap: what the recipe leaves for everything but training.
  constexpr double kMeantShare = 0.1;
  const double overrun_s = (1 + kRestPerData) * data_s - kMeantShare * cap_s;
  return std::clamp(cap_s - overrun_s, cap_s / 2, cap_s);
}

Result<fs::path> find_recipes() {
  if (const char* named = std::getenv("ZT_CONFIGS"); named && *named) return fs::path(named);
  ZT_TRY_ASSIGN(const fs::path here, process::program_folder());
  // Installed: PREFIX/bin and PREFIX/share/zoetrope/configs. Built: build/PRESET/bin of the source tree.
  for (const fs::path& path : {here / "../share/zoetrope/configs", here / "../../../configs"}) {
    std::error_code ec;
    if (fs::is_directory(path, ec)) return path.lexically_normal();
  }
  return fail(
      ErrorCode::NotFound,
      fmt::format(
          "the recipes (configs/) are neither in ../share/zoetrope nor in the source tree of {}: name "
          "their folder in ZT_CONFIGS",
          here.string()));
}

Result<int> quickstart(const QuickstartOptions& options) {
  if (options.folder.empty())
    return fail(ErrorCode::InvalidArgument,
                "--folder is empty: name the folder that everything is written to");
  fs::path recipes = options.recipes;
  if (recipes.empty()) {
    ZT_TRY_ASSIGN(const fs::path configs, find_recipes());
    recipes = configs / "quickstart";
  }
  ZT_TRY(check_recipes(recipes));
  ZT_TRY(check_job_folder());
  ZT_TRY(files::make_folders(options.folder));
  ZT_TRY_ASSIGN(const files::Lock lock, files::Lock::acquire(options.folder / "quickstart.lock"));
  files::remove_leftovers(options.folder);
  return Quickstart(options.folder, recipes).run();
}

}  // namespace zt::cli
