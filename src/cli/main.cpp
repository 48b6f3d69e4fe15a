// SPDX-License-Identifier: Apache-2.0
// `zoetrope`, the program people call. It never links libtorch: what computes runs in zoetrope-worker.
#include "cli/app.hpp"

int main(int argc, char** argv) { return zt::cli::run(argc, argv); }
