#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `accelerate launch` sets for rank 0, as launch_*.env beside this script. Recorded with accelerate 1.15.0 on
# torch 2.13.0 without a GPU: pip install accelerate==1.15.0 deepspeed==0.19.8, then this script.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
record() {
  name=$1
  shift
  accelerate launch "$@" --no_python sh -c '
    [ "${RANK:-0}" != 0 ] || env | grep -E "^(ACCELERATE|FSDP|LOCAL|MASTER|RANK|WORLD)" | LC_ALL=C sort > "$0"
  ' "$here/launch_$name.env"
}
record plain --multi_gpu --num_processes 2
record plain_cpu --cpu --num_processes 2
record sample --config_file "$here/ds_config.yaml"
record flags --use_deepspeed --num_processes 2 --gradient_accumulation_steps 4 --gradient_clipping 0.5
record fsdp --use_fsdp --num_processes 2 --mixed_precision bf16 --fsdp_sharding_strategy FULL_SHARD
