// Which module of B a module of A is, by the tensors in both that are known to belong together.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "samebits/compare/rename_rules.h"

namespace samebits {

/// "encoder.layer.0.norm1.bias" and "layers.0.ln.bias" say that "encoder.layer.0.norm1." is
/// "layers.0.ln.". Where all that the names end with is the same further on, so are the modules
/// around: "h.0.mlp.fc.weight" and "blocks.0.mlp.fc.weight" speak of three.
class ModulePartners {
 public:
  void learn(const std::vector<NamePair>& examples);
  /// The name in B by the innermost module around it that has one partner, in which the tensor has
  /// the same place; nothing where there is none.
  std::optional<std::string> name_of(std::string_view name) const;

 private:
  // By paths of A with their dots; "" of B: the pairs do not agree. The root is " ".
  std::unordered_map<std::string, std::string> partners_;
};

}  // namespace samebits
