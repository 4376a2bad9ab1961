// Every bound on what a file may ask of this program, in one place, each with its reason.
//
// The sum of them bounds memory: what is allocated for a file is at most 64 MiB plus 40 times the
// bytes of its pickles, headers and indexes, and never depends on sizes that the file only claims.
#pragma once

#include <cstdint>

namespace samebits {

struct Limits {
  // Of a decoded picture: where Pillow stops as well (twice its MAX_IMAGE_PIXELS).
  std::uint64_t image_pixels = 178'956'970;
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
  // Bytes of a view that repeats its storage by small strides (torch's expand): it costs the file
  // nothing and its reader everything. Expanded masks stay under 100 MB.
  std::uint64_t repeated_bytes = 1ull << 30;
  // Pickles beside the weights of a directory that are read for what they would call: a training on
  // a thousand devices leaves a generator state of each.
  std::uint64_t side_files = 2'000;
  // Dimensions of a tensor: torch's own limit is 64.
  std::uint32_t dimensions = 64;
};

inline constexpr Limits kLimits{};

}  // namespace samebits
