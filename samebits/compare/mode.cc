// Source: torch.nn of torch 2.13, and every use of `training` in the ViT family of transformers
// 4.57.6 and 5.24.0, in timm 1.0's vision_transformer, in torchvision's and in
// facebookresearch/mae.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>

#include "samebits/compare/config.h"

namespace samebits {
namespace {

/// How a class uses its training flag.
enum class FlagUse : std::uint8_t {
  never,
  dropout,     // random where one of kProbabilities is above 0
  slope,       // RReLU: random unless the two slopes are equal
  recurrent,   // random with dropout between layers, of which there must be two
  statistics,  // unless the class tracks none
  fast_path,   // evaluation may take a fused kernel that rounds otherwise
};

struct ClassRule {
  std::string_view prefix;  // of the class path; the longest that fits decides
  FlagUse use;
};

// Attributes that hold a probability. Where a class keeps dropout in a child module, the attribute
// is no number and the child is judged.
constexpr auto kProbabilities = std::to_array<std::string_view>(
    {"p", "drop_prob", "dropout_prob", "attention_dropout", "attn_pdrop", "dropout", "dropout_p",
     "attn_dropout", "attn_drop_p", "prob", "drop_path_prob", "layerdrop"});

constexpr auto kRules = std::to_array<ClassRule>({
    {"torch.nn.modules.", FlagUse::never},
    {"torch.nn.modules.dropout.", FlagUse::dropout},
    {"torch.nn.modules.batchnorm.", FlagUse::statistics},
    {"torch.nn.modules.instancenorm.", FlagUse::statistics},
    {"torch.nn.modules.activation.RReLU", FlagUse::slope},
    {"torch.nn.modules.activation.MultiheadAttention", FlagUse::fast_path},
    {"torch.nn.modules.transformer.TransformerEncoder", FlagUse::fast_path},
    {"torch.nn.modules.rnn.", FlagUse::recurrent},
    {"torch.nn.parallel.", FlagUse::never},
    {"torch.nn.utils.parametrize.", FlagUse::never},
    {"torch.nn.utils.parametrizations._SpectralNorm", FlagUse::statistics},
    {"torch._dynamo.eval_frame.OptimizedModule", FlagUse::never},
    {"transformers.activations.", FlagUse::never},
    {"transformers.models.vit.", FlagUse::dropout},
    {"transformers.models.vit_mae.", FlagUse::dropout},
    {"transformers.models.deit.", FlagUse::dropout},
    {"transformers.models.dinov2.", FlagUse::dropout},
    {"transformers.models.dinov2_with_registers.", FlagUse::dropout},
    {"timm.models.vision_transformer.", FlagUse::dropout},
    {"timm.layers.activations", FlagUse::never},
    {"timm.layers.attention.", FlagUse::never},
    {"timm.layers.attention_pool.", FlagUse::never},
    {"timm.layers.layer_scale.", FlagUse::never},
    {"timm.layers.mlp.", FlagUse::never},
    {"timm.layers.norm.", FlagUse::never},
    {"timm.layers.patch_embed.", FlagUse::never},
    {"timm.layers.drop.", FlagUse::dropout},
    {"timm.layers.patch_dropout.", FlagUse::dropout},
    {"timm.layers.norm_act.BatchNormAct", FlagUse::statistics},
    {"timm.layers.norm_act.SyncBatchNormAct", FlagUse::statistics},
    {"timm.models.layers.drop.", FlagUse::dropout},
    {"timm.models.layers.mlp.", FlagUse::never},
    {"timm.models.layers.patch_embed.", FlagUse::never},
    {"torchvision.models.vision_transformer.", FlagUse::never},
    {"torchvision.ops.misc.", FlagUse::never},
    {"torchvision.ops.stochastic_depth.", FlagUse::dropout},
    {"torchvision.ops.drop_block.", FlagUse::dropout},
    {"models_mae.MaskedAutoencoderViT", FlagUse::never},
    {"models_vit.VisionTransformer", FlagUse::never},
});

const ClassRule* rule_of(const std::string& class_path) {
  const ClassRule* best = nullptr;
  for (const ClassRule& rule : kRules) {
    if (class_path.starts_with(rule.prefix) &&
        (best == nullptr || rule.prefix.size() > best->prefix.size()))
      best = &rule;
  }
  return best;
}

const Json* attribute(const ModuleRecord& module, std::string_view name) {
  if (!module.hyper.is_object()) return nullptr;
  const auto found = module.hyper.find(std::string(name));
  return found == module.hyper.end() ? nullptr : &*found;
}

double number(const ModuleRecord& module, std::string_view name, double otherwise) {
  const Json* value = attribute(module, name);
  return value != nullptr && value->is_number() ? value->get<double>() : otherwise;
}

bool drops(const ModuleRecord& module) {
  return std::any_of(kProbabilities.begin(), kProbabilities.end(),
                     [&](std::string_view name) { return number(module, name, 0) > 0; });
}

/// The constructors' defaults stand where a class from before an attribute was pickled.
bool tracks_statistics(const ModuleRecord& module) {
  const Json* value = attribute(module, "track_running_stats");
  return value == nullptr || !value->is_boolean() || value->get<bool>();
}

ModeEffect random_if(bool condition) { return condition ? ModeEffect::random : ModeEffect::none; }

/// Files of the same code may name its module otherwise: "__main__.Net", "train.Net".
std::string_view short_class(const ModuleRecord& module) {
  const std::string_view path = module.class_path;
  return path.substr(path.rfind('.') + 1);  // npos + 1 is 0
}

using Indexes = std::vector<std::size_t>;

bool one_mode(const std::vector<ModuleRecord>& modules, const Indexes& group) {
  return std::all_of(group.begin(), group.end(), [&](std::size_t index) {
    return modules[index].training == modules[group[0]].training;
  });
}

std::map<std::string_view, Indexes> by_class(const std::vector<ModuleRecord>& modules,
                                             const std::vector<bool>& taken) {
  std::map<std::string_view, Indexes> groups;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    if (!taken[i]) groups[short_class(modules[i])].push_back(i);
  }
  return groups;
}

/// A path below `prefix` without it, or nothing. The root's prefix is "".
std::optional<std::string_view> below(std::string_view path, std::string_view prefix) {
  if (prefix.empty()) return path;
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  if (path.empty()) return path;
  if (path[0] != '.') return std::nullopt;
  return path.substr(1);
}

class Alignment {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  Alignment(const std::vector<ModuleRecord>& a, const std::vector<ModuleRecord>& b)
      : a_(a), b_(b), partner_(a.size(), kNone) {
    align_by_path();
    align_by_class();
  }
  std::size_t partner(std::size_t index) const { return partner_[index]; }

 private:
  // A wrapper and the model in it stand among the first modules.
  static constexpr std::size_t kRoots = 8;

  /// Pairs paths below one module of A and one of B of the same class, whichever pair gives most.
  void align_by_path() {
    std::vector<std::size_t> best = pair_below("", "");
    std::size_t most = std::max<std::size_t>(count(best), 1);  // two leaves are no two models
    for (std::size_t i = 0; i < std::min(kRoots, a_.size()); ++i) {
      for (std::size_t j = 0; j < std::min(kRoots, b_.size()); ++j) {
        if (short_class(a_[i]) != short_class(b_[j])) continue;
        std::vector<std::size_t> pairs = pair_below(a_[i].path, b_[j].path);
        const std::size_t pair_count = count(pairs);
        if (pair_count <= most) continue;
        most = pair_count;
        best = std::move(pairs);
      }
    }
    partner_ = std::move(best);
  }

  std::vector<std::size_t> pair_below(std::string_view prefix_a, std::string_view prefix_b) const {
    std::map<std::string_view, std::size_t> paths;
    for (std::size_t j = 0; j < b_.size(); ++j) {
      if (const auto path = below(b_[j].path, prefix_b)) paths.emplace(*path, j);
    }
    std::vector<std::size_t> pairs(a_.size(), kNone);
    for (std::size_t i = 0; i < a_.size(); ++i) {
      const auto path = below(a_[i].path, prefix_a);
      const auto found = path ? paths.find(*path) : paths.end();
      if (found == paths.end()) continue;
      if (short_class(a_[i]) == short_class(b_[found->second])) pairs[i] = found->second;
      paths.erase(found);  // a path that stands twice has one partner
    }
    return pairs;
  }

  static std::size_t count(const std::vector<std::size_t>& pairs) {
    return pairs.size() - static_cast<std::size_t>(std::count(pairs.begin(), pairs.end(), kNone));
  }

  /// The k-th of the modules of a class that are left and the k-th on the other side, where there
  /// are as many, or where it does not matter which: each side's are all in one mode.
  void align_by_class() {
    std::vector<bool> taken_a(a_.size());
    std::vector<bool> taken_b(b_.size());
    for (std::size_t i = 0; i < a_.size(); ++i) {
      if (partner_[i] == kNone) continue;
      taken_a[i] = true;
      taken_b[partner_[i]] = true;
    }
    const auto groups_b = by_class(b_, taken_b);
    for (const auto& [name, group] : by_class(a_, taken_a)) {
      const auto other = groups_b.find(name);
      if (other == groups_b.end()) continue;
      const Indexes& partners = other->second;
      if (group.size() != partners.size() && !(one_mode(a_, group) && one_mode(b_, partners)))
        continue;
      for (std::size_t k = 0; k < std::min(group.size(), partners.size()); ++k)
        partner_[group[k]] = partners[k];
    }
  }

  const std::vector<ModuleRecord>& a_;
  const std::vector<ModuleRecord>& b_;
  std::vector<std::size_t> partner_;  // index into b_
};

}  // namespace

ModeEffect mode_effect(const ModuleRecord& module) {
  const ClassRule* rule = rule_of(module.class_path);
  if (rule == nullptr) return ModeEffect::unknown;
  switch (rule->use) {
    case FlagUse::never: return ModeEffect::none;
    case FlagUse::dropout: return random_if(drops(module));
    case FlagUse::slope: return random_if(number(module, "lower", 0) != number(module, "upper", 1));
    case FlagUse::recurrent:
      return random_if(number(module, "dropout", 0) > 0 && number(module, "num_layers", 1) > 1);
    case FlagUse::statistics:
      return tracks_statistics(module) ? ModeEffect::statistics : ModeEffect::none;
    case FlagUse::fast_path: return drops(module) ? ModeEffect::random : ModeEffect::unknown;
  }
  return ModeEffect::unknown;
}

std::vector<ModeDifference> compare_modes(const std::vector<ModuleRecord>& a,
                                          const std::vector<ModuleRecord>& b) {
  const Alignment alignment(a, b);
  std::vector<ModeDifference> differences;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::size_t j = alignment.partner(i);
    if (j == Alignment::kNone || a[i].training == b[j].training) continue;
    differences.push_back(
        {a[i].path, a[i].training, b[j].training, mode_effect(a[i].training ? a[i] : b[j])});
  }
  return differences;
}

}  // namespace samebits
