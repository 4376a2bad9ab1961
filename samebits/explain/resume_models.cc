// Several models of one file, and the optimizers that go with them by their names.
#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>

#include <fmt/format.h>

#include "samebits/explain/resume_shapes.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

using Shapes = std::vector<Shape>;

struct PartModel {
  std::string name;  // "netG"
  std::string word;  // "g": what tells it from the others
  Shapes shapes;     // of its parameters, in order
};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// What the weights stand under, where they have two names or more in front of their dots. Empty
/// where one of these has no word of its own.
std::vector<PartModel> part_models(const ResumeFacts& facts) {
  std::map<std::string, Shapes> parts;
  std::vector<std::string> order;
  for (const NamedShape& parameter : model_parameters(*facts.checkpoint)) {
    const std::size_t dot = parameter.name.find('.');
    if (dot == std::string::npos) return {};
    const std::string part = parameter.name.substr(0, dot);
    if (!parts.contains(part)) order.push_back(part);
    parts[part].push_back(*parameter.shape);
  }
  if (order.size() < 2) return {};
  std::size_t common = 0;
  const auto agrees = [&](const std::string& part) {
    return part.size() > common && order[0].size() > common && part[common] == order[0][common];
  };
  while (std::ranges::all_of(order, agrees)) ++common;
  std::vector<PartModel> models;
  for (const std::string& part : order) {
    if (common == 0 || part.size() == common) return {};
    models.push_back({part, lower(part.substr(common)), parts[part]});
  }
  return models;
}

/// The shapes of the moments by the places of their parameters; empty where one has none.
Shapes moment_shapes(const ResumeFacts& facts, const OptimizerState& optimizer) {
  const auto known = shapes_by_key(facts.state.source, optimizer);
  Shapes shapes;
  for (const ParameterGroup& group : optimizer.groups) {
    for (const std::string& key : group.keys) {
      const auto found = known.find(key);
      if (found == known.end()) return {};
      shapes.push_back(*found->second);
    }
  }
  return shapes;
}

/// The only model whose word ends the optimizer's name.
const PartModel* model_by_name(const std::vector<PartModel>& models, const std::string& place) {
  const std::string name = lower(place);
  const PartModel* found = nullptr;
  for (const PartModel& model : models) {
    if (!name.ends_with(model.word)) continue;
    if (found != nullptr) return nullptr;
    found = &model;
  }
  return found;
}

ResumeIssue exchanged_issue(const OptimizerState& optimizer, const PartModel& own,
                            const PartModel& other) {
  ResumeIssue issue = shape_issue(
      optimizer, fmt::format("the optimizer ({}) goes with {} by its name, and its moments have "
                             "the shapes of {}",
                             optimizer.place, own.name, other.name));
  issue.remedy = "Load each optimizer's state into the optimizer of the model that it was saved of";
  return issue;
}

ResumeRow row_without(const PartModel& model) {
  ResumeRow row =
      resume_row("optimizer moments", "missing", "",
                 fmt::format("of {}: {}", model.name, counted(model.shapes.size(), "tensor")));
  ResumeIssue issue{.missing = {"optimizer moments"}};
  issue.summary = fmt::format(
      "no optimizer's state is in it for {}, and there is one for another model", model.name);
  issue.details.push_back(fmt::format("where {} is not trained, it needs none", model.name));
  row.issues.push_back(std::move(issue));
  return row;
}

}  // namespace

void judge_models(const ResumeFacts& facts, ResumeRows& rows) {
  const std::vector<OptimizerState>& optimizers = facts.state.optimizers;
  const std::vector<PartModel> models = part_models(facts);
  if (models.empty() || optimizers.empty() || rows.size() != optimizers.size() || facts.state.zero)
    return;
  std::set<const PartModel*> with_optimizer;
  bool one_fits = false;
  for (std::size_t i = 0; i < optimizers.size(); ++i) {
    const Shapes moments = moment_shapes(facts, optimizers[i]);
    const PartModel* own = model_by_name(models, optimizers[i].place);
    if (own == nullptr || moments.empty()) return;
    with_optimizer.insert(own);
    one_fits = one_fits || own->shapes == moments;
    const auto other = std::ranges::find(models, moments, &PartModel::shapes);
    if (own->shapes == moments || other == models.end()) continue;
    rows[i].issues.push_back(exchanged_issue(optimizers[i], *own, *other));
    rows[i].part.state = "in doubt";
  }
  for (const PartModel& model : models)
    if (one_fits && !with_optimizer.contains(&model)) rows.push_back(row_without(model));
}

}  // namespace samebits
