// How a checkpoint's tensors would have to be renamed, cut or stacked to be a target's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/model/recognize.h"

namespace samebits::model {

/// Where a name begins with `from`, that becomes `to`. "{n}" stands for a number, the same in both
/// (more of them, and what else may stand in `to`: name_rules.h); {"", "vit."} adds a prefix,
/// {"model.", ""} takes one away.
struct RenameRule {
  std::string from, to;
  std::uint32_t count = 0;  // tensors that it renames
};

/// The name after the first rule that fits it; unchanged where none does.
std::string apply_rules(const std::vector<RenameRule>& rules, std::string_view name);

/// Along dimension 0: one tensor is cut into equal pieces, or several are stacked. Templates, as in
/// RenameRule.
struct Refit {
  std::vector<std::string> from, to;  // one of them has one name
  std::uint32_t count = 0;
};

struct Repair {
  std::vector<RenameRule> rules;  // in the order in which to try them, the most specific first
  std::vector<Refit> refits;
  std::vector<std::string> restored;  // targets that have a value with these, and had none before
};

/// Source of one target: pieces of the checkpoint to stack along dimension 0, one as a rule. Empty
/// where the checkpoint has nothing for it, or something of another shape.
using Source = std::vector<Piece>;
std::vector<Source> sources_of(const std::vector<TensorSpec>& targets,
                               const Recognition& recognition,
                               const std::vector<StoredShape>& tensors);

/// Rules that give every tensor with a place in `targets` its name there. `unfilled[i]`: the loader
/// leaves target i without the checkpoint's value. Empty where nothing would be restored.
Repair suggest_repair(const std::vector<TensorSpec>& targets, const std::vector<bool>& unfilled,
                      const Recognition& recognition, const std::vector<StoredShape>& tensors);

}  // namespace samebits::model
