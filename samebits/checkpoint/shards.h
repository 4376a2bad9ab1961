// What from_pretrained makes of shards and their index, where these do not agree.
//
// Source: transformers 5.24.0 and 4.57.6 (modeling_utils.py): the index only says which files to
// read; every tensor of each of them is loaded, in the order of the files' names, so that the last
// one of a name counts, wherever the index puts it. 4.57.6 takes a tensor that the index does not
// name for missing.
#pragma once

#include <map>
#include <set>
#include <string>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// File -> the names that the index expects there.
using ShardNames = std::map<std::string, std::set<std::string>>;

/// "model.safetensors.index.fp16.json": shards that save_pretrained wrote with variant="fp16".
bool is_variant_index(const std::string& name);
/// "pytorch_model.fp16.bin": one file of a variant.
bool is_variant_bin(const std::string& name);
bool is_index(const std::string& name);

/// An entry for a tensor whose bytes are nowhere.
void add_unreadable_tensor(Checkpoint& checkpoint, const std::string& name);

/// Of one type and shape, and the first elements are equal: what can be seen in milliseconds.
bool begin_alike(const StoredTensor& a, const StoredTensor& b);

/// True where shapes, types and bytes are equal; false where one cannot be read.
bool have_equal_values(const StoredTensor& a, const StoredTensor& b);

/// Used once all shards are among the entries of `checkpoint`, in the order of their names.
class ShardReport {
 public:
  ShardReport(Checkpoint& checkpoint, const std::string& directory)
      : out_(checkpoint), directory_(directory) {}

  /// Oddities `incomplete`: tensors in another shard than the index says or that it does not name,
  /// shards in the folder that it does not name; `refused`: an index that the loader cannot use.
  /// Tensors of the index that no shard holds go to `unread`.
  void check_index(const Json& index, const std::string& index_name, const ShardNames& shards);
  /// Of two entries with one name the earlier is taken out; an oddity says so where they differ.
  void take_last_of_doubled();

 private:
  void add(Oddity::Kind kind, std::string summary, std::string tensor, std::string remedy = "");
  /// `lost`: tensors of the index that no shard of it holds, which a stray may.
  void find_strays(const ShardNames& shards, const std::set<std::string>& lost);
  std::string file_name(std::uint32_t file) const;

  Checkpoint& out_;
  const std::string& directory_;
};

}  // namespace samebits
