// The modules inside a model's blocks, each held against its partner: a row for each module, a
// column for each block. Finer than segments (segments.h), and made of the same comparison.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/explain/segments.h"

namespace samebits {

/// The blocks of one stack. Names and numbers are A's.
struct ModuleMap {
  std::string stack;                 // "vit.layers"
  std::vector<std::int64_t> blocks;  // their numbers, ascending
  std::vector<std::string> modules;  // "attention.q_proj", in the order of A's tensors
  /// modules x blocks, row-major: name, status, relative change and count of the tensors that stand
  /// there. One without tensors: nothing of that module was compared in that block.
  std::vector<Segment> cells;

  const Segment& cell(std::size_t module, std::size_t block) const {
    return cells.at(module * blocks.size() + block);
  }
};

/// One for each stack of A in which a tensor changed, or stands in A alone. Numbers inside a
/// module's name are taken together ("experts.{n}.fc1"). Requires diagnose().
std::vector<ModuleMap> module_maps(const Report& report, const WeightPair& pair);

}  // namespace samebits
