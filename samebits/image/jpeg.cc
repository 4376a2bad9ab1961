#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include <jerror.h>

#include <algorithm>
#include <new>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/image/codecs.h"
#include "samebits/image/orientation.h"

namespace samebits {
namespace {

// Coefficients of a progressive file: 250 million pixels of the usual kind.
constexpr long kMostMemory = 768L << 20;

/// libjpeg's state, and where its errors lead. Functions that libjpeg leaves by longjmp hold
/// nothing that needs a destructor.
struct JpegDecoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf out{};
  int most_scans = 1;
  char message[JMSG_LENGTH_MAX] = "";

  JpegDecoder() = default;
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
  ~JpegDecoder() { jpeg_destroy_decompress(&info); }
};

JpegDecoder& decoder_of(j_common_ptr info) { return *static_cast<JpegDecoder*>(info->client_data); }

[[noreturn]] void leave_jpeg(j_common_ptr info) {
  JpegDecoder& decoder = decoder_of(info);
  decoder.errors.format_message(info, decoder.message);
  std::longjmp(decoder.out, 1);
}

// Damaged data are a warning to libjpeg, which fills the rest with gray.
void warn(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR: return;
    default: leave_jpeg(info);
  }
}

void print_no_message(j_common_ptr) {}

void count_scans(j_common_ptr info) {
  JpegDecoder& decoder = decoder_of(info);
  if (decoder.info.input_scan_number <= decoder.most_scans) return;
  std::snprintf(decoder.message, sizeof decoder.message, "more than %d scans of so many pixels",
                decoder.most_scans);
  std::longjmp(decoder.out, 1);
}

bool read_jpeg_header(JpegDecoder& decoder, Bytes bytes) {
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.info.client_data = &decoder;
  decoder.errors.error_exit = leave_jpeg;
  decoder.errors.emit_message = warn;
  decoder.errors.output_message = print_no_message;
  decoder.progress.progress_monitor = count_scans;
  if (setjmp(decoder.out) != 0) return false;
  jpeg_create_decompress(&decoder.info);
  decoder.info.client_data = &decoder;
  decoder.info.progress = &decoder.progress;
  decoder.info.mem->max_memory_to_use = kMostMemory;
  jpeg_mem_src(&decoder.info, bytes.data(), static_cast<unsigned long>(bytes.size()));
  jpeg_save_markers(&decoder.info, JPEG_APP0 + 1, 0xFFFF);
  return jpeg_read_header(&decoder.info, TRUE) == JPEG_HEADER_OK;
}

// Grows `pixels` with what is read: a short file that claims to be large takes little memory.
bool read_jpeg_pixels(JpegDecoder& decoder, std::vector<std::uint8_t>* pixels) {
  if (setjmp(decoder.out) != 0) return false;
  jpeg_start_decompress(&decoder.info);
  const std::size_t stride = std::size_t{decoder.info.output_width} * 3;
  while (decoder.info.output_scanline < decoder.info.output_height) {
    pixels->resize((decoder.info.output_scanline + 1) * stride);
    JSAMPROW row = pixels->data() + decoder.info.output_scanline * stride;
    jpeg_read_scanlines(&decoder.info, &row, 1);
  }
  jpeg_finish_decompress(&decoder.info);
  return true;
}

std::optional<int> jpeg_orientation(const jpeg_decompress_struct& info) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  constexpr std::string_view kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  std::optional<int> by_xmp;
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr;
       marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(kExif)) {
      const auto found =
          exif_orientation(Bytes(marker->data, marker->data_length).subspan(kExif.size()));
      if (found) return found;
    }
    if (data.starts_with(kXmp) && !by_xmp) by_xmp = xmp_orientation(data.substr(kXmp.size()));
  }
  return by_xmp;
}

/// Where memory ran out, that is no fault of the file.
Error damaged_jpeg(const JpegDecoder& decoder, const std::string& file) {
  if (decoder.errors.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
  return {.code = ErrorCode::malformed,
          .what = "the JPEG file is damaged",
          .file = file,
          .found = decoder.message};
}

}  // namespace

Result<StoredImage> decode_jpeg(Bytes bytes, const std::string& file) {
  JpegDecoder decoder;
  if (!read_jpeg_header(decoder, bytes)) return fail(damaged_jpeg(decoder, file));
  const int components = decoder.info.num_components;
  if (components != 1 && components != 3) {
    return fail({.code = ErrorCode::unsupported,
                 .what = "this kind of JPEG file is not covered",
                 .file = file,
                 .expected = "gray or colour",
                 .found = fmt::format("{} channels", components)});
  }
  const std::size_t height = decoder.info.image_height;
  const std::size_t width = decoder.info.image_width;
  SAMEBITS_TRY_VOID(check_image_size(height, width, bytes.size(), file));
  decoder.info.out_color_space = JCS_RGB;
  decoder.most_scans = static_cast<int>(std::min<std::uint64_t>(
      kLimits.image_scans, kLimits.image_scanned_pixels / (height * width)));
  StoredImage stored{{height, width, {}}, jpeg_orientation(decoder.info).value_or(1)};
  if (!read_jpeg_pixels(decoder, &stored.image.pixels)) return fail(damaged_jpeg(decoder, file));
  return stored;
}

}  // namespace samebits
