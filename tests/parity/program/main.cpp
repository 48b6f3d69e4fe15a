// SPDX-License-Identifier: Apache-2.0
// zt_parity DIR [DEVICE]: compares every module with tensors made by the reference's Python code, and prints
// the table. Exit code 0: all checks that the folder allows passed. 1: one failed, or it allows none. 2: the
// folder can't be read.
#include <cstdio>
#include <exception>

#include "checks.hpp"
#include "tensor/device.hpp"

int main(int argc, char** argv) {
  using namespace zt::parity;
  if (argc < 2 || argc > 3) {
    std::fputs("usage: zt_parity DIR [cpu|cuda] (a folder as described in tests/parity/README.md)\n", stderr);
    return 2;
  }
  struct Group {
    const char* name;
    void (*run)(const FixtureFolder&, Report&);
  };
  constexpr Group kGroups[] = {{"networks", check_networks},    {"frozen networks", check_frozen_networks},
                               {"training", check_training},    {"diffusion", check_diffusion},
                               {"optimizer", check_optimizer},  {"pipeline", check_pipeline},
                               {"transforms", check_transforms}};
  try {
    const FixtureFolder folder(argv[1], unwrap(zt::tensor::open_device(argc == 3 ? argv[2] : "cpu")));
    Report report;
    for (const Group& group : kGroups) {
      try {
        group.run(folder, report);
      } catch (const std::exception& error) {
        report.add_broken(group.name, error.what());
      }
    }
    std::fputs(report.text().c_str(), stdout);
    return report.passed() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "zt_parity: %s\n", error.what());
    return 2;
  }
}
