// SPDX-License-Identifier: Apache-2.0
// DeepSpeed's JSON: see key_table.hpp.
#include "config/foreign/key_table.hpp"

namespace zt::config::foreign {
namespace {

using enum Type;
using enum Does;

constexpr std::string_view kMicro = "with the other two batch keys: data.train_bs, samples per lane";
constexpr std::string_view kOwnExchange = "exchanges go by units of the network and a fixed schedule";
constexpr std::string_view kSameSum = "sums go by the tree of lanes, whatever the order of sending";
constexpr std::string_view kOneScheme = "there is one way of sharding per stage";
constexpr std::string_view kOffloaded =
    "none: optimizer.offload = none; cpu: optimizer.offload = cpu; nvme is refused";
constexpr std::string_view kPinned = "what copies go through is always pinned where there is a GPU";
constexpr std::string_view kTwoBuffers = "state stays in host memory, and two buffers bring the rest to it";
constexpr std::string_view kNoNvme = "nothing is kept on NVMe";
constexpr std::string_view kWeightsStay = "weights are not offloaded";
constexpr std::string_view kNoWeights =
    "offloading of weights is not built: parallel.zero_stage = 3 shares them, optimizer.offload = cpu moves "
    "the optimizer's state";
constexpr std::string_view kAllFp32 =
    "weights, gradients and optimizer state are fp32 (8 bit by optimizer.use_8bit_adam)";
constexpr std::string_view kTracking = "metrics, events and report.html of a run are always written";
constexpr std::string_view kRecompute =
    "gradient_checkpointing decides, as in DeepSpeed, where the model calls for it";
constexpr std::string_view kCheckpoints = "checkpoints are one file per rank that any number of ranks reads";
constexpr std::string_view kNoElastic = "a batch is cut into lanes, which any number of ranks divides";
constexpr std::string_view kSizes = "stage 3 gathers unit by unit";

constexpr KeyRow kRows[] = {
    {"train_batch_size", Int, "", Special, "", "micro batch x accumulation x ranks, checked", true},
    {"train_micro_batch_size_per_gpu", Int, "", Special, "", kMicro, true},
    {"gradient_accumulation_steps", Int, "1", Special, "", "optimizer.gradient_accumulation_steps", true},
    {"managed_gradient_accumulation", Bool, "true", Only, "true", "the trainer counts the batches of a step"},
    {"steps_per_print", Int, "", Ignore, "", "log_every_steps says how often metrics are written", true},
    {"gradient_clipping", Number, "0 until 2025, 1 since 2026", Map, "optimizer.max_grad_norm", "", true},
    {"prescale_gradients", Bool, "false", Ignore, "", kSameSum},
    {"gradient_predivide_factor", Number, "1", Ignore, "", kSameSum},
    {"gradient_allreduce_op", Text, "mean", Only, "mean", "the loss is a mean over the global batch"},
    {"communication_data_type", Text, "that of training", Ignore, "",
     "gradients and weights are sent as fp32"},
    {"seq_parallel_communication_data_type", Text, "fp32", Ignore, "", "there is no sequence parallelism"},
    {"sparse_gradients", Bool, "false", Ignore, "", "no parameter has sparse gradients"},
    {"disable_allgather", Bool, "false", Ignore, "", kOwnExchange},
    {"dump_state", Bool, "false", Ignore, "", "run.yaml holds the state of the configuration"},
    {"wall_clock_breakdown", Bool, "false", Ignore, "", kTracking},
    {"memory_breakdown", Bool, "false", Ignore, "", kTracking},
    {"dataloader_drop_last", Bool, "false", Ignore, "",
     "the order of samples is endless: there is no last batch"},
    {"graph_harvesting", Bool, "false", Ignore, "", "names only another way to the same numbers"},
    {"zero_allow_untested_optimizer", Bool, "false", Ignore, "", "the optimizer is ours"},
    {"zero_force_ds_cpu_optimizer", Bool, "true", Ignore, "", "the optimizer is ours"},

    {"optimizer.type", Text, "", Special, "", "Adam, AdamW, Adam8bit, AdamW8bit or PagedAdamW8bit"},
    {"optimizer.legacy_fusion", Bool, "false", Ignore, "", "names only another way to the same numbers"},
    {"optimizer.params.lr", Number, "0.001", Special, "",
     "optimizer.learning_rate, unless the scheduler sets it", true},
    {"optimizer.params.betas", Numbers, "[0.9, 0.999]", Special, "", "optimizer.adam_beta1 and adam_beta2",
     true},
    {"optimizer.params.eps", Number, "1e-8", Map, "optimizer.adam_epsilon", "", true},
    {"optimizer.params.weight_decay", Number, "0; AdamW8bit 0.01", Map, "optimizer.adam_weight_decay", "",
     true},
    {"optimizer.params.torch_adam", Bool, "false", Ignore, "", "names only another way to the same numbers"},
    {"optimizer.params.adam_w_mode", Bool, "true", Special, "",
     "false is refused where weight decay is not 0"},
    {"optimizer.params.bias_correction", Bool, "true", Only, "true", "moments are always corrected"},
    {"optimizer.params.amsgrad", Bool, "false", Only, "false", "AMSGrad is not built"},
    {"optimizer.params.fused", Bool, "false", Ignore, "", "the update is one fused pass"},
    {"optimizer.params.foreach", Bool, "false", Ignore, "", "the update is one fused pass"},
    {"optimizer.params.max_grad_norm", Number, "0", Only, "0",
     "DeepSpeed refuses it too: use gradient_clipping"},

    {"scheduler.type", Text, "", Special, "",
     "WarmupLR, WarmupDecayLR or WarmupCosineLR: optimizer.lr_scheduler"},
    {"scheduler.params.warmup_min_lr", Number, "0", Special, "", "over the peak: optimizer.lr_warmup_start",
     true},
    {"scheduler.params.warmup_max_lr", Number, "the optimizer's; WarmupDecayLR 0.001", Special, "",
     "optimizer.learning_rate", true},
    {"scheduler.params.warmup_num_steps", Int, "1000", Map, "optimizer.lr_warmup_steps", "", true},
    {"scheduler.params.warmup_type", Text, "log", Map, "optimizer.lr_warmup_curve"},
    {"scheduler.params.total_num_steps", Int, "", Map, "optimizer.lr_total_steps", "", true},
    {"scheduler.params.warmup_min_ratio", Number, "0", Map, "optimizer.lr_warmup_start", "", true},
    {"scheduler.params.cos_min_ratio", Number, "0.0001", Map, "optimizer.lr_final_ratio", "", true},
    {"scheduler.params.last_batch_iteration", Int, "-1", Only, "-1", "a run begins at its first step"},

    {"fp16.enabled", Bool, "false", Special, "", "true: precision.mixed_precision = fp16", true},
    {"fp16.auto_cast", Bool, "false", Ignore, "", "matrix products are always cast, weights stay fp32"},
    {"fp16.loss_scale", Number, "0", Only, "0", "the loss scale is always dynamic"},
    {"fp16.initial_scale_power", Int, "16", Special, "", "2 to this power: precision.init_loss_scale"},
    {"fp16.loss_scale_window", Int, "1000", Map, "precision.loss_scale_growth_interval"},
    {"fp16.hysteresis", Int, "2", Ignore, "", "the scale halves at every overflow"},
    {"fp16.consecutive_hysteresis", Bool, "false", Ignore, "", "the scale halves at every overflow"},
    {"fp16.min_loss_scale", Number, "1", Ignore, "", "the scale may fall to 2^-16"},
    {"fp16.fp16_master_weights_and_grads", Bool, "false", Only, "false", kAllFp32},
    {"bf16.enabled", Bool, "false", Special, "", "true: precision.mixed_precision = bf16", true},
    {"bf16.immediate_grad_update", Bool, "true", Ignore, "", "names only another way to the same numbers"},
    {"bf16.check_overflow", Bool, "false", Ignore, "", "gradients are always checked"},
    {"bf16.bf16_master_weights_and_grads", Bool, "false", Only, "false", kAllFp32},
    {"bf16.bf16_optimizer_states", Bool, "false", Only, "false", kAllFp32},
    {"bfloat16", Any, "", Renamed, "bf16"},
    {"torch_autocast.enabled", Bool, "false", Special, "", "true: precision.mixed_precision = dtype"},
    {"torch_autocast.dtype", Text, "bfloat16", Special, "", "bfloat16 or float16"},
    {"torch_autocast.lower_precision_safe_modules", Any, "", Ignore, "",
     "matrix products and convolutions are cast"},
    {"data_types.grad_accum_dtype", Text, "", Ignore, "", kAllFp32},
    {"data_types.param_dtype", Text, "", Ignore, "", kAllFp32},
    {"data_types.buffer_dtype", Text, "", Ignore, "", kAllFp32},

    {"activation_checkpointing.partition_activations", Bool, "false", Ignore, "", kRecompute},
    {"activation_checkpointing.number_checkpoints", Int, "", Ignore, "", kRecompute},
    {"activation_checkpointing.contiguous_memory_optimization", Bool, "false", Ignore, "", kRecompute},
    {"activation_checkpointing.synchronize_checkpoint_boundary", Bool, "false", Ignore, "", kRecompute},
    {"activation_checkpointing.profile", Bool, "false", Ignore, "", kRecompute},
    {"activation_checkpointing.cpu_checkpointing", Bool, "false", Ignore, "", kRecompute},
    {"checkpoint.tag_validation", Text, "Warn", Ignore, "", kCheckpoints},
    {"checkpoint.load_universal", Bool, "false", Ignore, "", kCheckpoints},
    {"checkpoint.use_node_local_storage", Bool, "false", Ignore, "", kCheckpoints},
    {"checkpoint.parallel_write", Any, "", Ignore, "", kCheckpoints},
    {"checkpoint.checkpoint_serialization", Bool, "true", Ignore, "", kCheckpoints},
    {"checkpoint.writer", Any, "", Ignore, "", kCheckpoints},
    {"aio", Any, "", Ignore, "", kNoNvme},
    {"elasticity", Any, "enabled: false", Off, "", kNoElastic},
    {"tensor_parallel.autotp_size", Int, "0", Only, "0", "tensor parallelism is not built"},
    {"log_level", Text, "", Ignore, "", "the log says what changes"},
    {"tensorboard", Any, "", Ignore, "", kTracking},
    {"wandb", Any, "", Ignore, "", kTracking},
    {"csv_monitor", Any, "", Ignore, "", kTracking},
    {"comms_logger", Any, "", Ignore, "", kTracking},
    {"flops_profiler", Any, "", Ignore, "", kTracking},
    {"autotuning", Any, "", Ignore, "", "it is for DeepSpeed's own tuner"},
    {"amp", Any, "enabled: false", Off, "", "Apex is not built in: use fp16 or bf16"},
    {"pld", Any, "enabled: false", Off, "", "dropping of layers would change the maths"},
    {"progressive_layer_drop", Any, "enabled: false", Off, "", "dropping of layers would change the maths"},
    {"eigenvalue", Any, "enabled: false", Off, "", "it serves compression, which is not built"},
    {"curriculum_learning", Any, "enabled: false", Off, "", "the order of samples is ours"},
    {"compression_training", Any, "", Refuse, "", "compression is not built"},
    {"sparse_attention", Any, "", Refuse, "", "sparse attention changes the maths"},
    {"data_efficiency", Any, "enabled: false", Off, "", "the order of samples is ours"},

    {"zero_optimization", Bool, "", Special, "",
     "old form of the section: true is parallel.zero_stage = 1, false 0"},
    {"zero_optimization.stage", Int, "0", Map, "parallel.zero_stage", "", true},
    {"zero_optimization.contiguous_gradients", Bool, "true", Ignore, "", "gradients are always contiguous"},
    {"zero_optimization.reduce_scatter", Bool, "true", Ignore, "", kOwnExchange},
    {"zero_optimization.reduce_bucket_size", Int, "5e8", Special, "", kOwnExchange, true},
    {"zero_optimization.allgather_bucket_size", Int, "5e8", Ignore, "", kOwnExchange, true},
    {"zero_optimization.use_multi_rank_bucket_allreduce", Bool, "true", Ignore, "", kOwnExchange},
    {"zero_optimization.allgather_partitions", Bool, "true", Ignore, "", kOwnExchange},
    {"zero_optimization.overlap_comm", Bool, "true at stage 3", Ignore, "", kOwnExchange, true},
    {"zero_optimization.load_from_fp32_weights", Bool, "true", Ignore, "", kCheckpoints},
    {"zero_optimization.elastic_checkpoint", Bool, "false", Ignore, "", kCheckpoints},
    {"zero_optimization.offload_param.device", Text, "none", Only, "none", kNoWeights, true},
    {"zero_optimization.offload_param.nvme_path", Text, "", Ignore, "", kWeightsStay, true},
    {"zero_optimization.offload_param.buffer_count", Int, "5", Ignore, "", kWeightsStay},
    {"zero_optimization.offload_param.buffer_size", Int, "1e8", Ignore, "", kWeightsStay},
    {"zero_optimization.offload_param.max_in_cpu", Int, "1e9", Ignore, "", kWeightsStay},
    {"zero_optimization.offload_param.pin_memory", Bool, "false until 2025, true since 2026", Ignore, "",
     kWeightsStay},
    {"zero_optimization.offload_optimizer.device", Text, "none", Special, "", kOffloaded, true},
    {"zero_optimization.offload_optimizer.nvme_path", Text, "", Ignore, "", kNoNvme, true},
    {"zero_optimization.offload_optimizer.buffer_count", Int, "4", Ignore, "", kTwoBuffers},
    {"zero_optimization.offload_optimizer.pin_memory", Bool, "false until 2025, true since 2026", Ignore, "",
     kPinned},
    {"zero_optimization.offload_optimizer.pipeline_read", Bool, "false", Ignore, "", kTwoBuffers},
    {"zero_optimization.offload_optimizer.pipeline_write", Bool, "false", Ignore, "", kTwoBuffers},
    {"zero_optimization.offload_optimizer.fast_init", Bool, "false", Ignore, "", kNoNvme},
    {"zero_optimization.offload_optimizer.ratio", Number, "1", Ignore, "",
     "all of a rank's state is in host memory: less GPU memory, the same numbers"},
    {"zero_optimization.offload_optimizer.super_offload", Bool, "false", Ignore, "",
     "names only another way to the same numbers"},
    {"zero_optimization.offload_optimizer.cpuadam_cores_perc", Number, "0.8", Ignore, "",
     "threads says how many threads the update has"},
    {"zero_optimization.sub_group_size", Int, "1e9", Ignore, "", kSizes},
    {"zero_optimization.stage3_prefetch_bucket_size", Int, "5e7", Special, "", kSizes, true},
    {"zero_optimization.stage3_param_persistence_threshold", Int, "1e5", Special, "", kSizes, true},
    {"zero_optimization.stage3_model_persistence_threshold", Int, "no limit", Ignore, "", kSizes},
    {"zero_optimization.stage3_max_live_parameters", Int, "1e9", Ignore, "", kSizes},
    {"zero_optimization.stage3_max_reuse_distance", Int, "1e9", Ignore, "", kSizes},
    {"zero_optimization.stage3_gather_16bit_weights_on_model_save", Bool, "false", Ignore, "",
     "`zoetrope ckpt export` writes whole weights from any checkpoint", true},
    {"zero_optimization.stage3_gather_fp16_weights_on_model_save", Bool, "", Renamed,
     "zero_optimization.stage3_gather_16bit_weights_on_model_save"},
    {"zero_optimization.stage3_module_granularity_threshold", Int, "0", Ignore, "", kSizes},
    {"zero_optimization.stage3_use_all_reduce_for_fetch_params", Bool, "false", Ignore, "", kOwnExchange},
    {"zero_optimization.stage3_allgather_sequential", Bool, "false", Ignore, "", kOwnExchange},
    {"zero_optimization.ignore_unused_parameters", Bool, "true", Ignore, "",
     "parameters without gradient stand still"},
    {"zero_optimization.round_robin_gradients", Bool, "false", Ignore, "", kOwnExchange},
    {"zero_optimization.legacy_stage1", Bool, "false", Ignore, "", kOneScheme},
    {"zero_optimization.zero_hpz_partition_size", Int, "1", Ignore, "", kOneScheme},
    {"zero_optimization.zero_quantized_weights", Bool, "false", Only, "false",
     "quantised sending changes the maths"},
    {"zero_optimization.zero_quantized_nontrainable_weights", Bool, "false", Only, "false",
     "quantised weights change the maths"},
    {"zero_optimization.zero_quantized_gradients", Bool, "false", Only, "false",
     "quantised sending changes the maths"},
    {"zero_optimization.zeropp_loco_param", Any, "", Refuse, "",
     "it corrects quantised gradients, which are not built"},
    {"zero_optimization.mics_shard_size", Int, "-1", Special, "", "above 0: parallel.shard_ranks"},
    {"zero_optimization.mics_hierarchical_params_gather", Bool, "false", Ignore, "", kOneScheme},
    {"zero_optimization.memory_efficient_linear", Bool, "true", Ignore, "",
     "names only another way to the same numbers"},
    {"zero_optimization.pipeline_loading_checkpoint", Bool, "false", Ignore, "", kCheckpoints},
    {"zero_optimization.override_module_apply", Bool, "true", Ignore, "",
     "weights are made by their own rules"},
    {"zero_optimization.log_trace_cache_warnings", Bool, "false", Ignore, "", kOwnExchange},
    {"zero_optimization.enable_sanity_checks", Bool, "false", Ignore, "", "checks are always on"},
    {"zero_optimization.leaf_module", Any, "", Ignore, "", kSizes},
    {"zero_optimization.zenflow", Any, "", Refuse, "", "late updates change the maths"},
    {"zero_optimization.save_muon_momentum_buffer_in_memory", Bool, "false", Ignore, "", "it is for Muon"},
    {"zero_optimization.cpu_offload", Bool, "false", Special, "",
     "old form of offload_optimizer: true is optimizer.offload = cpu"},
    {"zero_optimization.cpu_offload_params", Bool, "false", Only, "false", kNoWeights},
    {"zero_optimization.cpu_offload_use_pin_memory", Bool, "false", Ignore, "", kPinned},
};

}  // namespace

const KeyTable& deepspeed_table() {
  static constexpr KeyTable kTable{"DeepSpeed", kRows};
  return kTable;
}

}  // namespace zt::config::foreign
