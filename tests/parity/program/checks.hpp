// SPDX-License-Identifier: Apache-2.0
// Every comparison with the reference, by the files it reads. A file that the folder lacks is noted as
// absent. The rules of comparison are those of tests/parity/README.md.
#pragma once

#include "fixture_folder.hpp"
#include "report.hpp"

namespace zt::parity {

void check_networks(const FixtureFolder& folder, Report& report);         ///< a to d
void check_frozen_networks(const FixtureFolder& folder, Report& report);  ///< i_vae, j_clip
void check_training(const FixtureFolder& folder, Report& report);    ///< e_train1_*, f_train2_*, grad_norms
void check_diffusion(const FixtureFolder& folder, Report& report);   ///< g_ddim
void check_optimizer(const FixtureFolder& folder, Report& report);   ///< k_adamw*, l_lr_schedules
void check_pipeline(const FixtureFolder& folder, Report& report);    ///< h_pipeline, context_windows
void check_transforms(const FixtureFolder& folder, Report& report);  ///< m_transforms

}  // namespace zt::parity
