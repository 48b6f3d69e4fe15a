// SPDX-License-Identifier: Apache-2.0
// `zoetrope`, the program people call. It links neither libtorch, which zoetrope-worker has, nor FFmpeg with
// its hundred libraries, which zoetrope-media has: loading those alone would cost 40 ms at every start.
#include "cli/app.hpp"
#include "cli/media_program.hpp"

int main(int argc, char** argv) {
  return zt::cli::run(argc, argv, [argv](CLI::App& app, zt::cli::Action& chosen) {
    zt::cli::add_media_verbs(app, chosen, argv);
    zt::cli::add_train(app, chosen);
    zt::cli::add_plan(app, chosen);
    zt::cli::add_generate(app, chosen);
    zt::cli::add_runs(app, chosen);
    zt::cli::add_ckpt(app, chosen);
    zt::cli::add_report(app, chosen);
    zt::cli::add_config(app, chosen);
    zt::cli::add_convert(app, chosen);
    zt::cli::add_store(app, chosen);
    zt::cli::add_host_agent(app, chosen);
  });
}
