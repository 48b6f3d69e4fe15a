// SPDX-License-Identifier: Apache-2.0
// Entries of the cache: the input as it stands, and again with the checksum that its payload should have, so
// that what is behind the checksum is reached too. An entry is good only if it is byte for byte what we
// write.
#include <algorithm>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "data/internal/cache_entry.hpp"
#include "input.hpp"

namespace {

using zt::data::internal::kEntryHeaderBytes;
const std::string kKey(32, 'a');

void read(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  const auto entry = zt::data::internal::read_entry(path, kKey);
  if (entry.state != zt::data::internal::EntryState::Good) return;
  zt::fuzz::expect(bytes.size() == kEntryHeaderBytes + entry.payload.size());
  zt::fuzz::expect(std::ranges::equal(std::as_bytes(bytes).subspan(kEntryHeaderBytes), entry.payload));
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static zt::fuzz::InputFile file("entry");
  read(file.write(data, size), {data, size});
  if (size < kEntryHeaderBytes) return 0;
  std::vector<uint8_t> mended(data, data + size);
  const std::string keyed = kKey + std::string(zt::fuzz::text_of(data, size).substr(kEntryHeaderBytes));
  const std::string sum = zt::hash::xxh128_hex(std::as_bytes(std::span(keyed)));
  std::ranges::copy(sum, mended.begin() + 16);
  read(file.write(mended.data(), mended.size()), mended);
  return 0;
}
