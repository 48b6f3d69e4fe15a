// SPDX-License-Identifier: Apache-2.0
#include "config/job/optim_job.hpp"

#include "config/internal/limits.hpp"
#include "config/listing.hpp"
#include "config/meaning/step_rules.hpp"

namespace zt::config {

void describe(Listing& l, OptimJob& o) {
  l.field("learning_rate", o.learning_rate, {.help = "peak learning rate", .min = 0, .max = 10});
  l.field("scale_lr", o.scale_lr, {.help = "multiply it by accumulation x batch x lanes"});
  l.field("lr_scheduler", o.lr_scheduler,
          {.help = "its course over the steps; constant ignores the warm-up"});
  l.field("lr_warmup_steps", o.lr_warmup_steps,
          {.help = "rises from 0 for this long", .unit = "steps", .min = 0, .max = kMaxSteps});
  l.field("lr_num_cycles", o.lr_num_cycles,
          {.help = "cosine: 0.5 is one fall; cosine_with_restarts: whole restarts", .min = 0});
  l.field("lr_power", o.lr_power, {.help = "polynomial: its power", .min = 0});
  l.field("lr_step_rules", o.lr_step_rules,
          {.help = "piecewise_constant: \"1:10,0.1:20,0.01\", factor:until-step, then the last factor",
           .problem = step_rules_problem});
  l.field("lr_flat_fraction", o.lr_flat_fraction,
          {.help = "flat_cosine: share of the steps before the fall", .min = 0, .max = 1});
  l.field("lr_final_ratio", o.lr_final_ratio,
          {.help = "flat_cosine and deepspeed_warmup_cosine: last rate / learning_rate", .min = 0, .max = 1});
  l.field("lr_total_steps", o.lr_total_steps,
          {.help = "steps that a decay is planned for; 0 = max_train_steps",
           .unit = "steps",
           .min = 0,
           .max = kMaxSteps});
  l.field("lr_warmup_curve", o.lr_warmup_curve, {.help = "deepspeed_*: how the rate rises"});
  l.field("lr_warmup_start", o.lr_warmup_start,
          {.help = "deepspeed_*: first rate / learning_rate; of deepspeed_warmup_decay also the last",
           .min = 0,
           .max = 1});
  l.field("adam_beta1", o.adam_beta1, {.help = "decay of the first moment", .min = 0, .max = 0.999999});
  l.field("adam_beta2", o.adam_beta2, {.help = "decay of the second moment", .min = 0, .max = 0.999999});
  l.field("adam_weight_decay", o.adam_weight_decay, {.help = "decoupled weight decay", .min = 0});
  l.field("adam_epsilon", o.adam_epsilon, {.help = "added to the root of the second moment", .min = 0});
  l.field("use_8bit_adam", o.use_8bit_adam, {.help = "block-wise 8-bit moments, as bitsandbytes keeps them"});
  l.field(
      "offload", o.offload,
      {.help = "cpu: moments, fp32 copies of bf16 weights and averaged weights are in host memory, and the "
               "update runs there; without a GPU they are anyway",
       .resume = Resume::Allow});
  l.field("max_grad_norm", o.max_grad_norm,
          {.help = "clip the gradient to this L2 norm; 0 = never", .min = 0});
  l.field("max_skipped_steps", o.max_skipped_steps,
          {.help = "steps in a row without a finite gradient after which they are made again from the last "
                   "checkpoint",
           .unit = "steps",
           .min = 1,
           .max = kMaxSteps,
           .resume = Resume::Allow});
  l.field("gradient_accumulation_steps", o.gradient_accumulation_steps,
          {.help = "batches per optimizer step", .unit = "batches", .min = 1, .max = 65536});
  l.field(
      "ema_decay", o.ema_decay,
      {.help = "moving average of the weights, used for generation; 0 = none", .min = 0, .max = 0.999999999});
  l.field("ema_warmup", o.ema_warmup, {.help = "decay of step n is at most (1 + n) / (10 + n)"});
}

void describe(Listing& l, PrecisionJob& p) {
  l.field("mixed_precision", p.mixed_precision, {.help = "numbers of the trained networks' matrix products"});
  l.field(
      "trained_weights", p.trained_weights,
      {.help = "weights and gradients of networks that train: bf16 with fp32 ones in the optimizer's state, "
               "or bf16 alone with updates rounded at random; both need mixed_precision bf16"});
  l.field("frozen_dtype", p.frozen_dtype,
          {.help = "weights of a ReferenceNet or pose guider of which nothing trains; encoders stay fp32"});
  l.field("bank_dtype", p.bank_dtype,
          {.help = "numbers of the reference bank; fp16 is the reference's unconditional cast"});
  l.field("init_loss_scale", p.init_loss_scale,
          {.help = "fp16: first loss scale", .min = 1, .max = 4294967296.0});
  l.field("loss_scale_growth_interval", p.loss_scale_growth_interval,
          {.help = "fp16: steps without overflow before the scale doubles",
           .unit = "steps",
           .min = 1,
           .max = kMaxSteps});
  l.field("tf32", p.tf32, {.help = "on a GPU: fp32 products with 10 bits of mantissa, several times faster"});
  l.field("repeatable", p.repeatable,
          {.help = "on a GPU: the same bits in every run; false lets it choose faster algorithms by trying"});
}

}  // namespace zt::config
