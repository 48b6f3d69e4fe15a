// SPDX-License-Identifier: Apache-2.0
// See lent_memory.hpp.
#include "params/lent_memory.hpp"

#include <ATen/ATen.h>
#include <c10/core/StorageImpl.h>

#include <utility>

#include "tensor/require.hpp"

namespace zt::params {
namespace {

/// Not in libtorch 2.11, where a message once set would stay: access to what is not there isn't caught then.
template <class Storage>
constexpr bool kHasMessages = requires(Storage& storage) {
  storage.clear_data_ptr_access_error_msg_();
};

template <class Storage>
void clear_message(Storage& storage) {
  if constexpr (kHasMessages<Storage>) storage.clear_data_ptr_access_error_msg_();
}

template <class Storage>
void set_message(Storage& storage, std::string message) {
  if constexpr (kHasMessages<Storage>)
    storage.release_data_and_set_meta_custom_data_ptr_error_msg_(std::move(message));
}

}  // namespace

at::Tensor lent_tensor(int64_t elements, const at::TensorOptions& options, const std::string& what) {
  const at::Tensor flat = at::empty({0}, options);
  const auto bytes = static_cast<size_t>(elements) * flat.element_size();
  const auto storage = c10::make_intrusive<c10::StorageImpl>(c10::StorageImpl::use_byte_size_t(), bytes,
                                                             at::DataPtr(nullptr, flat.device()),
                                                             /*allocator=*/nullptr, /*resizable=*/false);
  flat.set_(c10::Storage(storage), /*storage_offset=*/0, {elements}, {1});
  take_back(flat, what);
  return flat;
}

void lend(const at::Tensor& flat, const at::Tensor& memory) {
  ZT_REQUIRE(memory.nbytes() == flat.nbytes() && memory.device() == flat.device() && memory.is_contiguous(),
             "wanted memory like ", flat, ", got ", memory);
  c10::StorageImpl* storage = flat.storage().unsafeGetStorageImpl();
  clear_message(*storage);
  storage->set_data_ptr_noswap(at::DataPtr(memory.data_ptr(), memory.device()));
}

void take_back(const at::Tensor& flat, const std::string& what) {
  c10::StorageImpl* storage = flat.storage().unsafeGetStorageImpl();
  storage->set_data_ptr_noswap(at::DataPtr(nullptr, flat.device()));
  set_message(*storage, what + " are not in memory now");
}

}  // namespace zt::params
