// SPDX-License-Identifier: Apache-2.0
// `zoetrope-media`, private: the verbs that decode and encode video. `zoetrope` becomes this program when it
// is given one.
#include "cli/app.hpp"

int main(int argc, char** argv) {
  return zt::cli::run(argc, argv, [](CLI::App& app, zt::cli::Action& chosen) {
    zt::cli::add_quickstart(app, chosen);
    zt::cli::add_data(app, chosen);
    zt::cli::add_eval(app, chosen);
  });
}
