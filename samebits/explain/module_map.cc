#include "samebits/explain/module_map.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "samebits/compare/name_pieces.h"
#include "samebits/explain/change_sums.h"
#include "samebits/explain/report.h"

namespace samebits {
namespace {

struct MapCell {
  Segment segment;
  ChangeSums sums;
};

/// The cells of one stack while they are filled.
struct MapStack {
  std::vector<std::int64_t> blocks;
  std::vector<std::string> modules;
  std::unordered_map<std::string, std::size_t> row_of;
  std::map<std::pair<std::size_t, std::int64_t>, MapCell> cells;  // by row and block
};

/// "attention.q_proj" of "attention.q_proj.weight"; a parameter that is no module's is its own row.
std::string module_of_rest(const std::string& rest) {
  const std::size_t dot = rest.rfind('.');
  return template_of(dot == std::string::npos ? rest : rest.substr(0, dot));
}

class ModuleMaps {
 public:
  ModuleMaps(const Report& report, const WeightPair& pair)
      : pair_(pair), a_(subject_of(report, pair.a)) {
    for (const Segment& segment : pair.segments) {
      if (segment.kind != SegmentKind::block || segment.inserted) continue;
      block_of_.emplace(segment.name, &segment);
      if (!stacks_.contains(segment.stack)) order_.push_back(segment.stack);
      stacks_[segment.stack].blocks.push_back(segment.number);
    }
  }

  std::vector<ModuleMap> run() {
    const std::size_t weights = a_.checkpoint->weights().weights.size();
    // Matches come with the largest change first, and rows in A's order.
    for (std::uint32_t i = 0; i < weights; ++i) cell_of(weight_name(a_, i));
    for (const TensorMatch& match : pair_.comparison.matches) {
      for (const std::uint32_t index : match.a) {
        if (index < weights) add(weight_name(a_, index), match, index == match.a.front());
      }
    }
    for (const std::string& name : pair_.comparison.only_a) add_lone(name);
    for (const std::string& name : pair_.comparison.unreadable) add_unread(name);
    std::vector<ModuleMap> maps;
    for (const std::string& stack : order_) {
      ModuleMap map = finished(stack);
      if (std::ranges::any_of(map.cells, is_unequal)) maps.push_back(std::move(map));
    }
    return maps;
  }

 private:
  static bool is_unequal(const Segment& cell) {
    return cell.tensors > 0 && cell.status != SegmentStatus::identical;
  }

  /// Where a tensor of A stands; nullptr beside the blocks.
  MapCell* cell_of(const std::string& name) {
    for (std::size_t dot = name.find('.'); dot != std::string::npos;
         dot = name.find('.', dot + 1)) {
      const auto found = block_of_.find(name.substr(0, dot));
      if (found == block_of_.end()) continue;
      MapStack& stack = stacks_.at(found->second->stack);
      const std::string module = module_of_rest(name.substr(dot + 1));
      const auto [row, is_new] = stack.row_of.try_emplace(module, stack.modules.size());
      if (is_new) stack.modules.push_back(module);
      MapCell& cell = stack.cells[{row->second, found->second->number}];
      cell.segment.name = found->second->name + "." + module;
      return &cell;
    }
    return nullptr;
  }

  void add(const std::string& name, const TensorMatch& match, bool with_numbers) {
    MapCell* cell = cell_of(name);
    if (cell == nullptr) return;
    const SegmentStatus status = status_of_match(match);
    ++cell->segment.tensors;
    cell->segment.changed += status == SegmentStatus::identical ? 0 : 1;
    cell->segment.status = std::max(cell->segment.status, status);
    if (with_numbers) cell->sums.add(match);
  }

  void add_lone(const std::string& name) {
    MapCell* cell = cell_of(name);
    if (cell == nullptr) return;
    ++cell->segment.tensors;
    ++cell->segment.only_a;
  }

  void add_unread(const std::string& name) {
    MapCell* cell = cell_of(name);
    if (cell == nullptr) return;
    cell->segment.tensors = std::max<std::uint64_t>(cell->segment.tensors, 1);
    cell->segment.status = SegmentStatus::not_compared;
  }

  static Segment settled(MapCell cell) {
    Segment& segment = cell.segment;
    if (segment.only_a > 0) segment.status = std::max(segment.status, SegmentStatus::more_in_a);
    if (segment.only_a > 0 && segment.only_a == segment.tensors)
      segment.status = SegmentStatus::only_a;
    segment.relative = cell.sums.relative();
    return segment;
  }

  ModuleMap finished(const std::string& name) {
    MapStack& stack = stacks_.at(name);
    std::ranges::sort(stack.blocks);
    ModuleMap map{.stack = name, .blocks = stack.blocks, .modules = {}, .cells = {}};
    for (std::size_t row = 0; row < stack.modules.size(); ++row) {
      map.modules.push_back(stack.modules[row]);
      for (const std::int64_t block : stack.blocks)
        map.cells.push_back(settled(std::move(stack.cells[{row, block}])));
    }
    return map;
  }

  const WeightPair& pair_;
  const Subject& a_;
  std::unordered_map<std::string, const Segment*> block_of_;
  std::map<std::string, MapStack> stacks_;
  std::vector<std::string> order_;
};

}  // namespace

std::vector<ModuleMap> module_maps(const Report& report, const WeightPair& pair) {
  if (pair.segments.empty()) return {};
  return ModuleMaps(report, pair).run();
}

}  // namespace samebits
