// SPDX-License-Identifier: Apache-2.0
// Files and expected pictures: Pillow and OpenCV (testdata/make_golden.py).
#include "image/file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "support/golden_image.hpp"
#include "support/temp_folder.hpp"

namespace zt::image {
namespace {

using ::testing::HasSubstr;

const test::Golden& golden() {
  static const test::Golden loaded(ZT_SOURCE_DIR "/src/image/testdata/files.golden");
  return loaded;
}

std::vector<std::byte> file_bytes(const std::string& name) {
  return golden().values<std::byte>(name + ".file");
}

Result<Image> decode_named(const std::string& name, const ReadOptions& options = {}) {
  return decode(file_bytes(name), name, options);
}

class DecodedFile : public ::testing::TestWithParam<const char*> {};

TEST_P(DecodedFile, EqualsPilConvertedToRgb) {
  const auto found = decode_named(GetParam());

  ASSERT_TRUE(found) << found.error().text();
  EXPECT_TRUE(test::same_picture(*found, test::golden_image(golden(), std::string(GetParam()) + ".rgb")));
}

INSTANTIATE_TEST_SUITE_P(AllKinds, DecodedFile,
                         ::testing::Values("png_rgb", "png_grey", "png_grey_alpha", "png_rgba", "png_bilevel",
                                           "png_palette", "png_palette_transparent", "png_rgb16",
                                           "png_grey16", "png_exif6", "jpeg_rgb", "jpeg_progressive",
                                           "jpeg_grey", "jpeg_cmyk", "jpeg_exif6", "webp_lossless",
                                           "webp_lossy", "webp_rgba", "webp_exif6"),
                         [](const auto& file) { return std::string(file.param); });

TEST(PictureFile, ExifOrientationIsAppliedOnlyOnRequest) {
  for (const std::string kind : {"png", "jpeg", "webp"}) {
    const Image stored = test::golden_image(golden(), kind + "_exif6.rgb");

    const auto turned = decode_named(kind + "_exif6", {.apply_exif_orientation = true});

    ASSERT_TRUE(turned) << turned.error().text();
    EXPECT_EQ(*turned, oriented(stored, Orientation::Rotate90)) << kind;
  }
}

TEST(PictureFile, TransparencyIsLaidOverTheBackgroundOnRequest) {
  const auto found = decode_named("png_rgba", {.background = kWhite});

  ASSERT_TRUE(found);
  EXPECT_TRUE(
      test::same_picture(*found, test::golden_image(golden(), "over_white"), 1));  // PIL rounds otherwise
}

TEST(PictureFile, AFileCutAnywhereIsAnErrorAndNeverAPicture) {
  for (const std::string name :
       {"png_rgb", "png_palette", "jpeg_rgb", "jpeg_progressive", "webp_lossless", "webp_lossy"}) {
    const auto bytes = file_bytes(name);
    // The last bytes of PNG (IEND, end of IDAT) and JPEG (EOI) carry no pixels; 40 short of the end all are
    // incomplete.
    for (size_t length = 0; length + 40 < bytes.size(); length += 7) {
      const auto found = decode(std::span(bytes).first(length), name);

      ASSERT_FALSE(found) << name << " cut at " << length;
      EXPECT_THAT(found.error().message, HasSubstr(name));
    }
  }
}

TEST(PictureFile, MessagesSayWhereTheDamageIs) {
  const auto png = file_bytes("png_rgb");
  const auto jpeg = file_bytes("jpeg_rgb");

  EXPECT_THAT(decode(std::span(png).first(png.size() / 2), "a.png").error().message,
              ::testing::MatchesRegex(
                  "PNG picture a\\.png is damaged after row [0-9]+ of 29: .*the file ends early"));
  EXPECT_THAT(decode(std::span(jpeg).first(jpeg.size() - 200), "a.jpg").error().message,
              ::testing::MatchesRegex(
                  "JPEG picture a\\.jpg is damaged after row [0-9]+ of 29: Premature end of JPEG file"));
}

TEST(PictureFile, FlippedBytesNeverCrash) {
  for (const std::string name :
       {"png_palette", "png_rgba", "jpeg_rgb", "jpeg_cmyk", "jpeg_exif6", "webp_lossy", "webp_exif6"}) {
    const auto bytes = file_bytes(name);
    for (size_t at = 0; at < bytes.size(); at += 3) {
      auto damaged = bytes;
      damaged[at] ^= std::byte{0xff};

      const auto found = decode(damaged, name, {.max_pixels = 1 << 20, .apply_exif_orientation = true});

      EXPECT_TRUE(!found || !found->empty());
    }
  }
}

TEST(PictureFile, LimitsAreCheckedBeforeMemoryIsTaken) {
  // A PNG header that claims 2^31 - 1 squared; its checksum is right.
  auto bytes = file_bytes("png_rgb");
  const unsigned char header[] = {0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 8,
                                  2,    0,    0,    0,    0x9b, 0xab, 0x9c, 0x31};
  std::memcpy(bytes.data() + 16, header, sizeof header);
  const auto huge = decode(bytes, "huge.png");
  const auto above = decode_named("jpeg_rgb", {.max_pixels = 37 * 29 - 1});

  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code, ErrorCode::Unsupported) << huge.error().message;
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().code, ErrorCode::Unsupported);
  EXPECT_THAT(above.error().message, HasSubstr("37 x 29 pixels, more than the limit of 1072"));
}

TEST(PictureFile, OtherFilesAreNamedAsUnsupported) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "a.png", std::string_view("GIF89a")));
  ASSERT_TRUE(files::write_atomic(folder / "empty.png", std::string_view()));

  EXPECT_EQ(read(folder / "a.png").error().code, ErrorCode::Unsupported);
  EXPECT_EQ(read(folder / "empty.png").error().code, ErrorCode::Corrupt);
  EXPECT_EQ(read(folder / "none.png").error().code, ErrorCode::NotFound);
  EXPECT_EQ(decode_named("webp_animated").error().code, ErrorCode::Unsupported);
  EXPECT_THAT(decode_named("webp_animated").error().message, HasSubstr("animated"));
}

TEST(PictureFile, PngRoundTripKeepsEveryPixelAndIsDeterministic) {
  const test::TempFolder folder;
  const Image colour = test::golden_image(golden(), "png_rgb.rgb");
  Image grey(5, 4, 1);
  grey.at(3, 2)[0] = 200;

  ASSERT_TRUE(write_png(folder / "colour.png", colour));
  ASSERT_TRUE(write_png(folder / "grey.png", grey));

  EXPECT_EQ(*read(folder / "colour.png"), colour);
  EXPECT_EQ(read(folder / "grey.png")->at(3, 2)[1], 200);  // read as RGB
  EXPECT_EQ(*encode_png(colour), *encode_png(colour));
  EXPECT_FALSE(encode_png(Image()));
}

TEST(PictureFile, JpegRoundTripIsNear) {
  const Image colour = test::golden_image(golden(), "png_rgb.rgb");

  const auto bytes = encode_jpeg(colour, 95);

  ASSERT_TRUE(bytes);
  EXPECT_TRUE(test::same_picture(*decode(*bytes, "a"), colour, 8));
  EXPECT_EQ(encode_jpeg(colour, 101).error().code, ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace zt::image
