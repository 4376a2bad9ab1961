// Shards of a directory that lost one another: files that an index does not name, and shards
// without an index.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "samebits/checkpoint/shards.h"

namespace samebits {

/// "model-00001-of-00003.safetensors" and its kin, without "model.safetensors.index.json".
struct ShardSeries {
  std::string stem, extension;               // "model", ".safetensors"
  std::string total;                         // "00003"
  std::vector<std::string> present, absent;  // files, in order

  std::size_t count() const { return present.size() + absent.size(); }
  std::string name() const;        // "model-*-of-00003.safetensors"
  std::string index_name() const;  // "model.safetensors.index.json"
};

/// The one series of the directory; nothing where there are several, or an index.
std::optional<ShardSeries> find_series(const std::string& directory);

/// The file of weights in the directory that is none of `shards` and holds most of the tensors
/// `names`, and how many; "" where none holds any. Looks at 32 files.
std::pair<std::string, std::size_t> find_orphan(const std::string& directory,
                                                const std::set<std::string>& names,
                                                const ShardNames& shards);

}  // namespace samebits
