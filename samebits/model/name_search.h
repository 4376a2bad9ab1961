// The steps of find_renaming.cc that look at names.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/model/recognize.h"

namespace samebits::model {

/// The name without what wrappers put into it, a norm's gamma and beta as weight and bias.
std::string unwrapped(std::string_view name);

/// Every "P.chunk.block." as "P.i.", blocks counted through, where all names below P have both
/// numbers.
std::vector<std::string> without_chunks(const std::vector<std::string>& names);

/// Every number of a block by its rank in its list: of blocks 1, 3 and 5 "layers.3." is
/// "layers.1.".
std::vector<std::string> with_ranks(const std::vector<std::string>& names);

/// The numbers of names that say nothing but an order, as numpy.savez() and lists give them:
/// "arr_0", "1". Empty where a name is another, or the numbers are not those from 0 on.
std::vector<std::size_t> positions_in(const std::vector<std::string>& names);

/// A tensor of one side, by the name under which it is searched for.
struct Sought {
  std::string name;
  const Shape* shape = nullptr;
  std::size_t index = 0;
};

/// From index of a tensor to index of a target.
using Pairs = std::map<std::size_t, std::size_t>;

/// Pairs what has one name and one shape on both sides, each alone, and takes it out of them.
void pair_equal_names(std::vector<Sought>& tensors, std::vector<Sought>& targets, Pairs& pairs);

/// Pairs what one change of the names makes equal: parts that one side has more, another name for a
/// subtree. The change that pairs most is taken, as often as one has support; then a whole subtree
/// of few modules, where no other would do as well.
void pair_by_changes(std::vector<Sought>& tensors, std::vector<Sought>& targets, Pairs& pairs,
                     std::vector<std::string>& ambiguous);

}  // namespace samebits::model
