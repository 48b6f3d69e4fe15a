// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose/litert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <numeric>
#include <string>
#include <utility>

#include "base/process/library.hpp"

namespace zt::data {
namespace {

// Declarations of LiteRT's C interface: litert_common.h, litert_model_types.h, litert_layout.h,
// litert_tensor_buffer.h.
using Handle = void*;
constexpr int kOk = 0;
constexpr int kCpu = 1;           // kLiteRtHwAcceleratorCpu
constexpr int kFloat32 = 1;       // kLiteRtElementTypeFloat32
constexpr int kHostMemory = 1;    // kLiteRtTensorBufferTypeHostMemory
constexpr int kLockForRead = 0;   // kLiteRtTensorBufferLockModeRead
constexpr int kLockForWrite = 1;  // kLiteRtTensorBufferLockModeWrite
constexpr int kIntValue = 2;      // kLiteRtAnyTypeInt

// litert_environment_options.h: LiteRtEnvOption with an integer in its union.
struct EnvironmentOption {
  int tag = 0;
  int value_type alignas(8) = kIntValue;
  int64_t value = 0;
};
static_assert(sizeof(EnvironmentOption) == 24, "the header of LiteRT asserts this size");

// Without these LiteRT looks for GPU libraries and reports every step on stderr.
constexpr std::array<EnvironmentOption, 2> kEnvironmentOptions{{
    {24, kIntValue, kCpu},  // kLiteRtEnvOptionTagAutoRegisterAccelerators
    {25, kIntValue, 4},     // kLiteRtEnvOptionTagMinLoggerSeverity: silent; errors come back as status
}};

struct RankedTensorType {
  int element_type = 0;
  uint32_t rank : 7 = 0;
  uint32_t has_strides : 1 = 0;
  std::array<int32_t, 8> dims{};
  std::array<uint32_t, 8> strides{};
};
static_assert(sizeof(RankedTensorType) == 72, "the header of LiteRT asserts this size");

using Destroy = void (*)(Handle);

// A handle with the function that ends it.
using Owned = std::unique_ptr<void, Destroy>;

}  // namespace

struct LiteRt::Api {
  Handle environment = nullptr;
  std::mutex load_mutex;  // the environment is not documented as safe for two compilations at once

  int (*create_environment)(int, const EnvironmentOption*, Handle*) = nullptr;
  Destroy destroy_environment = nullptr;
  int (*create_model_from_file)(Handle environment, const char*, Handle*) = nullptr;
  Destroy destroy_model = nullptr;
  int (*create_options)(Handle*) = nullptr;
  Destroy destroy_options = nullptr;
  int (*set_accelerators)(Handle options, int) = nullptr;
  int (*create_opaque_options)(const char*, void*, void (*)(void*), Handle*) = nullptr;
  int (*add_opaque_options)(Handle options, Handle) = nullptr;
  int (*create_compiled_model)(Handle environment, Handle model, Handle options, Handle*) = nullptr;
  Destroy destroy_compiled_model = nullptr;
  int (*get_signature)(Handle model, size_t, Handle*) = nullptr;
  int (*get_num_inputs)(Handle signature, size_t*) = nullptr;
  int (*get_num_outputs)(Handle signature, size_t*) = nullptr;
  int (*get_input)(Handle signature, size_t, Handle*) = nullptr;
  int (*get_output)(Handle signature, size_t, Handle*) = nullptr;
  int (*get_ranked_type)(Handle tensor, RankedTensorType*) = nullptr;
  int (*create_buffer)(Handle environment, int, const RankedTensorType*, size_t, Handle*) = nullptr;
  Destroy destroy_buffer = nullptr;
  int (*lock_buffer)(Handle buffer, void**, int) = nullptr;
  int (*unlock_buffer)(Handle buffer) = nullptr;
  int (*run)(Handle compiled, size_t, size_t, Handle*, size_t, Handle*) = nullptr;

  ~Api() {
    if (environment) destroy_environment(environment);
  }

  Status resolve(const Library& library) {
    ZT_TRY(library.find("LiteRtCreateEnvironment", create_environment));
    ZT_TRY(library.find("LiteRtDestroyEnvironment", destroy_environment));
    ZT_TRY(library.find("LiteRtCreateModelFromFile", create_model_from_file));
    ZT_TRY(library.find("LiteRtDestroyModel", destroy_model));
    ZT_TRY(library.find("LiteRtCreateOptions", create_options));
    ZT_TRY(library.find("LiteRtDestroyOptions", destroy_options));
    ZT_TRY(library.find("LiteRtSetOptionsHardwareAccelerators", set_accelerators));
    ZT_TRY(library.find("LiteRtCreateOpaqueOptions", create_opaque_options));
    ZT_TRY(library.find("LiteRtAddOpaqueOptions", add_opaque_options));
    ZT_TRY(library.find("LiteRtCreateCompiledModel", create_compiled_model));
    ZT_TRY(library.find("LiteRtDestroyCompiledModel", destroy_compiled_model));
    ZT_TRY(library.find("LiteRtGetModelSignature", get_signature));
    ZT_TRY(library.find("LiteRtGetNumSignatureInputs", get_num_inputs));
    ZT_TRY(library.find("LiteRtGetNumSignatureOutputs", get_num_outputs));
    ZT_TRY(library.find("LiteRtGetSignatureInputTensorByIndex", get_input));
    ZT_TRY(library.find("LiteRtGetSignatureOutputTensorByIndex", get_output));
    ZT_TRY(library.find("LiteRtGetRankedTensorType", get_ranked_type));
    ZT_TRY(library.find("LiteRtCreateManagedTensorBuffer", create_buffer));
    ZT_TRY(library.find("LiteRtDestroyTensorBuffer", destroy_buffer));
    ZT_TRY(library.find("LiteRtLockTensorBuffer", lock_buffer));
    ZT_TRY(library.find("LiteRtUnlockTensorBuffer", unlock_buffer));
    ZT_TRY(library.find("LiteRtRunCompiledModel", run));
    return {};
  }

  Status check(int status, ErrorCode code, std::string_view doing) const {
    if (status == kOk) return {};
    return fail(code, fmt::format("LiteRT could not {} (status {} of litert_common.h)", doing, status));
  }

  // Options for the CPU with a number of threads. The text is TOML, read by LiteRT's CPU accelerator
  // "xnnpack".
  Result<Owned> cpu_options(int num_threads) const {
    Handle raw = nullptr;
    ZT_TRY(check(create_options(&raw), ErrorCode::Internal, "create options"));
    Owned options(raw, destroy_options);
    ZT_TRY(check(set_accelerators(raw, kCpu), ErrorCode::Internal, "choose the CPU"));
    char* text = ::strdup(fmt::format("num_threads = {}\n", num_threads).c_str());
    Handle opaque = nullptr;
    ZT_TRY(check(create_opaque_options("xnnpack", text, std::free, &opaque), ErrorCode::Internal,
                 "create CPU options"));
    ZT_TRY(check(add_opaque_options(raw, opaque), ErrorCode::Internal, "add CPU options"));
    return options;
  }
};

class LiteRt::Model final : public TfliteModel {
 public:
  Model(std::shared_ptr<LiteRt> runtime, Owned model, Owned compiled)
      : runtime_(std::move(runtime)), model_(std::move(model)), compiled_(std::move(compiled)) {}

  // Learns the shapes and allocates the buffers. Call once, before anything else.
  Status prepare() {
    const Api& api = *runtime_->api_;
    Handle signature = nullptr;
    size_t num_inputs = 0, num_outputs = 0;
    ZT_TRY(
        api.check(api.get_signature(model_.get(), 0, &signature), ErrorCode::Unsupported, "find the graph"));
    ZT_TRY(api.check(api.get_num_inputs(signature, &num_inputs), ErrorCode::Unsupported, "count the inputs"));
    ZT_TRY(
        api.check(api.get_num_outputs(signature, &num_outputs), ErrorCode::Unsupported, "count the outputs"));
    if (num_inputs != 1) {
      return fail(ErrorCode::Unsupported, fmt::format("the model has {} inputs, not 1", num_inputs));
    }
    Handle tensor = nullptr;
    ZT_TRY(api.check(api.get_input(signature, 0, &tensor), ErrorCode::Unsupported, "find the input"));
    ZT_TRY_ASSIGN(input_shape_, add_buffer(tensor));
    for (size_t i = 0; i < num_outputs; ++i) {
      ZT_TRY(api.check(api.get_output(signature, i, &tensor), ErrorCode::Unsupported, "find an output"));
      ZT_TRY_ASSIGN(const auto shape, add_buffer(tensor));
      output_sizes_.push_back(elements(shape));
    }
    return {};
  }

  const std::vector<int64_t>& input_shape() const override { return input_shape_; }
  const std::vector<size_t>& output_sizes() const override { return output_sizes_; }

  Result<std::vector<std::vector<float>>> run(std::span<const float> input) override {
    const Api& api = *runtime_->api_;
    void* memory = nullptr;
    ZT_TRY(api.check(api.lock_buffer(buffers_[0].get(), &memory, kLockForWrite), ErrorCode::Internal,
                     "map the input"));
    std::memcpy(memory, input.data(), std::min(input.size(), elements(input_shape_)) * sizeof(float));
    ZT_TRY(api.check(api.unlock_buffer(buffers_[0].get()), ErrorCode::Internal, "unmap the input"));

    std::vector<Handle> handles;
    for (const Owned& buffer : buffers_) handles.push_back(buffer.get());
    ZT_TRY(api.check(api.run(compiled_.get(), 0, 1, handles.data(), handles.size() - 1, handles.data() + 1),
                     ErrorCode::Internal, "run the model"));

    std::vector<std::vector<float>> outputs;
    for (size_t i = 0; i < output_sizes_.size(); ++i) {
      ZT_TRY(api.check(api.lock_buffer(handles[i + 1], &memory, kLockForRead), ErrorCode::Internal,
                       "map an output"));
      const float* values = static_cast<const float*>(memory);
      outputs.emplace_back(values, values + output_sizes_[i]);
      ZT_TRY(api.check(api.unlock_buffer(handles[i + 1]), ErrorCode::Internal, "unmap an output"));
    }
    return outputs;
  }

 private:
  static size_t elements(const std::vector<int64_t>& shape) {
    return static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
  }

  // A buffer for the tensor; returns its shape.
  Result<std::vector<int64_t>> add_buffer(Handle tensor) {
    const Api& api = *runtime_->api_;
    RankedTensorType type;
    ZT_TRY(api.check(api.get_ranked_type(tensor, &type), ErrorCode::Unsupported, "read a tensor's shape"));
    const std::vector<int64_t> shape(type.dims.begin(), type.dims.begin() + std::min<uint32_t>(type.rank, 8));
    if (type.element_type != kFloat32 ||
        std::any_of(shape.begin(), shape.end(), [](int64_t n) { return n < 1; })) {
      return fail(ErrorCode::Unsupported,
                  "the model has an input or output that is not float32 of a fixed shape");
    }
    Handle buffer = nullptr;
    const size_t bytes = elements(shape) * sizeof(float);
    ZT_TRY(api.check(api.create_buffer(api.environment, kHostMemory, &type, bytes, &buffer),
                     ErrorCode::Exhausted, "allocate a tensor"));
    buffers_.emplace_back(buffer, api.destroy_buffer);
    return shape;
  }

  std::shared_ptr<LiteRt> runtime_;  // shared: the library must outlive every model made by it
  Owned model_;
  Owned compiled_;
  std::vector<Owned> buffers_;  // the input, then the outputs
  std::vector<int64_t> input_shape_;
  std::vector<size_t> output_sizes_;
};

LiteRt::LiteRt(std::unique_ptr<Api> api) : api_(std::move(api)) {}
LiteRt::~LiteRt() = default;

Result<std::shared_ptr<LiteRt>> LiteRt::open(const std::filesystem::path& library) {
  std::error_code ignored;
  if (!std::filesystem::exists(library, ignored)) {
    return fail(ErrorCode::NotFound, fmt::format("{} is not there", library.string()));
  }
  ZT_TRY_ASSIGN(const Library opened, Library::open({library.c_str()},
                                                    "key-points from footage need LiteRT "
                                                    "as scripts/setup installs it"));
  auto api = std::make_unique<Api>();
  ZT_TRY(api->resolve(opened));
  ZT_TRY(api->check(api->create_environment(static_cast<int>(kEnvironmentOptions.size()),
                                            kEnvironmentOptions.data(), &api->environment),
                    ErrorCode::Internal, "start"));
  return std::shared_ptr<LiteRt>(new LiteRt(std::move(api)));
}

Result<std::unique_ptr<TfliteModel>> LiteRt::load(const std::filesystem::path& path, int num_threads) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return fail(ErrorCode::NotFound, fmt::format("{} is not there", path.string()));
  }
  const std::lock_guard lock(api_->load_mutex);
  Handle raw = nullptr;
  ZT_TRY(api_->check(api_->create_model_from_file(api_->environment, path.c_str(), &raw), ErrorCode::Corrupt,
                     fmt::format("read {}", path.string())));
  Owned model(raw, api_->destroy_model);
  ZT_TRY_ASSIGN(const Owned options, api_->cpu_options(num_threads));
  ZT_TRY(api_->check(api_->create_compiled_model(api_->environment, model.get(), options.get(), &raw),
                     ErrorCode::Corrupt, fmt::format("compile {}", path.string())));
  auto result =
      std::make_unique<Model>(shared_from_this(), std::move(model), Owned(raw, api_->destroy_compiled_model));
  if (auto prepared = result->prepare(); !prepared) {
    return fail(std::move(prepared).error().with(fmt::format("while reading {}", path.string())));
  }
  return result;
}

}  // namespace zt::data
