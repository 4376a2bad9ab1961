#include "samebits/explain/tensor_roles.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "samebits/model/recognize.h"

namespace samebits {
namespace {

constexpr std::size_t kMostInner = 4;

/// The roles of what is stacked in a tensor of this one: "3:qkv.weight" has three.
std::vector<std::string> unfused(const std::string& role) {
  const std::size_t colon = role.rfind(':');
  const std::size_t begin = colon == std::string::npos ? 0 : colon + 1;
  const std::size_t end = std::min(role.find('.', begin), role.size());
  const std::span<const model::Fusion> fusions = model::fusions();
  const auto fusion = std::find_if(fusions.begin(), fusions.end(), [&](const model::Fusion& each) {
    return each.whole == std::string_view(role).substr(begin, end - begin);
  });
  if (fusion == fusions.end()) return {role};
  std::vector<std::string> roles;
  for (const std::string_view part : fusion->parts)
    roles.push_back(role.substr(0, begin).append(part).append(role, end));
  return roles;
}

/// A model of the family among the tensors; its pieces count all of them.
using InnerModel = model::Recognition;

/// The best reading of the tensors at `open`. Half a model would tell half a truth: a table must
/// account for nearly all of them, unless it finds every tensor of a class.
std::optional<InnerModel> next_model(const std::vector<NamedTensor>& tensors,
                                     const std::vector<std::size_t>& open, bool is_first) {
  std::vector<model::StoredShape> shapes;
  shapes.reserve(open.size());
  for (const std::size_t i : open) shapes.push_back({tensors[i].name, tensors[i].view.shape()});
  std::optional<InnerModel> found = model::recognize(shapes);
  if (!found || found->inconsistent > 0) return std::nullopt;
  const bool is_all = is_first && found->tensors * 10 >= shapes.size() * 9;
  const bool is_whole = found->absent == 0 && found->fields.layers > 0;
  if (!is_all && !is_whole) return std::nullopt;
  for (model::Piece& piece : found->pieces) piece.tensor = open[piece.tensor];
  return found;
}

std::vector<InnerModel> inner_models(const std::vector<NamedTensor>& tensors) {
  std::vector<InnerModel> models;
  std::vector<std::size_t> open(tensors.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  while (models.size() < kMostInner && !open.empty()) {
    std::optional<InnerModel> found = next_model(tensors, open, models.empty());
    if (!found) break;
    std::vector<bool> taken(tensors.size());
    for (const model::Piece& piece : found->pieces) taken[piece.tensor] = true;
    std::erase_if(open, [&](std::size_t i) { return taken[i]; });
    models.push_back(std::move(*found));
  }
  return models;
}

}  // namespace

void add_roles(std::vector<NamedTensor>* tensors) {
  const std::vector<InnerModel> models = inner_models(*tensors);
  for (const InnerModel& each : models) {
    std::vector<const model::Piece*> pieces;
    for (const model::Piece& piece : each.pieces) pieces.push_back(&piece);
    std::sort(pieces.begin(), pieces.end(), [](const model::Piece* x, const model::Piece* y) {
      return std::pair(x->tensor, x->part) < std::pair(y->tensor, y->part);
    });
    const std::string begin = models.size() > 1 ? each.prefix + ":" : "";
    for (const model::Piece* piece : pieces) {
      for (const std::string& role : unfused(piece->role))
        (*tensors)[piece->tensor].roles.push_back(begin + role);
    }
  }
}

}  // namespace samebits
