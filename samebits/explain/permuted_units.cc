#include "samebits/explain/permuted_units.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/permuted_rows.h"
#include "samebits/explain/subjects.h"
#include "samebits/family/module_words.h"

namespace samebits {
namespace {

using Order = std::vector<std::size_t>;
using UnitNames = std::set<std::string>;
using model::ModuleWord;

/// Tensors that share one order.
struct UnitGroup {
  UnitNames names;
  std::vector<std::string> rows;  // of these, the matrices whose rows do
  bool has_columns = false;       // those of a matrix
};

/// A projection of attention.
struct Projection {
  std::string name;     // of its weight
  Order rows, columns;  // empty where they stand as in A
};
using Attention = std::map<ModuleWord, Projection>;

bool is_projection(ModuleWord word) {
  return word == ModuleWord::query || word == ModuleWord::key || word == ModuleWord::value ||
         word == ModuleWord::output;
}

std::string bias_beside(const std::string& weight) {
  return weight.substr(0, weight.rfind('.') + 1) + "bias";
}

/// Query and key of grouped heads: the heads of a query go where the key goes that they share.
bool go_together(const Order& query, const Order& key) {
  if (key.empty() || query.size() % key.size() != 0) return false;
  const std::size_t shared = query.size() / key.size();
  const std::size_t block = block_of_order(key);
  if (block_of_order(query) < block) return false;
  for (std::size_t row = 0; row < query.size(); ++row) {
    const std::size_t to = row / (block * shared);
    if (query[row] / (block * shared) != key[to * block] / block) return false;
  }
  return true;
}

/// Rows of a head: by the config, or as few as heads have.
std::size_t least_head(const Subject& subject, std::size_t rows) {
  constexpr std::size_t kSmallHead = 8;
  const Json& config = subject.checkpoint->config;
  if (!config.is_object()) return kSmallHead;
  if (const Json own = config.value("head_dim", Json()); own.is_number_unsigned() && own != 0)
    return own.get<std::size_t>();
  const Json heads = config.value("num_attention_heads", Json());
  const bool tells = heads.is_number_unsigned() && heads != 0;
  return tells ? std::max<std::size_t>(1, rows / heads.get<std::size_t>()) : kSmallHead;
}

/// What query gives is met by key, and what value gives is taken by output; heads move as a whole,
/// since what their rows are for depends on their place in them (rotary embeddings).
bool computes_the_same(const Attention& attention, const Subject& subject) {
  static const Projection kNone;
  const auto at = [&](ModuleWord word) -> const Projection& {
    const auto found = attention.find(word);
    return found == attention.end() ? kNone : found->second;
  };
  const Order& query = at(ModuleWord::query).rows;
  const Order& key = at(ModuleWord::key).rows;
  const std::size_t head = least_head(subject, query.size());
  if (!query.empty() && (block_of_order(query) < head || block_of_order(query) % head != 0))
    return false;
  return key == at(ModuleWord::value).rows && query == at(ModuleWord::output).columns &&
         (query == key || go_together(query, key));
}

class Units {
 public:
  Units(const Report& report, const WeightPair& pair)
      : a_(subject_of(report, pair.a)), b_(subject_of(report, pair.b)) {
    for (const TensorMatch& match : pair.comparison.matches) {
      if (match.a.size() == 1 && match.b.size() == 1) add(match);
    }
  }

  UnitNames names() const {
    UnitNames names;
    for (const auto& [order, group] : groups_) {
      if (!group.rows.empty() && group.has_columns && holds_its_biases(group.rows, group.names))
        names.insert(group.names.begin(), group.names.end());
    }
    for (const auto& [place, attention] : attentions_) judge_attention(attention, &names);
    return names;
  }

 private:
  void add(const TensorMatch& match) {
    const std::string& name = weight_name(a_, match.a[0]);
    const TensorView& view = weight_entry(a_, match.a[0]).view;
    if (name.ends_with(".bias") && !is_constant(view)) biases_.insert(name);
    Projection* projection = projection_of(name, view);
    if (!match.stats || !is_permutation(match.stats->pattern) ||
        match.stats->pattern == kChannelsReversed)
      return;
    const bool of_columns = match.stats->pattern.find("columns") != std::string::npos;
    const auto order = permutation_order(view, weight_entry(b_, match.b[0]).view, of_columns, 1);
    if (!order) return;
    if (projection != nullptr) (of_columns ? projection->columns : projection->rows) = *order;
    permuted_.insert(name);
    UnitGroup& group = groups_[*order];
    group.names.insert(name);
    const bool is_matrix = view.shape().size() > 1;
    if (is_matrix && !of_columns) group.rows.push_back(name);
    group.has_columns = group.has_columns || (is_matrix && of_columns);
  }

  Projection* projection_of(const std::string& name, const TensorView& view) {
    constexpr std::string_view kWeight = ".weight";
    if (view.shape().size() != 2 || !name.ends_with(kWeight)) return nullptr;
    const std::string module = name.substr(0, name.size() - kWeight.size());
    const std::size_t dot = module.rfind('.');
    const ModuleWord word = model::module_word(module.substr(dot + 1));
    if (dot == std::string::npos || !is_projection(word)) return nullptr;
    Projection& projection = attentions_[module.substr(0, dot)][word];
    projection.name = name;
    return &projection;
  }

  /// The biases of A whose elements are not all alike: an order of rows has to hold for them, too.
  bool holds_its_biases(const std::vector<std::string>& rows, const UnitNames& names) const {
    return std::ranges::all_of(rows, [&](const std::string& name) {
      const std::string bias = bias_beside(name);
      return !biases_.contains(bias) || names.contains(bias);
    });
  }

  void judge_attention(const Attention& attention, UnitNames* names) const {
    if (!attention.contains(ModuleWord::key) || !attention.contains(ModuleWord::query)) return;
    std::vector<std::string> weights;
    UnitNames all;
    for (const auto& [word, projection] : attention) {
      if (projection.rows.empty() && projection.columns.empty()) continue;
      if (!projection.rows.empty()) weights.push_back(projection.name);
      for (const std::string& name : {projection.name, bias_beside(projection.name)})
        if (permuted_.contains(name)) all.insert(name);
    }
    if (computes_the_same(attention, a_) && holds_its_biases(weights, all)) {
      names->merge(all);
    } else {
      for (const std::string& name : all) names->erase(name);
    }
  }

  const Subject& a_;
  const Subject& b_;
  std::map<Order, UnitGroup> groups_;
  std::map<std::string, Attention> attentions_;  // by their paths
  UnitNames permuted_, biases_;
};

}  // namespace

std::set<std::string> permuted_units(const Report& report, const WeightPair& pair) {
  return Units(report, pair).names();
}

}  // namespace samebits
