#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "samebits/image/codecs.h"
#include "samebits/image/orientation.h"

namespace samebits {
namespace {

/// libpng's state, and where its errors lead. Functions that libpng leaves by longjmp hold nothing
/// that needs a destructor.
struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  Bytes bytes;
  std::size_t at = 0;
  bool ended = false;      // the file is shorter than it says
  bool no_memory = false;  // the system gave none
  bool texts_cut = false;  // its texts are more than libpng was allowed to keep
  char message[128] = "";

  explicit Decoder(Bytes data) : bytes(data) {}
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void leave(png_structp png, png_const_charp text) {
  auto& decoder = *static_cast<Decoder*>(png_get_error_ptr(png));
  std::strncpy(decoder.message, text, sizeof decoder.message - 1);
  png_longjmp(png, 1);
}

// Warnings are no errors to Pillow either, but for these, with which libpng leaves out a text.
void note_warning(png_structp png, png_const_charp text) {
  const std::string_view message = text;
  const bool cut = message.ends_with("no space in chunk cache") ||
                   (message.find("TXt: ") == 1 && message.ends_with("truncated"));
  if (cut) static_cast<Decoder*>(png_get_error_ptr(png))->texts_cut = true;
}

void read_bytes(png_structp png, png_bytep out, std::size_t count) {
  auto& decoder = *static_cast<Decoder*>(png_get_io_ptr(png));
  if (decoder.bytes.size() - decoder.at < count) {
    decoder.ended = true;
    png_error(png, "the file ends too early");
  }
  std::memcpy(out, decoder.bytes.data() + decoder.at, count);
  decoder.at += count;
}

png_voidp allocate(png_structp png, png_alloc_size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) static_cast<Decoder*>(png_get_mem_ptr(png))->no_memory = true;
  return memory;
}

void release(png_structp, png_voidp memory) { std::free(memory); }

bool read_header(Decoder& decoder) {
  decoder.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &decoder, leave, note_warning,
                                         &decoder, allocate, release);
  if (decoder.png == nullptr) return false;
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  decoder.info = png_create_info_struct(decoder.png);
  if (decoder.info == nullptr) return false;
  png_set_read_fn(decoder.png, &decoder, read_bytes);
  png_set_user_limits(decoder.png, 0x7FFFFFFF, 0x7FFFFFFF);  // check_image_size() decides
  // Pillow's bounds on texts are a mebibyte each, and 64 together.
  png_set_chunk_malloc_max(decoder.png, 1 << 20);
  png_set_chunk_cache_max(decoder.png, 66);  // two more than chunks
  // Exif is found by find_exif(): libpng makes room for as much as the chunk claims. Colour
  // profiles and palettes that are only proposed are not used.
  const png_byte unused[] = {'e', 'X', 'I', 'f', 0, 'i', 'C', 'C', 'P', 0, 's', 'P', 'L', 'T', 0};
  png_set_keep_unknown_chunks(decoder.png, PNG_HANDLE_CHUNK_NEVER, unused, 3);
  png_read_info(decoder.png, decoder.info);
  return true;
}

// Colours as they are stored: neither gamma nor transparency is applied, as in Pillow.
bool read_pixels(Decoder& decoder, png_bytepp rows) {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  png_set_expand(decoder.png);
  png_set_strip_16(decoder.png);
  png_set_strip_alpha(decoder.png);
  png_set_gray_to_rgb(decoder.png);
  png_read_image(decoder.png, rows);
  png_read_end(decoder.png, decoder.info);
  return true;
}

// The texts that Pillow reads: XMP, and a profile that ImageMagick writes in place of eXIf.
struct Texts {
  std::string_view xmp;
  bool raw_profile = false;
};

Texts texts_of(const Decoder& decoder) {
  Texts found;
  png_textp texts = nullptr;
  const int count = static_cast<int>(png_get_text(decoder.png, decoder.info, &texts, nullptr));
  for (int i = 0; i < count; ++i) {
    const std::string_view key = texts[i].key;
    const bool international = texts[i].compression >= PNG_ITXT_COMPRESSION_NONE;
    const std::size_t size = international ? texts[i].itxt_length : texts[i].text_length;
    if (key == "XML:com.adobe.xmp") found.xmp = {texts[i].text, size};
    if (key == "Raw profile type exif") found.raw_profile = true;
  }
  return found;
}

Result<int> orientation_of(const Decoder& decoder, Bytes exif, const std::string& file) {
  if (const auto found = exif_orientation(exif)) return *found;
  if (decoder.texts_cut) {
    return fail({.code = ErrorCode::limit,
                 .what = "the texts in the PNG file are too large; Pillow does not read it either",
                 .file = file,
                 .expected = "texts of at most 1 MiB, and at most 64",
                 .hint = "Save it again without its texts"});
  }
  const Texts texts = texts_of(decoder);
  if (texts.raw_profile && exif.empty()) {
    return fail({.code = ErrorCode::unsupported,
                 .what = "its EXIF data stand in a text chunk, which is not covered",
                 .file = file,
                 .hint = "Save it again, with an eXIf chunk or without EXIF data"});
  }
  return xmp_orientation(texts.xmp).value_or(1);
}

/// Data of the eXIf chunk, empty where there is none. Every chunk is length, type, data, checksum.
/// Errors: truncated where a chunk claims more than the file has.
Result<Bytes> find_exif(Bytes bytes, const std::string& file) {
  constexpr std::size_t kSignature = 8;
  constexpr std::size_t kFrame = 12;
  Bytes exif;
  for (std::size_t at = kSignature; at < bytes.size();) {
    const Bytes rest = bytes.subspan(at);
    const std::size_t length = rest.size() < kFrame ? 0 : png_get_uint_32(rest.data());
    if (rest.size() < kFrame || length > rest.size() - kFrame) {
      return fail({.code = ErrorCode::truncated,
                   .what = "the PNG file ends inside a chunk",
                   .file = file,
                   .offset = at,
                   .expected = fmt::format("{} bytes", length + kFrame),
                   .found = fmt::format("{} bytes", rest.size())});
    }
    if (std::memcmp(rest.data() + 4, "IEND", 4) == 0) break;
    if (std::memcmp(rest.data() + 4, "eXIf", 4) == 0) exif = rest.subspan(8, length);
    at += kFrame + length;
  }
  return exif;
}

/// Where memory ran out, that is no fault of the file.
Error damaged(const Decoder& decoder, const std::string& file) {
  if (decoder.no_memory) throw std::bad_alloc();
  return {.code = decoder.ended ? ErrorCode::truncated : ErrorCode::malformed,
          .what = "the PNG file is damaged",
          .file = file,
          .found = decoder.message};
}

}  // namespace

Result<StoredImage> decode_png(Bytes bytes, const std::string& file) {
  SAMEBITS_TRY(const Bytes exif, find_exif(bytes, file));
  Decoder decoder(bytes);
  if (!read_header(decoder)) return fail(damaged(decoder, file));
  const std::size_t height = png_get_image_height(decoder.png, decoder.info);
  const std::size_t width = png_get_image_width(decoder.png, decoder.info);
  SAMEBITS_TRY_VOID(check_image_size(height, width, bytes.size(), file));
  if (png_get_bit_depth(decoder.png, decoder.info) == 16 &&
      png_get_color_type(decoder.png, decoder.info) == PNG_COLOR_TYPE_GRAY) {
    return fail({.code = ErrorCode::unsupported,
                 .what = "this kind of PNG file is not covered",
                 .file = file,
                 .expected = "8 bits a channel, or colours",
                 .found = "gray of 16 bits"});
  }
  // Deflate shrinks to a thousandth at best: what cannot be there is not made room for.
  constexpr std::size_t kMostInflation = 1040;
  const std::size_t row = png_get_rowbytes(decoder.png, decoder.info);
  if (row > kMostInflation * bytes.size() / height) {
    return fail({.code = ErrorCode::truncated,
                 .what = "the PNG file is too short for its size in pixels",
                 .file = file,
                 .expected = fmt::format("{} x {} pixels", width, height),
                 .found = fmt::format("{} bytes", bytes.size())});
  }
  StoredImage stored{{height, width, {}}, 1};
  stored.image.pixels.resize(height * width * 3);
  std::vector<png_bytep> rows;
  for (std::size_t y = 0; y < height; ++y)
    rows.push_back(stored.image.pixels.data() + y * width * 3);
  if (!read_pixels(decoder, rows.data())) return fail(damaged(decoder, file));
  SAMEBITS_TRY(stored.orientation, orientation_of(decoder, exif, file));
  return stored;
}

}  // namespace samebits
