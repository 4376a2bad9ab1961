// Every bound on what a file may ask of this program, in one place, each with its reason.
//
// The sum of them bounds memory: what is allocated for a file is at most 64 MiB plus 40 times the
// bytes of its pickles, headers and indexes, and never depends on sizes that the file only claims.
// Elements that views describe are read in pieces, and pictures have their own bounds. Weights that
// lie in pieces, and blocks that stand for numbers, are put together in memory.
#pragma once

#include <cstdint>

namespace samebits {

struct Limits {
  // Of a model that is only described: the widest transformers have 2e4, their perceptrons four
  // times that, the deepest ViT published has 48 blocks, the largest classifiers know 1e6 faces.
  std::uint64_t model_width = 65'536;
  std::uint64_t model_inner_width = 1'048'576;
  std::uint64_t model_layers = 4096;
  std::uint64_t classes = 10'000'000;
  // Sides of images that configs and image processors ask for: ViTs are made for up to 2048 pixels.
  // Pixels of a picture on its way into a model: as floats they take 200 MB.
  std::uint64_t image_side = 4096;
  std::uint64_t prepared_pixels = 4096ull * 4096;
  std::uint64_t image_channels = 4096;  // hyperspectral images have 500
  // Tokens of one image, each of which looks at all: 2048 x 2048 pixels in patches of 8 are 65536.
  std::uint64_t tokens = 1 << 17;
  // Numbers of one input, or of the noise for it: 4 GiB of floats, 7000 images of 224 x 224.
  std::uint64_t input_values = 1ull << 30;
  // Of a decoded picture: where Pillow stops as well (twice its MAX_IMAGE_PIXELS).
  std::uint64_t image_pixels = 178'956'970;
  // And no more than this, and so many for each byte of its file, since pixels that are all alike
  // cost a file nothing: a JPEG that is all black has 170 to a byte, photographs have under 50.
  std::uint64_t image_free_pixels = 1 << 25;
  std::uint64_t image_pixels_per_byte = 200;
  // Of one side of it: a decoder does some work for every row, an interlaced PNG seven times. JPEG
  // ends at 65535; the widest panoramas that are no tiles stay below this.
  std::uint64_t decoded_side = 1 << 18;
  // Scans of a progressive JPEG, times its pixels: each may say the same again. jpegtran writes 10,
  // the finest scripts 60; 12 megapixels may have 238.
  std::uint64_t image_scans = 500;
  std::uint64_t image_scanned_pixels = 16 * 178'956'970ull;
  // A real ViT whole-module pickle makes 2e4 nodes, the largest training states seen 1e6.
  // One node takes at most 100 bytes: 4e6 of them stay under 400 MB in the worst file.
  std::uint64_t pickle_nodes = 4'000'000;
  // Python's own unpickler is limited by memory alone; real files stay under 1e4.
  std::uint64_t pickle_stack = 1'000'000;
  // Longest int as text or LONG4; Python's own limit for text is 4300 digits.
  std::uint64_t pickle_integer_bytes = 1 << 16;
  // Nesting of the tree that a consumer walks. nn.Module trees are under 50 deep.
  std::uint32_t tree_depth = 200;
  // Steps of one walk over a pickle's tree: shared nodes may be visited many times, this many at
  // most.
  std::uint64_t tree_visits = 5'000'000;
  // Tensors of one file: the largest optimizer states have 1e5.
  std::uint64_t tree_entries = 1'000'000;
  // Tensors, and modules, beyond one for each node of the pickle: a pickle lists a node again and
  // again for two bytes. Each tensor that is none of these has 8 nodes, each module 20; weights
  // that share modules reach 1000.
  std::uint64_t tree_repeats = 20'000;
  // Characters of a tensor's or module's path: real ones have up to 300.
  std::uint64_t path_characters = 4096;
  // Names and texts of all modules of a pickle together: this, and so many for each of its nodes.
  std::uint64_t module_characters = 16 << 20;
  std::uint64_t module_characters_per_node = 100;
  // Entries of a zip or tar directory: a sharded optimizer state has 1e4 storages.
  std::uint64_t archive_entries = 1'000'000;
  // A deflated record may grow by at most this factor and to this size: deflate's own maximum
  // is 1032, real pickles reach 20.
  std::uint64_t inflate_factor = 1032;
  std::uint64_t inflate_bytes = 64ull << 20;
  // All deflated records of one archive together: this, and 40 times the archive. torch.save and
  // numpy.savez deflate nothing, savez_compressed reaches a factor of 10 with arrays of zeros.
  std::uint64_t inflate_total = 64ull << 20;
  std::uint64_t inflate_total_factor = 40;
  // The reference implementation's own cap on a safetensors header.
  std::uint64_t safetensors_header = 100'000'000;
  // config.json and index.json: the largest index on record has 13 MB.
  std::uint64_t json_bytes = 100'000'000;
  std::uint32_t json_depth = 200;
  // serde_json's own limit, which the reference implementation of safetensors inherits.
  std::uint32_t safetensors_depth = 127;
  // Tensors, and metadata entries, of one safetensors header: the largest model has 1e5.
  std::uint64_t safetensors_entries = 1'000'000;
  // What the tensors of a torch file describe together: this, and 40 times the file, however they
  // see their storages (torch's expand, overlapping strides, many views of one storage), which
  // cost the file nothing and its reader everything. Tied weights count once. Without views a
  // file describes at most itself; one that keeps a flat buffer, its parts and their transposes
  // reaches 3; expanded masks alone in their file stay under 64 MiB.
  std::uint64_t described_bytes = 64ull << 20;
  std::uint64_t described_factor = 40;
  // What `inspect` reads in depth without being asked: so much takes some hundredths of a second.
  std::uint64_t read_unasked = 64'000'000;
  // Blocks of narrow integers that are read as float32, of one GGUF file: a vision tower of a
  // billion parameters. They take 19 times their bytes at most.
  std::uint64_t dequantized_bytes = 4ull << 30;
  // Pickles beside the weights of a directory that are read for what they would call: a training on
  // a thousand devices leaves a generator state of each.
  std::uint64_t side_files = 2'000;
  // Dimensions of a tensor: torch's own limit is 64.
  std::uint32_t dimensions = 64;
};

inline constexpr Limits kLimits{};

}  // namespace samebits
