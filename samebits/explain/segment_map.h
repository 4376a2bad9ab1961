// The segments of one side of a comparison, by the names of its tensors.
//
// Only for segments_of() in segments.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "samebits/compare/name_pieces.h"
#include "samebits/explain/segments.h"

namespace samebits {

/// Where a name stands in its model.
struct SegmentPlace {
  SegmentKind kind = SegmentKind::other;
  std::string path;          // ends with a dot: of a block what stands in front of its number
  std::int64_t number = -1;  // of a block
  bool recurrent = false;    // a layer of a module that holds several
  bool decoder = false;
  bool end = false;  // a module behind the blocks beside which it stands

  /// "vit.layers.3"; of no block its path.
  std::string name() const;
};

/// The place of every name. At most a few hundred segments are no blocks: more modules beside the
/// blocks are one.
class SegmentMap {
 public:
  explicit SegmentMap(const std::vector<std::string>& names_as_written);

  std::size_t of(std::size_t name) const { return segment_of_[name]; }
  const std::vector<SegmentPlace>& places() const { return places_; }
  /// The segment's name: "vit.layers.3", "vit.embeddings".
  const std::string& shown(std::size_t segment) const { return shown_[segment]; }

 private:
  void note_containers(const std::vector<std::string>& names,
                       const std::vector<SegmentPlace>& found);
  void note_prefixes(const std::string& path);
  std::string module_of(const Pieces& pieces) const;
  void add(SegmentPlace place);
  void name_embeddings(const std::vector<std::string>& names);

  std::vector<SegmentPlace> places_;
  std::vector<std::string> shown_;
  std::vector<std::size_t> segment_of_;
  std::unordered_map<std::string, std::size_t> index_;
  std::unordered_set<std::string> containers_;  // beginnings of names below which modules stand
};

}  // namespace samebits
