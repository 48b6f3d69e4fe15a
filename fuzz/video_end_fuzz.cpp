// SPDX-License-Identifier: Apache-2.0
// The walk over a film's boxes or chunks that tells whether the file is all there: it must end whatever
// lengths the parts claim, and find nothing but that they are not there.
#include "data/internal/whole_video.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static zt::fuzz::InputFile file("film.mp4");
  constexpr size_t kMost = 4000;  // below what makes it ask a decoder for the last picture
  if (size > kMost) return 0;
  const auto whole = zt::data::internal::require_end(file.write(data, size), /*num_frames=*/1);
  if (!whole) zt::fuzz::expect(whole.error().code == zt::ErrorCode::Corrupt);
  return 0;
}
