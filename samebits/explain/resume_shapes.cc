#include "samebits/explain/resume_shapes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"
#include "samebits/family/disk_names.h"

namespace samebits {
namespace {

constexpr const char* kMomentsPart = "optimizer moments";

// Tensors of a parameter's state that have its shape, in every optimizer of torch.
constexpr std::string_view kShaped[] = {"exp_avg",    "exp_avg_sq", "momentum_buffer",
                                        "square_avg", "sum",        "prev"};

/// The shape of a parameter by its state, or nothing.
const Shape* moment_shape(const Checkpoint& source, const ParameterState& parameter) {
  for (const auto& [name, entry] : parameter.tensors) {
    if (std::ranges::find(kShaped, name) != std::end(kShaped))
      return &source.entries[entry].view.shape();
  }
  return nullptr;
}

bool ends_like_buffer(const std::string& name) {
  for (const char* end : {"running_mean", "running_var", "num_batches_tracked", "position_ids"}) {
    if (name.ends_with(end)) return true;
  }
  return false;
}

/// False where the names are sorted, as safetensors writes them: places tell nothing then.
bool keeps_order(const Checkpoint& checkpoint) {
  if (!checkpoint.has_weights() || checkpoint.weights().weights.empty()) return false;
  const StoredTensor& first = checkpoint.entries[checkpoint.weights().weights[0]];
  return checkpoint.files[first.file].container.starts_with("torch-");
}

/// Shapes in which modules of transformers 5 hold all experts of a layer, where the file has them
/// one by one: of w1 and w3 of shape [r, c] in each of n experts [n, 2 r, c], and of one of them
/// [n, r, c].
std::set<Shape> shapes_of_stacked_experts(const Checkpoint& checkpoint,
                                          const std::vector<NamedShape>& parameters) {
  constexpr std::string_view kExperts = ".experts.";
  std::set<Shape> stacked;
  const DiskNames* known = find_disk_names(checkpoint.model_type);
  if (known == nullptr || !known->stacks_experts) return stacked;
  std::map<std::pair<std::string, std::string>, std::pair<std::int64_t, Shape>> experts;
  for (const NamedShape& parameter : parameters) {
    const std::size_t at = parameter.name.find(kExperts);
    if (at == std::string::npos || parameter.shape->size() != 2) continue;
    const std::size_t number = at + kExperts.size();
    const std::size_t behind = parameter.name.find('.', number);
    if (behind == std::string::npos) continue;
    auto& [count, shape] = experts[{parameter.name.substr(0, at), parameter.name.substr(behind)}];
    ++count;
    shape = *parameter.shape;
  }
  for (const auto& [name, each] : experts) {
    const auto& [count, shape] = each;
    stacked.insert({count, shape[0], shape[1]});
    stacked.insert({count, 2 * shape[0], shape[1]});
  }
  return stacked;
}

/// Moments of shapes that no weight of the model has (so often).
std::vector<std::string> strangers(const Checkpoint& checkpoint,
                                   const std::map<std::string, const Shape*>& moments,
                                   const std::vector<NamedShape>& parameters) {
  const std::set<Shape> stacked = shapes_of_stacked_experts(checkpoint, parameters);
  std::map<Shape, std::int64_t> left;
  for (const NamedShape& parameter : parameters) ++left[*parameter.shape];
  std::vector<std::string> found;
  for (const auto& [key, shape] : moments) {
    if (--left[*shape] < 0 && !stacked.contains(*shape))
      found.push_back(fmt::format("{} {}", key, shape_text(*shape)));
  }
  return found;
}

/// The first parameter of a single group whose moment has another shape than the weight of its
/// place; -1 where all fit, or places tell nothing.
std::ptrdiff_t first_misplaced(const OptimizerState& optimizer,
                               const std::map<std::string, const Shape*>& moments,
                               const std::vector<NamedShape>& parameters) {
  if (optimizer.groups.size() != 1 || optimizer.groups[0].keys.size() != parameters.size())
    return -1;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto found = moments.find(optimizer.groups[0].keys[i]);
    if (found != moments.end() && *found->second != *parameters[i].shape)
      return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

/// Listed names against those of the weights, where an optimizer was given names.
std::vector<std::string> unknown_names(const OptimizerState& optimizer,
                                       const std::vector<NamedShape>& parameters) {
  std::set<std::string> known;
  for (const NamedShape& parameter : parameters) known.insert(parameter.name);
  std::vector<std::string> unknown;
  for (const ParameterGroup& group : optimizer.groups) {
    for (const std::string& name : group.names) {
      if (!known.contains(name)) unknown.push_back(name);
    }
  }
  return unknown;
}

void judge_names(const OptimizerState& optimizer, const std::vector<NamedShape>& parameters,
                 ResumeRow& row) {
  const std::vector<std::string> unknown = unknown_names(optimizer, parameters);
  if (unknown.empty()) return;
  ResumeIssue issue = shape_issue(
      optimizer, fmt::format("{} of the optimizer ({}) by a name that the weights do not have: {}",
                             counted(unknown.size(), "parameter", "goes", "go"), optimizer.place,
                             some_of(unknown)));
  issue.details.clear();
  issue.details.emplace_back("load_state_dict goes by place, and compares no names");
  issue.evidence["names"] = name_list(unknown);
  issue.remedy = "Nothing, where the weights only lost a prefix; else take both from one save";
  issue.role = Role::note;
  row.issues.push_back(std::move(issue));
}

/// Of the keys of an optimizer: names that it was given, or those of the weights in their places.
std::map<std::string, std::string> parameter_names(const ResumeFacts& facts,
                                                   const OptimizerState& optimizer) {
  std::map<std::string, std::string> names;
  for (const ParameterGroup& group : optimizer.groups) {
    for (std::size_t i = 0; i < std::min(group.keys.size(), group.names.size()); ++i)
      names[group.keys[i]] = group.names[i];
  }
  const std::vector<NamedShape> parameters = model_parameters(*facts.checkpoint);
  if (names.empty() && keeps_order(*facts.checkpoint) && optimizer.groups.size() == 1 &&
      optimizer.groups[0].keys.size() == parameters.size()) {
    for (std::size_t i = 0; i < parameters.size(); ++i)
      names[optimizer.groups[0].keys[i]] = parameters[i].name;
  }
  return names;
}

}  // namespace

std::vector<NamedShape> model_parameters(const Checkpoint& checkpoint) {
  std::vector<NamedShape> parameters;
  if (!checkpoint.has_weights()) return parameters;
  std::set<std::pair<std::uint32_t, std::uint64_t>> seen;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    const bool parameter = tensor.role != TensorRole::buffer && is_floating(tensor.view.dtype()) &&
                           !ends_like_buffer(tensor.path);
    const bool tied = tensor.readable && tensor.view.numel() > 0 &&
                      !seen.emplace(tensor.storage, tensor.offset).second;
    if (parameter && !tied)
      parameters.push_back({tensor.name.empty() ? tensor.path : tensor.name, &tensor.view.shape(),
                            tensor.role == TensorRole::parameter && !tensor.requires_grad});
  }
  return parameters;
}

std::map<std::string, const Shape*> shapes_by_key(const Checkpoint& source,
                                                  const OptimizerState& optimizer) {
  std::map<std::string, const Shape*> shapes;
  for (const ParameterState& parameter : optimizer.parameters) {
    if (const Shape* shape = moment_shape(source, parameter)) shapes[parameter.key] = shape;
  }
  return shapes;
}

ResumeIssue shape_issue(const OptimizerState& optimizer, std::string summary) {
  ResumeIssue issue{.missing = {kMomentsPart}, .summary = std::move(summary)};
  issue.details.push_back(
      "load_state_dict assigns moments by the place of a parameter and looks at no shape: the next "
      "step raises, or, where shapes agree, uses another parameter's moments (torch 2.13.0)");
  issue.evidence["optimizer"] = optimizer.place;
  return issue;
}

void judge_shapes(const ResumeFacts& facts, const OptimizerState& optimizer, ResumeRow& row) {
  const std::vector<NamedShape> parameters = model_parameters(*facts.checkpoint);
  const auto moments = shapes_by_key(facts.state.source, optimizer);
  // Several optimizers share one model, and several models one file.
  if (parameters.empty() || moments.empty()) return;
  judge_names(optimizer, parameters, row);
  const std::vector<std::string> strange = strangers(*facts.checkpoint, moments, parameters);
  if (!strange.empty() && facts.checkpoint->candidates.size() == 1 &&
      facts.checkpoint->companions.empty()) {
    ResumeIssue issue = shape_issue(
        optimizer, fmt::format("moments of {} of the optimizer ({}) have shapes that no weight has",
                               counted(strange.size(), "parameter"), optimizer.place));
    issue.details.push_back("they are " + some_of(strange));
    issue.evidence["shapes"] = name_list(strange);
    issue.remedy = "Take weights and optimizer from one save";
    return row.issues.push_back(std::move(issue));
  }
  const std::ptrdiff_t at =
      keeps_order(*facts.checkpoint) ? first_misplaced(optimizer, moments, parameters) : -1;
  if (at < 0) return;
  const NamedShape& parameter = parameters[static_cast<std::size_t>(at)];
  const std::string& key = optimizer.groups[0].keys[static_cast<std::size_t>(at)];
  ResumeIssue issue = shape_issue(
      optimizer, fmt::format("the optimizer ({}) lists its parameters in another order than the "
                             "weights",
                             optimizer.place));
  issue.details.push_back(fmt::format("place {}: moments {} of key {}, and the weight {} {}", at,
                                      shape_text(*moments.at(key)), key, parameter.name,
                                      shape_text(*parameter.shape)));
  issue.evidence["place"] = at;
  issue.remedy = "Build the optimizer with its parameters in the order in which it was saved";
  row.issues.push_back(std::move(issue));
}

/// The weights that stand in no group, where the order of the shapes leaves one reading; nothing
/// else. `moments` are shapes in the order of the groups.
std::vector<std::string> skipped_names(const std::vector<NamedShape>& parameters,
                                       const std::vector<const Shape*>& moments) {
  const auto taken = [&](bool from_the_end) {
    std::vector<bool> used(parameters.size(), false);
    std::size_t next = 0;
    for (std::size_t i = 0; i < parameters.size() && next < moments.size(); ++i) {
      const std::size_t at = from_the_end ? parameters.size() - 1 - i : i;
      const std::size_t moment = from_the_end ? moments.size() - 1 - next : next;
      used[at] = *parameters[at].shape == *moments[moment];
      next += used[at] ? 1 : 0;
    }
    return next == moments.size() ? used : std::vector<bool>();
  };
  const std::vector<bool> first = taken(false);
  if (first.empty() || first != taken(true)) return {};
  std::vector<std::string> names;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (!first[i]) names.push_back(parameters[i].name);
  return names;
}

void note_untrained(const ResumeFacts& facts, const OptimizerState& optimizer, ResumeRow& row) {
  const Checkpoint& checkpoint = *facts.checkpoint;
  const bool one_of_each = facts.state.optimizers.size() == 1 &&
                           checkpoint.candidates.size() == 1 && checkpoint.companions.empty() &&
                           !optimizer.keeps_one_state();
  if (!one_of_each) return;
  std::vector<NamedShape> parameters = model_parameters(checkpoint);
  std::erase_if(parameters, [](const NamedShape& parameter) { return parameter.frozen; });
  const std::size_t listed = optimizer.listed();
  if (listed == 0 || listed >= parameters.size() ||
      !shapes_of_stacked_experts(checkpoint, parameters).empty())
    return;
  const auto shapes = shapes_by_key(facts.state.source, optimizer);
  std::vector<const Shape*> moments;
  for (const ParameterGroup& group : optimizer.groups)
    for (const std::string& key : group.keys)
      if (const auto found = shapes.find(key); found != shapes.end())
        moments.push_back(found->second);
  ResumeIssue issue{.missing = {}, .role = Role::note};
  issue.summary = fmt::format("{} in no group of the optimizer ({}): no step of it moves {}",
                              counted_of(parameters.size() - listed, parameters.size(),
                                         "floating tensor", "stands", "stand"),
                              optimizer.place, parameters.size() - listed == 1 ? "it" : "them");
  const std::vector<std::string> names = keeps_order(checkpoint) && moments.size() == listed
                                             ? skipped_names(parameters, moments)
                                             : std::vector<std::string>();
  if (!names.empty()) issue.details.push_back("they are " + some_of(names));
  issue.evidence = {{"optimizer", optimizer.place}, {"outside", parameters.size() - listed}};
  row.issues.push_back(std::move(issue));
}

/// The type of most of these views; nothing where none is floating.
std::optional<DType> most_common_type(const std::vector<const TensorView*>& views) {
  std::map<DType, std::size_t> counts;
  for (const TensorView* view : views)
    if (is_floating(view->dtype())) ++counts[view->dtype()];
  const auto most = std::ranges::max_element(
      counts, [](const auto& x, const auto& y) { return x.second < y.second; });
  return most == counts.end() ? std::nullopt : std::optional(most->first);
}

void judge_types(const ResumeFacts& facts, const OptimizerState& optimizer, ResumeRow& row) {
  const Checkpoint& checkpoint = *facts.checkpoint;
  if (!checkpoint.has_weights() || !optimizer.is_of_torch()) return;
  std::vector<const TensorView*> weights;
  for (const std::uint32_t index : checkpoint.weights().weights)
    if (checkpoint.entries[index].role != TensorRole::buffer)
      weights.push_back(&checkpoint.entries[index].view);
  std::vector<const TensorView*> moments;
  for (const ParameterState& parameter : optimizer.parameters)
    for (const auto& [name, entry] : parameter.tensors)
      if (std::ranges::find(kShaped, name) != std::end(kShaped))
        moments.push_back(&facts.state.source.entries[entry].view);
  const auto held = most_common_type(weights), moved = most_common_type(moments);
  if (!held || !moved || held == moved) return;
  const bool of_weights = itemsize(*held) < itemsize(*moved);
  const std::string own(info(*held).torch);
  const std::string other(info(*moved).torch);
  ResumeIssue issue{.missing = {of_weights ? "weights" : kMomentsPart}};
  issue.summary =
      of_weights ? fmt::format(
                       "the weights are {} and the moments of the optimizer ({}) {}: the weights "
                       "were rounded after they were trained",
                       own, optimizer.place, other)
                 : fmt::format(
                       "the weights are {} and the moments of the optimizer ({}) {}: the moments "
                       "were rounded when they were saved",
                       own, optimizer.place, other);
  issue.details.emplace_back(
      "torch's optimizers keep moments in the type of the weights that they move (torch 2.13.0)");
  issue.evidence = {{"weights_dtype", own}, {"moments_dtype", other}};
  issue.remedy = fmt::format(
      "Save the {} in the type in which they are trained, for a training "
      "that goes on to the same bits",
      of_weights ? "weights" : "moments");
  row.issues.push_back(std::move(issue));
}

std::vector<std::string> names_of_keys(const ResumeFacts& facts, const OptimizerState& optimizer,
                                       const std::vector<std::string>& keys) {
  const std::map<std::string, std::string> names = parameter_names(facts, optimizer);
  std::vector<std::string> texts;
  for (const std::string& key : keys) {
    const auto found = names.find(key);
    texts.push_back(found == names.end() ? key : found->second);
  }
  return texts;
}

std::vector<std::string> frozen_keys(const ResumeFacts& facts, const OptimizerState& optimizer,
                                     const std::vector<std::string>& keys,
                                     const std::set<std::string>& held) {
  const std::map<std::string, std::string> names = parameter_names(facts, optimizer);
  std::set<std::string> frozen;
  for (const NamedShape& parameter : model_parameters(*facts.checkpoint)) {
    if (parameter.frozen) frozen.insert(parameter.name);
  }
  const auto is_frozen = [&](const std::string& key) {
    const auto name = names.find(key);
    return name != names.end() && frozen.contains(name->second);
  };
  std::vector<std::string> found;
  if (std::ranges::none_of(held, is_frozen))
    std::ranges::copy_if(keys, std::back_inserter(found), is_frozen);
  return found;
}

}  // namespace samebits
