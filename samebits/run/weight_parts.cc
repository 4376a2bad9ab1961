#include "samebits/run/weight_parts.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace samebits {
namespace {

/// Elements of a vector that stand side by side.
struct Run {
  std::vector<float>& values;
  std::size_t first, count;
};

/// Rows of a layer's matrix, which a packed matrix holds as columns.
struct Rows {
  PackedMatrix& matrix;
  std::size_t first, count;

  bool whole() const { return first == 0 && count == matrix.columns(); }
  float* at(std::size_t row) const {
    return matrix.tile((first + row) / kTileColumns) + (first + row) % kTileColumns;
  }
};

bool comparable(const Run& a, const Run& b) { return a.values.size() == b.values.size(); }
bool comparable(const Rows& a, const Rows& b) {
  return a.matrix.columns() == b.matrix.columns() && a.matrix.depth() == b.matrix.depth();
}

bool equal(const Run& a, const Run& b) {
  return comparable(a, b) &&
         (a.count == 0 || std::memcmp(a.values.data() + a.first, b.values.data() + b.first,
                                      a.count * sizeof(float)) == 0);
}

bool equal(const Rows& a, const Rows& b) {
  if (!comparable(a, b)) return false;
  if (a.matrix.same_bits(b.matrix)) return true;
  if (a.whole()) return false;
  for (std::size_t row = 0; row < a.count; ++row) {
    const float* x = a.at(row);
    const float* y = b.at(row);
    for (std::size_t k = 0; k < a.matrix.depth(); ++k) {
      if (std::bit_cast<std::uint32_t>(x[k * kTileColumns]) !=
          std::bit_cast<std::uint32_t>(y[k * kTileColumns]))
        return false;
    }
  }
  return true;
}

void exchange(const Run& a, const Run& b) {
  std::swap_ranges(a.values.begin() + static_cast<std::ptrdiff_t>(a.first),
                   a.values.begin() + static_cast<std::ptrdiff_t>(a.first + a.count),
                   b.values.begin() + static_cast<std::ptrdiff_t>(b.first));
}

void exchange(const Rows& a, const Rows& b) {
  if (a.whole()) return std::swap(a.matrix, b.matrix);
  for (std::size_t row = 0; row < a.count; ++row) {
    float* x = a.at(row);
    float* y = b.at(row);
    for (std::size_t k = 0; k < a.matrix.depth(); ++k)
      std::swap(x[k * kTileColumns], y[k * kTileColumns]);
  }
}

/// Calls visit(name, part of a, part of b) for every tensor of two models, in the order of the
/// pass; not for those of a layer that visit.whole() says it has dealt with.
template <class Visit>
class Tensors {
 public:
  explicit Tensors(Visit visit) : visit_(std::move(visit)) {}

  void vector(const std::string& name, std::vector<float>& a, std::vector<float>& b) {
    visit_(name, Run{a, 0, a.size()}, Run{b, 0, b.size()});
  }

  void norm(const std::string& name, NormWeights& a, NormWeights& b) {
    vector(name + ".weight", a.gamma, b.gamma);
    vector(name + ".bias", a.beta, b.beta);
  }

  /// `names` of tensors that stand one behind the other, all of one size.
  void linear(const std::string& at, std::initializer_list<const char*> names, LinearWeights& a,
              LinearWeights& b) {
    if (visit_.whole(at, names, a, b)) return;
    const std::size_t size_a = a.matrix.columns() / names.size();
    const std::size_t size_b = b.matrix.columns() / names.size();
    std::size_t i = 0;
    for (const char* name : names) {
      visit_(at + name + ".weight", Rows{a.matrix, i * size_a, size_a},
             Rows{b.matrix, i * size_b, size_b});
      visit_(at + name + ".bias", Run{a.bias, i * size_a, size_a}, Run{b.bias, i * size_b, size_b});
      ++i;
    }
  }

  void linear(const char* name, std::optional<LinearWeights>& a, std::optional<LinearWeights>& b) {
    if (a && b) return linear("", {name}, *a, *b);
    std::vector<float> one(a ? 1 : 0);
    std::vector<float> other(b ? 1 : 0);
    vector(name, one, other);  // comparable where both have none
  }

  void block(const std::string& at, VitBlock& a, VitBlock& b) {
    norm(at + "norm1", a.norm1, b.norm1);
    linear(at, {"query", "key", "value"}, a.qkv, b.qkv);
    linear(at, {"attention_output"}, a.attention_output, b.attention_output);
    vector(at + "scale1", a.scale1, b.scale1);
    norm(at + "norm2", a.norm2, b.norm2);
    if (a.gated && b.gated) {
      linear(at, {"gate", "up"}, a.mlp_in, b.mlp_in);
    } else {
      linear(at, {"mlp_in"}, a.mlp_in, b.mlp_in);
    }
    linear(at, {"mlp_out"}, a.mlp_out, b.mlp_out);
    vector(at + "scale2", a.scale2, b.scale2);
  }

 private:
  Visit visit_;
};

/// Requires equal numbers of blocks.
template <class Visit>
void visit_tensors(VitWeights& a, VitWeights& b, Visit visit) {
  Tensors<Visit> tensors(std::move(visit));
  tensors.vector("cls_token", a.class_token, b.class_token);
  tensors.vector("distillation_token", a.distillation_token, b.distillation_token);
  tensors.vector("register_tokens", a.registers, b.registers);
  tensors.vector("positions", a.positions, b.positions);
  tensors.linear("", {"patches"}, a.patches, b.patches);
  for (std::size_t i = 0; i < a.blocks.size(); ++i)
    tensors.block(std::to_string(i) + ":", a.blocks[i], b.blocks[i]);
  tensors.norm("norm", a.norm, b.norm);
  tensors.linear("pooler", a.pooler, b.pooler);
  tensors.linear("classifier", a.classifier, b.classifier);
  tensors.linear("distillation_classifier", a.distillation_classifier, b.distillation_classifier);
  tensors.linear("decoder:embed", a.decoder_embed, b.decoder_embed);
  tensors.vector("decoder:mask_token", a.mask_token, b.mask_token);
  tensors.vector("decoder:positions", a.decoder_positions, b.decoder_positions);
  for (std::size_t i = 0; i < a.decoder_blocks.size(); ++i)
    tensors.block(std::to_string(i) + ":decoder:", a.decoder_blocks[i], b.decoder_blocks[i]);
  tensors.norm("decoder:norm", a.decoder_norm, b.decoder_norm);
  tensors.linear("decoder:pred", a.decoder_pred, b.decoder_pred);
}

/// Names the parts that differ.
struct Differing {
  std::vector<std::string>& names;
  bool& all_comparable;

  bool whole(const std::string& /*at*/, std::initializer_list<const char*> /*parts*/,
             const LinearWeights& /*a*/, const LinearWeights& /*b*/) const {
    return false;
  }
  template <class Part>
  void operator()(const std::string& name, const Part& a, const Part& b) const {
    all_comparable = all_comparable && comparable(a, b);
    if (!equal(a, b)) names.push_back(name);
  }
};

/// Collects what exchanges the parts of some names, and layers of which it has every name without
/// copying them.
struct Exchange {
  const std::set<std::string>& names;
  std::vector<std::function<void()>>& calls;

  bool whole(const std::string& at, std::initializer_list<const char*> parts, LinearWeights& a,
             LinearWeights& b) const {
    const bool same_bias = equal(Run{a.bias, 0, a.bias.size()}, Run{b.bias, 0, b.bias.size()});
    for (const char* part : parts) {
      const bool bias = same_bias || names.contains(at + part + ".bias");
      if (!bias || !names.contains(at + part + ".weight")) return false;
    }
    calls.emplace_back([&a, &b] { std::swap(a, b); });
    return true;
  }
  template <class Part>
  void operator()(const std::string& name, const Part& a, const Part& b) const {
    if (a.count > 0 && names.contains(name)) calls.emplace_back([a, b] { exchange(a, b); });
  }
};

}  // namespace

std::optional<std::vector<std::string>> differing_parts(VitWeights& a, VitWeights& b) {
  if (a.blocks.size() != b.blocks.size() || a.decoder_blocks.size() != b.decoder_blocks.size())
    return std::nullopt;
  bool all_comparable = true;
  std::vector<std::string> names;
  visit_tensors(a, b, Differing{names, all_comparable});
  if (!all_comparable) return std::nullopt;
  return names;
}

std::vector<std::function<void()>> exchanges(VitWeights& a, VitWeights& b,
                                             const std::set<std::string>& names) {
  std::vector<std::function<void()>> calls;
  visit_tensors(a, b, Exchange{names, calls});
  return calls;
}

std::string part_of_role(std::string_view role) {
  const std::size_t colon = role.rfind(':');
  const std::size_t begin = colon == std::string_view::npos ? 0 : colon + 1;
  const std::string at(role.substr(0, begin));
  std::string name(role.substr(begin));
  for (const auto& [other, part] :
       {std::pair("down.", "mlp_out."), std::pair("cls_classifier.", "classifier.")}) {
    if (name.starts_with(other)) name.replace(0, std::string_view(other).size(), part);
  }
  return at + name;
}

}  // namespace samebits
