// SPDX-License-Identifier: Apache-2.0
// What the frozen networks (VAE, image encoder) share: a store of their own, folders in diffusers' or
// transformers' layout, and running a batch in parts.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "params/param_store.hpp"
#include "weights/names.hpp"

namespace zt::models::internal {

/// config.json of a model folder. Errors: NotFound and those of files::read.
Result<std::string> read_model_config(const std::filesystem::path& folder);

/// Whether frozen fp32 parameters of `table` fit the device's free memory. Errors: Exhausted, with the
/// arithmetic; `what` names the network, `advice` says what to do.
Status require_store_memory(const params::ParamTable& table, std::string_view what, at::Device device,
                            std::string_view advice);

/// Frozen fp32 parameters of `table` at the start values of `seed`.
std::unique_ptr<params::ParamStore> make_frozen_store(const params::ParamTable& table, uint64_t seed,
                                                      at::Device device);

/// Frozen fp32 parameters of `table` from the weights of `folder`. Errors: those of TensorFile::open,
/// require_store_memory() and load_network.
Result<std::unique_ptr<params::ParamStore>> load_frozen_store(const params::ParamTable& table,
                                                              std::string_view network,
                                                              const std::filesystem::path& folder,
                                                              const weights::NameRule& rename,
                                                              at::Device device);

/// config.json and STEM.safetensors of a network.
Status save_model_folder(const params::ParamStore& store, std::string_view network,
                         const std::filesystem::path& folder, std::string_view config_json,
                         std::string_view stem);

/// run() on at most `chunk` items of the batch at a time, results joined. A bound on memory, not on what is
/// computed.
at::Tensor in_chunks(const at::Tensor& batch, int64_t chunk,
                     const std::function<at::Tensor(const at::Tensor&)>& run);

}  // namespace zt::models::internal
