// SPDX-License-Identifier: Apache-2.0
// PoseGuider, ReferenceNet's bank and the denoising UNet of both stages.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "checks.hpp"

namespace zt::parity {
namespace {

using models::DenoisingInput;
using models::ReferenceBank;

void check_pose_guider(const FixtureFolder& folder, const models::NetworkSet& nets, const std::string& file,
                       Report& report) {
  Check check("pose guider");
  check.close("out", nets.pose_guider->forward(folder.input(file, "inp_pose")), folder.get(file, "out"),
              folder.tolerance(file, "out"));
  report.add(check);
}

void check_bank(const FixtureFolder& folder, const models::NetworkSet& nets, const std::string& file,
                Report& report) {
  const ReferenceBank bank =
      nets.reference_net->forward(folder.input(file, "inp_ref_latents"), folder.input(file, "inp_ctx"));
  const std::vector<std::string> paths = nets.reference_net->bank_names();
  Check check("reference bank");
  check.require("number of entries", folder.names(file, "bank.").size() == paths.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    const std::string name = "bank." + paths[i];
    check.close(name, bank.norm1_RSC[i], folder.get(file, name), folder.tolerance(file, name));
  }
  report.add(check);
}

/// The file's inputs, without a reference.
DenoisingInput input_of(const FixtureFolder& folder, const std::string& file) {
  return {.x_BCFHW = folder.input(file, "inp_x"),
          .timestep_B = folder.input(file, "inp_t"),
          .context_BLD = folder.input(file, "inp_ctx"),
          .pose_BCFHW = folder.input(file, "inp_pose_fea")};
}

/// Both halves of classifier-free guidance as one batch: the first attends to itself only.
DenoisingInput guided(const DenoisingInput& one) {
  const int64_t batch = one.x_BCFHW.size(0);
  DenoisingInput both{.x_BCFHW = at::cat({one.x_BCFHW, one.x_BCFHW}),
                      .timestep_B = at::cat({one.timestep_B, one.timestep_B}),
                      .context_BLD = at::cat({at::zeros_like(one.context_BLD), one.context_BLD}),
                      .pose_BCFHW = at::cat({one.pose_BCFHW, one.pose_BCFHW})};
  both.bank_row.assign(static_cast<size_t>(batch), -1);
  for (int64_t row = 0; row < batch; ++row) both.bank_row.push_back(row);
  return both;
}

void check_denoiser(const FixtureFolder& folder, const models::NetworkSet& nets, const std::string& file,
                    Report& report) {
  const DenoisingInput plain = input_of(folder, file), both = guided(plain);
  const ReferenceBank bank =
      nets.reference_net->forward(folder.input(file, "inp_ref_latents"), plain.context_BLD);
  const ReferenceBank half = bank.rounded_to_half();
  const models::ProjectedBank projected = nets.denoising_unet->project(bank);
  Check check(file);
  const auto compare = [&](const std::string& name, DenoisingInput input, const ReferenceBank* with) {
    input.bank = with;
    check.close(name, nets.denoising_unet->forward(input), folder.get(file, name),
                folder.tolerance(file, name));
  };
  compare("out_emptybank", plain, nullptr);
  compare("out_nocfg", plain, &bank);
  compare("out_nocfg_bankfp16", plain, &half);
  compare("out_cfg", both, &bank);
  compare("out_cfg_bankfp16", both, &half);
  // Generation's way: keys and values of the bank projected once.
  DenoisingInput once = both;
  once.projected = &projected;
  check.close("out_cfg, projected bank", nets.denoising_unet->forward(once), folder.get(file, "out_cfg"),
              folder.tolerance(file, "out_cfg"));
  report.add(check);
}

}  // namespace

void check_networks(const FixtureFolder& folder, Report& report) {
  const at::NoGradGuard no_grad;
  using MakeCheck =
      void (*)(const FixtureFolder&, const models::NetworkSet&, const std::string& file, Report&);
  struct Part {
    const char* title;
    const char* file;
    int stage;
    MakeCheck check;
  };
  constexpr Part kParts[] = {{"pose guider", "a_pose_guider", 1, check_pose_guider},
                             {"reference bank", "b_reference_bank", 1, check_bank},
                             {"c_unet_stage1", "c_unet_stage1", 1, check_denoiser},
                             {"d_unet_stage2", "d_unet_stage2", 2, check_denoiser}};
  for (const auto& [title, file, stage, check] : kParts) {
    folder.has(file) ? check(folder, folder.networks(stage), file, report) : report.add_absent(title);
  }
}

}  // namespace zt::parity
