// Which renaming makes a checkpoint's tensors those of a target, found from names and shapes alone.
//
// What is tried: the wrappers that libraries put into names (DataParallel and DDP, torch.compile,
// FSDP, activation checkpointing, Lightning, SWA), blocks under other numbers in their order, names
// that are an order alone, gamma and beta for a norm's weight and bias,
// blocks in chunks, parts that one side has more (any prefix, "heads." and "heads.head.",
// "encoder.encoder."), another name for a whole subtree or a classifier, and the tables of the ViT
// family (recognize.h). A renaming is one to one, and every tensor that it moves has the shape of
// its new place. Does not do: fusions outside the ViT family, transposes, other orders of layers.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "samebits/model/repair.h"

namespace samebits::model {

/// More tensors than these are not searched through.
inline constexpr std::size_t kMostSearched = 20000;

struct Renaming {
  Repair repair;
  bool searched = false;               // false: more than kMostSearched tensors
  std::vector<std::string> ambiguous;  // prefixes of the checkpoint that would do as well
};

/// `unfilled[i]`: the loader leaves target i without a value of the checkpoint. No rules where none
/// were found.
Renaming find_renaming(const std::vector<StoredShape>& targets, const std::vector<bool>& unfilled,
                       const std::vector<StoredShape>& tensors);

}  // namespace samebits::model
