// The segments of a model: its blocks one by one, and what stands in front of them and behind
// them; and how far each of them is from its partner.
//
// Made of a comparison and of names alone: a block is what shares a path and the first number in
// it ("vit.layers.3"), other segments are modules beside the blocks. The words that put embeddings
// in front and heads behind stand in family/segment_words.h. Segments have A's names; those that
// only B has take the names of B.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace samebits {

struct Report;
struct TensorMatch;
struct WeightPair;

enum class SegmentKind : std::uint8_t { embeddings, block, other, head };
const char* segment_kind_name(SegmentKind kind);

/// The worst that is so of one of its tensors, but for `only_a` and `only_b`, which hold for all.
enum class SegmentStatus : std::uint8_t {
  identical,     // bit for bit, or equal as numbers
  rounded,       // B's are A's rounded, or A's are B's
  more_in_a,     // the others are equal, and A has more tensors
  more_in_b,     // or B
  exchanged,     // in another one's place, or in another order
  changed,       // other values
  unlike,        // no numbers to compare: another shape, type or scale, or unpaired on both sides
  not_finite,    // NaN or infinite on one side alone
  only_a,        // nothing of it is in B
  only_b,        // or in A
  not_compared,  // the file's values could not be read
};
const char* segment_status_name(SegmentStatus status);
/// What a match makes of the segments of its tensors.
SegmentStatus status_of_match(const TensorMatch& match);

struct Segment {
  std::string name;  // "vit.layers.3", "classifier"
  SegmentKind kind = SegmentKind::other;
  std::string stack;         // of a block: the path in front of its number, "vit.layers"
  std::int64_t number = -1;  // of a block
  /// A block of B that has no partner, and whose number is another block's in A: it stands behind
  /// the partner of the block that is in front of it in B.
  bool inserted = false;
  SegmentStatus status = SegmentStatus::identical;
  /// Of all its tensors whose values differ and have numbers: norm of B - A over norm of A, taken
  /// together. Nothing where there are none; infinite where A's are zero.
  std::optional<double> relative;
  /// Of the single tensors among these, the smallest and the largest; infinite ones apart.
  std::optional<double> least, most;
  std::uint64_t from_zero = 0;  // tensors whose relative change is infinite
  std::uint64_t tensors = 0;    // of A, and those that only B has
  std::uint64_t changed = 0;    // whose values differ
  std::uint64_t only_a = 0, only_b = 0;
};

/// In the order of a forward pass as far as names show it: embeddings, blocks and what stands
/// beside them, a decoder's, heads. Empty where a side has no weights.
std::vector<Segment> segments_of(const Report& report, const WeightPair& pair);

}  // namespace samebits
