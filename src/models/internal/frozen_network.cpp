// SPDX-License-Identifier: Apache-2.0
// See frozen_network.hpp.
#include "models/internal/frozen_network.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <fmt/format.h>

#include <vector>

#include "base/files/files.hpp"
#include "base/log.hpp"
#include "models/load_network.hpp"
#include "tensor/device_memory.hpp"
#include "tensor/from_entry.hpp"
#include "tensor/require.hpp"
#include "weights/model_folder.hpp"

namespace zt::models::internal {
namespace {

constexpr uint64_t kLargestConfigBytes = uint64_t{1} << 20;

std::unique_ptr<params::ParamStore> make_store(const params::ParamTable& table, uint64_t seed,
                                               bool initialize, at::Device device) {
  params::ParamStore::Options options;
  options.placement = [](const params::ParamInfo&) { return params::Placement{.trainable = false}; };
  options.seed = seed;
  options.initialize = initialize;
  options.device = device;
  return std::make_unique<params::ParamStore>(table, options);
}

}  // namespace

Result<std::string> read_model_config(const std::filesystem::path& folder) {
  return files::read_regular(folder / "config.json", kLargestConfigBytes);
}

Status require_store_memory(const params::ParamTable& table, std::string_view what, at::Device device,
                            std::string_view advice) {
  const int64_t weights = table.num_elements();
  const resources::Demand demand{fmt::format("{} ({} x 4 B)", what, weights),
                                 static_cast<uint64_t>(weights) * sizeof(float)};
  return tensor::require_memory(device, {&demand, 1}, advice);
}

std::unique_ptr<params::ParamStore> make_frozen_store(const params::ParamTable& table, uint64_t seed,
                                                      at::Device device) {
  return make_store(table, seed, /*initialize=*/true, device);
}

Result<std::unique_ptr<params::ParamStore>> load_frozen_store(const params::ParamTable& table,
                                                              std::string_view network,
                                                              const std::filesystem::path& folder,
                                                              const weights::NameRule& rename,
                                                              at::Device device) {
  ZT_TRY_ASSIGN(const weights::TensorFile file, weights::TensorFile::open(folder));
  ZT_TRY(require_store_memory(table, folder.string(), device, "its config.json may be another network's"));
  auto store = make_store(table, /*seed=*/0, /*initialize=*/false, device);
  LoadRules rules;
  rules.rename = rename;
  ZT_TRY_ASSIGN(const LoadReport report, load_network(*store, network, file, rules));
  log::info("models", report.summary());
  return store;
}

Status save_model_folder(const params::ParamStore& store, std::string_view network,
                         const std::filesystem::path& folder, std::string_view config_json,
                         std::string_view stem) {
  const std::vector<NamedTensor> tensors = network_tensors(store, network);
  std::vector<weights::TensorEntry> entries;
  for (const auto& [name, value] : tensors) entries.push_back(tensor::to_entry(name, value));
  return weights::write_model_folder(folder, config_json, entries, stem);
}

at::Tensor in_chunks(const at::Tensor& batch, int64_t chunk,
                     const std::function<at::Tensor(const at::Tensor&)>& run) {
  ZT_REQUIRE(chunk > 0, "wanted a chunk of 1 or more, got ", chunk);
  const at::NoGradGuard no_grad;
  if (batch.size(0) <= chunk) return run(batch);
  std::vector<at::Tensor> parts;
  for (const at::Tensor& part : batch.split(chunk)) parts.push_back(run(part));
  return at::cat(parts);
}

}  // namespace zt::models::internal
