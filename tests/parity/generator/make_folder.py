#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a folder of reference tensors for scripts/parity, in the layout of tests/parity, with sizes of sizes.py.

  make_folder.py three_levels /tmp/three_levels
Everything is computed in fp32 with one and with two threads, and in fp64; tolerances come from how far these are
apart."""

import argparse
import importlib.metadata
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

import animate_anyone
import forward_checks
import other_checks
import pipeline_checks
import training_checks
from sizes import SIZES

COMMON = {"beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False, "steps_offset": 1,
          "prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
TRAIN = {**COMMON, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
INFER = {**COMMON, "beta_schedule": "linear"}
TRAIN_VARIANTS = {"cond": {}, "cond_bankfp16": {"rounds_bank": True}, "uncond": {"has_reference": False}}


def random_inputs(s):
    h, w = s.latent_hw
    c, d = s.latent_channels, s.context_width
    image = (3, *s.image_hw)

    def training(batch, frames):
        return {"inp_latents": torch.randn(batch, c, frames, h, w),
                "inp_ref_latents": torch.randn(batch, c, h, w),
                "inp_noise_base": torch.randn(batch, c, frames, h, w), "inp_noise_offset": torch.randn(batch, c, 1, 1, 1),
                "inp_timesteps": torch.randint(0, 1000, (batch,)), "inp_ctx": torch.randn(batch, 1, d),
                "inp_pose": torch.rand(batch, 3, frames, *s.image_hw)}

    def denoising(batch, frames):
        return {"inp_x": torch.randn(batch, c, frames, h, w), "inp_ref_latents": torch.randn(batch, c, h, w),
                "inp_ctx": torch.randn(batch, 1, d), "inp_t": torch.randint(0, 1000, (batch,)),
                "inp_pose_fea": torch.randn(batch, s.widths[0], frames, h, w)}

    def picture(*shape):
        return torch.randint(0, 256, (*shape, 3), dtype=torch.uint8)

    return {
        "a_pose_guider": {"inp_pose": torch.rand(1, 3, s.frames, *s.image_hw)},
        "b_reference_bank": {"inp_ref_latents": torch.randn(2, c, h, w), "inp_ctx": torch.randn(2, 1, d)},
        "c_unet_stage1": denoising(2, 1), "d_unet_stage2": denoising(1, s.frames),
        "e_train1_cond": training(2, 1), "f_train2_cond": training(1, s.frames),
        "g_ddim": {"traj_x0": torch.randn(1, c, 2, h, w), "traj_model_outputs": torch.randn(5, 1, c, 2, h, w),
                   "traj_variance_noise": torch.randn(5, 1, c, 2, h, w)},
        "h_pipeline": {"inp_ref_u8": picture(61, 83), "inp_pose_u8": picture(s.clip_frames, *s.image_hw)},
        "i_vae": {"inp_image": torch.rand(2, *image) * 2 - 1, "inp_eps": torch.randn(2, c, h, w),
                  "inp_dec": torch.randn(2, c, h, w)},
        "j_clip": {"inp_image_u8": picture(131, 97)}}


def build(s):
    stage2 = animate_anyone.Networks(s, stage=2)
    nets = {1: animate_anyone.Networks(s, stage=1), 2: stage2, "vae": animate_anyone.vae(s),
            "clip": animate_anyone.image_encoder(s)}
    for module in (*stage2.modules().values(), nets["vae"], nets["clip"]):
        animate_anyone.randomise(module)
    for name, module in nets[1].modules().items():
        shared = stage2.modules()[name].state_dict().items()
        module.load_state_dict({k: v for k, v in shared if "motion_modules" not in k})
    return nets


def check_against_stock(s, networks, inputs):
    """Without a bank our own walk through the blocks is diffusers' forward."""
    networks.attention.clear()
    x, pose = inputs["inp_x"], torch.zeros_like(inputs["inp_pose_fea"])
    with torch.no_grad():
        ours = networks.denoise(x, inputs["inp_t"], inputs["inp_ctx"], pose)
        stock = networks.denoising_unet(x.squeeze(2), inputs["inp_t"], inputs["inp_ctx"]).sample.unsqueeze(2)
    torch.testing.assert_close(ours, stock, rtol=1e-5, atol=1e-5)


def compute(s, nets, all_inputs, dtype):
    """({file: {tensor: value}}, {file: {parameter: norm}}) in one precision."""
    def cast(value):
        return value.to(dtype) if value.is_floating_point() else value
    inputs = {file: {name: cast(value) for name, value in tensors.items()} for file, tensors in all_inputs.items()}
    for key in (1, 2):
        for module in nets[key].modules().values():
            module.to(dtype)
    vae, clip = nets["vae"].to(dtype), nets["clip"].to(dtype)
    out, norms = {}, {}
    with torch.no_grad():
        out["a_pose_guider"] = forward_checks.pose_guider(nets[1], inputs["a_pose_guider"])
        out["b_reference_bank"] = forward_checks.reference_bank(nets[1], inputs["b_reference_bank"])
        for stage, file in ((1, "c_unet_stage1"), (2, "d_unet_stage2")):
            out[file] = forward_checks.denoising_unet(nets[stage], inputs[file])
        out["g_ddim"] = pipeline_checks.ddim(TRAIN, INFER, inputs["g_ddim"])
        out["h_pipeline"] = pipeline_checks.Pipeline(s, INFER, nets[2], vae, clip, inputs["h_pipeline"]).check()
        out["i_vae"] = forward_checks.vae(vae, inputs["i_vae"])
        out["j_clip"] = forward_checks.clip(clip, inputs["j_clip"])
        null_context = out["j_clip"]["image_embeds_zero_pixels"].unsqueeze(1)
    for stage, stem in ((1, "e_train1_"), (2, "f_train2_")):
        variants = TRAIN_VARIANTS | ({"cond_gamma0": {"gamma": 0}} if stage == 1 else {})
        for name, changes in variants.items():
            given = inputs[stem + "cond"]
            if name == "uncond":
                given = {**given, "inp_ctx": null_context.expand(len(given["inp_ctx"]), -1, -1).contiguous()}
            out[stem + name], norms[stem + name] = training_checks.step(nets[stage], stage, TRAIN, given, **changes)
            if name == "uncond":
                out[stem + name]["inp_ctx"] = given["inp_ctx"]
    return out, norms


def describe(value, other_threads, fp64):
    entry = {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
    if value.is_floating_point() and value.dtype != torch.float64:
        threads, precision = ((value.double() - other.double()).abs().max().item() for other in (other_threads, fp64))
        largest = value.abs().max().item()
        entry |= {"max_abs": largest, "diff_1v2_threads": threads, "diff_vs_fp64": precision,
                  "suggested_atol": max(10 * max(threads, precision), 2e-6 * largest, 1e-7)}
    return entry


def configs(s, nets):
    def plain(config):
        return {key: value for key, value in config.items()
                if key not in ("_name_or_path", "_diffusers_version", "_class_name")}
    unet2d = plain(nets[1].reference_unet.config)
    unet3d = {**unet2d, "use_inflated_groupnorm": False, "use_motion_module": False, "motion_module_type": None,
              "mid_block_type": "UNetMidBlock3DCrossAttn",
              "down_block_types": [name.replace("2D", "3D") for name in unet2d["down_block_types"]],
              "up_block_types": [name.replace("2D", "3D") for name in unet2d["up_block_types"]]}
    motion = {**unet3d, "use_inflated_groupnorm": s.use_inflated_groupnorm, "use_motion_module": True,
              "motion_module_type": "Vanilla", "motion_module_mid_block": s.motion_mid_block,
              "motion_module_resolutions": [2 ** i for i in range(len(s.widths))],
              "motion_module_kwargs": {
                  "num_attention_heads": s.motion_heads, "num_transformer_block": 1,
                  "attention_block_types": ["Temporal_Self", "Temporal_Self"], "temporal_position_encoding": True,
                  "temporal_position_encoding_max_len": s.motion_positions, "temporal_attention_dim_div": 1}}
    return {"reference_unet": unet2d, "denoising_unet_stage1": unet3d, "denoising_unet_stage2": motion,
            "pose_guider": {"conditioning_embedding_channels": s.widths[0], "block_out_channels": s.pose_widths},
            "vae": plain(nets["vae"].config), "image_encoder": nets["clip"].config.to_dict()}


def weights(nets):
    denoising = nets[2].denoising_unet.state_dict()
    return {"reference_unet": nets[2].reference_unet.state_dict(), "pose_guider": nets[2].pose_guider.state_dict(),
            "denoising_unet": {k: v for k, v in denoising.items() if "motion_modules" not in k},
            "motion_module": {k: v for k, v in denoising.items() if "motion_modules" in k},
            "vae": nets["vae"].state_dict(), "image_encoder": nets["clip"].state_dict()}


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def write_tensors(path, tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", choices=SIZES)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    s, folder = SIZES[options.sizes], options.folder
    torch.manual_seed(s.seed)
    nets, inputs = build(s), random_inputs(s)
    check_against_stock(s, nets[1], inputs["c_unet_stage1"])
    for name, tensors in weights(nets).items():
        # Tables that are computed anew stay as they are; all else is exact in fp16.
        write_tensors(folder / "weights" / f"{name}.safetensors",
                      {k: v.half() if v.is_floating_point() and not k.endswith(".pe") else v for k, v in tensors.items()})
    passes = []
    for dtype, threads in ((torch.float32, 2), (torch.float32, 1), (torch.float64, 1)):
        torch.set_num_threads(threads)
        passes.append(compute(s, nets, inputs, dtype))
    (values, norms), (one_thread, _), (fp64, _) = passes
    tensors = {}
    for file, found in values.items():
        tensors[file] = {name: describe(value, one_thread[file][name], fp64[file][name]) for name, value in found.items()}
        write_tensors(folder / f"{file}.safetensors", {**inputs.get(file, {}), **found})
    torch.manual_seed(s.seed + 1)
    for file, made in (("k_adamw", other_checks.adamw()), ("k_adamw8bit", other_checks.adamw8bit()),
                       ("l_lr_schedules", other_checks.lr_schedules()), ("m_transforms", other_checks.crops(s))):
        write_tensors(folder / f"{file}.safetensors", made)
    for name, config in configs(s, nets).items():
        write_json(folder / "configs" / f"{name}.json", config)
    write_json(folder / "context_windows.json", pipeline_checks.window_lists(s))
    write_json(folder / "grad_norms.json", {file: {"norms": of_file} for file, of_file in norms.items()})
    write_json(folder / "MANIFEST.json", {
        "set": options.sizes, "config": {"steps": s.steps, "ctxf": s.window, "ovl": s.overlap, "seed": s.seed},
        "latent_hw": s.latent_hw, "scheduler_train": TRAIN, "scheduler_infer": INFER,
        "versions": {name: importlib.metadata.version(name) for name in
                     ("torch", "torchvision", "diffusers", "transformers", "numpy", "Pillow", "bitsandbytes")},
        **{f"trainable_stage{stage}": sorted(training_checks.parameters(nets[stage], stage)) for stage in (1, 2)},
        "tensors": tensors})


if __name__ == "__main__":
    main()
