// SPDX-License-Identifier: Apache-2.0
// accelerate's YAML: see key_table.hpp. Keys of fsdp_config and parallelism_config stand without their
// optional prefix.
#include "config/foreign/key_table.hpp"

namespace zt::config::foreign {
namespace {

using enum Type;
using enum Does;

constexpr std::string_view kRendezvous = "zoetrope chooses a free port and starts the ranks itself";
constexpr std::string_view kNoTpu = "it is for TPUs";
constexpr std::string_view kUnits = "every block of the networks is a unit of its own";
constexpr std::string_view kSameNumbers = "names only another way to the same numbers";
constexpr std::string_view kNotRead =
    "accelerate does not read it here either: DeepSpeed's own keys count in deepspeed_config_file";
constexpr std::string_view kNoNvme = "nothing is kept on NVMe";
constexpr std::string_view kStart = "weights are read by each rank from the job's files";
constexpr std::string_view kLaunch = "--hosts and --hostfile name the hosts, see docs/ranks.md";
constexpr std::string_view kOneWay = "only data parallelism is built";
constexpr std::string_view kSequence = "there is no sequence parallelism";
constexpr std::string_view kFlag = "a flag of accelerate's own launcher, which `zoetrope train` is here";

constexpr KeyRow kRows[] = {
    {"compute_environment", Text, "LOCAL_MACHINE", Only, "LOCAL_MACHINE",
     "SageMaker's launcher is not built"},
    {"distributed_type", Text, "required", Special, "", "NO, MULTI_CPU, MULTI_GPU, DEEPSPEED or FSDP"},
    {"mixed_precision", Text, "no", Special, "", "no, fp16 or bf16: precision.mixed_precision"},
    {"fp16", Bool, "false", Special, "", "old spelling of mixed_precision: fp16"},
    {"use_cpu", Bool, "false", Special, "", "true: device = cpu; false leaves device as it is"},
    {"debug", Bool, "false", Ignore, "", "shapes of exchanges are always checked"},
    {"num_processes", Int, "-1", Special, "",
     "ranks of all machines together, unless --ranks says otherwise"},
    {"num_machines", Int, "1", Ignore, "", kLaunch},
    {"machine_rank", Int, "0", Ignore, "", kRendezvous},
    {"gpu_ids", Text, "", Ignore, "", "CUDA_VISIBLE_DEVICES says which GPUs there are"},
    {"main_process_ip", Text, "", Ignore, "", kRendezvous},
    {"main_process_port", Int, "29500", Ignore, "", kRendezvous},
    {"rdzv_backend", Text, "static", Ignore, "", kRendezvous},
    {"same_network", Bool, "false", Ignore, "", kRendezvous},
    {"main_training_function", Text, "main", Ignore, "", "there is no script"},
    {"enable_cpu_affinity", Bool, "false", Ignore, "", kSameNumbers},
    {"downcast_bf16", Text, "no", Ignore, "", kNoTpu},
    {"tpu_name", Text, "", Ignore, "", kNoTpu},
    {"tpu_zone", Text, "", Ignore, "", kNoTpu},
    {"tpu_use_cluster", Bool, "false", Ignore, "", kNoTpu},
    {"tpu_use_sudo", Bool, "false", Ignore, "", kNoTpu},
    {"tpu_env", Any, "[]", Ignore, "", kNoTpu},
    {"tpu_vm", Any, "", Ignore, "", kNoTpu},
    {"command_file", Text, "", Ignore, "", kNoTpu},
    {"commands", Any, "", Ignore, "", kNoTpu},
    {"dynamo_backend", Text, "NO", Ignore, "", kSameNumbers},
    {"dynamo_config", Any, "{}", Ignore, "", kSameNumbers},
    {"ipex_config", Any, "{}", Ignore, "", kSameNumbers},
    {"mpirun_config", Any, "{}", Ignore, "", kRendezvous},
    {"fp8_config", Any, "{}", Ignore, "", "mixed_precision decides, and fp8 is not built"},
    {"megatron_lm_config", Any, "{}", Refuse, "", kOneWay},
    {"tp_config", Any, "{}", Refuse, "", kOneWay},

    {"num_cpu_threads_per_process", Any, "", Ignore, "", "threads says how many all ranks of a host share"},
    {"max_restarts", Any, "0", Ignore, "", "a flag of `zoetrope train` too, 3 unless it is given there"},
    {"monitor_interval", Any, "", Ignore, "", kFlag},
    {"rdzv_conf", Any, "", Ignore, "", kFlag},
    {"tee", Any, "", Ignore, "", kFlag},
    {"log_dir", Any, "", Ignore, "", kFlag},
    {"role", Any, "", Ignore, "", kFlag},
    {"mpirun_hostfile", Any, "", Ignore, "", kFlag},
    {"mpirun_ccl", Any, "", Ignore, "", kFlag},
    {"quiet", Any, "false", Ignore, "", kFlag},
    {"module", Any, "false", Ignore, "", kFlag},
    {"m", Any, "false", Ignore, "", kFlag},
    {"no_python", Any, "false", Ignore, "", kFlag},
    {"use_parallelism_config", Any, "false", Ignore, "", kFlag},
    {"dynamo_mode", Any, "", Ignore, "", kSameNumbers},
    {"dynamo_use_fullgraph", Any, "false", Ignore, "", kSameNumbers},
    {"dynamo_use_dynamic", Any, "false", Ignore, "", kSameNumbers},
    {"dynamo_use_regional_compilation", Any, "false", Ignore, "", kSameNumbers},

    {"deepspeed_config.deepspeed_config_file", Text, "", Special, "", "read as by --deepspeed"},
    {"deepspeed_config.zero_stage", Int, "2", Map, "parallel.zero_stage"},
    {"deepspeed_config.gradient_accumulation_steps", Int, "1", Map, "optimizer.gradient_accumulation_steps",
     "", true},
    {"deepspeed_config.gradient_clipping", Number, "1", Map, "optimizer.max_grad_norm", "", true},
    {"deepspeed_config.offload_optimizer_device", Text, "none", Special, "",
     "none: optimizer.offload = none; cpu: optimizer.offload = cpu; nvme is refused"},
    {"deepspeed_config.offload_param_device", Text, "none", Special, "",
     "counts at stage 3, and there only none: offloading of weights is not built"},
    {"deepspeed_config.offload_optimizer_nvme_path", Text, "none", Ignore, "", kNoNvme},
    {"deepspeed_config.offload_param_nvme_path", Text, "none", Ignore, "", kNoNvme},
    {"deepspeed_config.zero3_init_flag", Bool, "true at stage 3", Ignore, "", kStart},
    {"deepspeed_config.zero3_save_16bit_model", Bool, "false", Ignore, "",
     "`zoetrope ckpt export` writes whole weights from any checkpoint"},
    {"deepspeed_config.deepspeed_hostfile", Text, "", Ignore, "", kLaunch},
    {"deepspeed_config.deepspeed_inclusion_filter", Text, "", Ignore, "", kLaunch},
    {"deepspeed_config.deepspeed_exclusion_filter", Text, "", Ignore, "", kLaunch},
    {"deepspeed_config.deepspeed_multinode_launcher", Text, "pdsh", Ignore, "", kLaunch},
    {"deepspeed_config.deepspeed_moe_layer_cls_names", Text, "", Ignore, "", "the networks have no experts"},
    {"deepspeed_config.activation_checkpointing", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.allgather_bucket_size", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.allgather_partitions", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.bf16", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.contiguous_gradients", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.fp16", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.optimizer", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.overlap_comm", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.reduce_bucket_size", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.reduce_scatter", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.scheduler", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.stage3_gather_16bit_weights_on_model_save", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.stage3_gather_fp16_weights_on_model_save", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.stage3_max_live_parameters", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.stage3_max_reuse_distance", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.stage3_param_persistence_threshold", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.stage3_prefetch_bucket_size", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.steps_per_print", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.sub_group_size", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.train_batch_size", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.train_micro_batch_size_per_gpu", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.wall_clock_breakdown", Any, "", Ignore, "", kNotRead},
    {"deepspeed_config.zero_optimization", Any, "", Ignore, "", kNotRead},

    {"fsdp_config.version", Int, "1", Special, "", "1 or 2: which of the next two keys counts"},
    {"fsdp_config.sharding_strategy", Text, "FULL_SHARD", Special, "",
     "version 1: FULL_SHARD is parallel.zero_stage = 3, SHARD_GRAD_OP 2, NO_SHARD 0; HYBRID_* also sets "
     "parallel.shard_ranks to the ranks of a machine"},
    {"fsdp_config.reshard_after_forward", Text, "true", Special, "",
     "version 2: true is parallel.zero_stage = 3, false 2"},
    {"fsdp_config.offload_params", Bool, "false", Special, "",
     "only false: offloading of weights is not built"},
    {"fsdp_config.min_num_params", Int, "1e8", Ignore, "", kUnits},
    {"fsdp_config.auto_wrap_policy", Text, "NO_WRAP", Ignore, "", kUnits},
    {"fsdp_config.transformer_layer_cls_to_wrap", Text, "", Ignore, "", kUnits},
    {"fsdp_config.backward_prefetch", Text, "NO_PREFETCH", Ignore, "", kUnits},
    {"fsdp_config.backward_prefetch_policy", Text, "", Renamed, "fsdp_config.backward_prefetch"},
    {"fsdp_config.forward_prefetch", Bool, "false", Ignore, "", kUnits},
    {"fsdp_config.state_dict_type", Text, "FULL_STATE_DICT", Ignore, "",
     "checkpoints are one file per rank that any number of ranks reads"},
    {"fsdp_config.use_orig_params", Bool, "true", Ignore, "", kUnits},
    {"fsdp_config.cpu_ram_efficient_loading", Bool, "true", Ignore, "", kStart},
    {"fsdp_config.sync_module_states", Bool, "true", Ignore, "", kStart},
    {"fsdp_config.activation_checkpointing", Bool, "false", Special, "",
     "true: gradient_checkpointing = true"},
    {"fsdp_config.ignored_modules", Text, "", Refuse, "", "every trained parameter is shared alike"},

    {"parallelism_config.dp_replicate_size", Int, "1", Special, "",
     "copies; with dp_shard_size 1, parallel.zero_stage = 0; with FSDP its version 2 alone"},
    {"parallelism_config.dp_shard_size", Int, "1", Special, "",
     "ranks that share a copy, where there are several: parallel.shard_ranks"},
    {"parallelism_config.tp_size", Int, "1", Only, "1", kOneWay},
    {"parallelism_config.cp_size", Int, "1", Only, "1", kOneWay},
    {"parallelism_config.sp_size", Int, "1", Only, "1", kOneWay},
    {"parallelism_config.cp_backend", Text, "torch", Ignore, "", kSequence},
    {"parallelism_config.cp_comm_strategy", Text, "allgather", Ignore, "", kSequence},
    {"parallelism_config.sp_backend", Text, "deepspeed", Ignore, "", kSequence},
    {"parallelism_config.sp_seq_length", Int, "", Ignore, "", kSequence},
    {"parallelism_config.sp_seq_length_is_variable", Bool, "true", Ignore, "", kSequence},
    {"parallelism_config.sp_attn_implementation", Text, "sdpa", Ignore, "", kSequence},
};

}  // namespace

const KeyTable& accelerate_table() {
  static constexpr KeyTable kTable{"accelerate", kRows};
  return kTable;
}

}  // namespace zt::config::foreign
