#include "samebits/explain/beside_findings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "samebits/checkpoint/companions.h"
#include "samebits/checkpoint/shards.h"
#include "samebits/compare/field_map.h"
#include "samebits/explain/adapter_names.h"
#include "samebits/explain/graph_findings.h"
#include "samebits/explain/other_weights.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/uncompared_files.h"

namespace samebits {
namespace {

using ValueNames = std::vector<std::string>;

std::map<std::string, const StoredValue*> values_of(const Subject& subject, bool loaded,
                                                    bool behind) {
  std::map<std::string, const StoredValue*> values;
  for (const StoredValue& value : subject.checkpoint->values)
    if (value.loaded == loaded && (behind || !is_of_module_behind(value.path)))
      values[value.path] = &value;
  return values;
}

/// Modules behind the model are compared where both sides list some: a directory without is loaded
/// as the model alone.
bool compares_behind(const Subject& a, const Subject& b) {
  return lists_modules_behind(*a.checkpoint) && lists_modules_behind(*b.checkpoint);
}

struct ValueDifferences {
  ValueNames names, details, uncertain;
};

ValueDifferences compare_values(const Subject& a, const Subject& b, bool loaded) {
  ValueDifferences found;
  const bool behind = compares_behind(a, b);
  auto left = values_of(a, loaded, behind);
  auto right = values_of(b, loaded, behind);
  std::set<std::string> paths;
  for (const auto& [path, value] : left) paths.insert(path);
  for (const auto& [path, value] : right) paths.insert(path);
  for (const std::string& path : paths) {
    const StoredValue* x = left[path];
    const StoredValue* y = right[path];
    if (x != nullptr && y != nullptr && x->digest == y->digest) {
      if (!x->complete) found.uncertain.push_back(path);
      continue;
    }
    found.names.push_back(path);
    if (x == nullptr || y == nullptr) {
      found.details.push_back(path + " stands only in " + (x == nullptr ? b.label : a.label));
    } else if (!x->text.empty() && !y->text.empty() && x->text != y->text) {
      found.details.push_back(
          fmt::format("{}: {} in {}, {} in {}", path, x->text, a.label, y->text, b.label));
    } else {
      found.details.push_back(path + " differs");
    }
  }
  return found;
}

/// One name of a companion in both of its containers: a directory that was converted to safetensors
/// has the same model under the other one.
std::string companion_name(const std::string& path) {
  const std::size_t end = path.find(':');
  const std::size_t folder = path.rfind('/', end);
  const std::size_t begin = folder == std::string::npos ? 0 : folder + 1;
  constexpr std::string_view kOld = "pytorch_model", kOldEnd = ".bin";
  const std::string file = path.substr(begin, end - begin);
  if (end == std::string::npos || !file.starts_with(kOld) || !file.ends_with(kOldEnd)) return path;
  const std::string number = file.substr(kOld.size(), file.size() - kOld.size() - kOldEnd.size());
  return path.substr(0, begin) + "model" + number + ".safetensors" + path.substr(end);
}

WeightSet companion_set(const Checkpoint& checkpoint, bool behind) {
  std::vector<NamedTensor> tensors;
  for (const std::uint32_t index : checkpoint.companions) {
    const StoredTensor& tensor = checkpoint.entries[index];
    if (!behind && is_of_module_behind(tensor.path)) continue;
    tensors.push_back({.name = companion_name(tensor.path),
                       .view = tensor.view,
                       .storage = tensor.storage,
                       .readable = tensor.readable,
                       .identity = tensor.identity,
                       .roles = {}});
  }
  return WeightSet(std::move(tensors));
}

void keep_first(ValueNames* lines, std::size_t count) {
  if (lines->size() > count) lines->resize(count);
}

FieldJudgement judge_adapter_field(const std::string& field) {
  const std::string top = field.substr(0, field.find('.'));
  for (const char* harmless : {"inference_mode", "peft_version", "task_type", "revision",
                               "init_lora_weights", "loftq_config", "runtime_config"})
    if (top == harmless) return {FieldEffect::nothing, ""};
  if (top == "lora_dropout") return {FieldEffect::training, ""};
  if (top == "base_model_name_or_path") return {FieldEffect::unknown, "the model it is made for"};
  if (top == "lora_alpha" || top == "r" || top == "use_rslora" || top == "rank_pattern" ||
      top == "alpha_pattern")
    return {FieldEffect::outputs, "the update is scaled otherwise"};
  if (top == "target_modules" || top == "modules_to_save" || top == "layers_to_transform" ||
      top == "layers_pattern" || top == "fan_in_fan_out" || top == "bias" || top == "use_dora" ||
      top == "peft_type")
    return {FieldEffect::outputs, "the update is applied otherwise"};
  return {};
}

/// "h.0.attn.c_attn" where a list names it, or an end of it (peft 0.21:
/// check_target_module_exists).
bool names_layer(const Json& targets, const std::string& layer) {
  return targets.is_array() && std::ranges::any_of(targets, [&](const Json& target) {
           if (!target.is_string()) return false;
           const auto& name = target.get_ref<const std::string&>();
           return layer == name || layer.ends_with("." + name);
         });
}

using AdaptedLayers = std::map<std::string, AdapterFactors>;

/// Whether the lists of both sides name every layer whose factors the files hold.
bool name_all_layers(const Json& a, const Json& b, const AdaptedLayers& layers) {
  return !layers.empty() && std::ranges::all_of(layers, [&](const auto& layer) {
    return names_layer(a.value("target_modules", Json()), layer.first) &&
           names_layer(b.value("target_modules", Json()), layer.first);
  });
}

/// Whether a pattern of rank_pattern or alpha_pattern is a plain name that none of the layers has.
bool fits_no_layer(std::string_view pattern, const AdaptedLayers& layers) {
  const bool plain = std::ranges::all_of(pattern, [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  });
  return plain && !layers.empty() && std::ranges::none_of(layers, [&](const auto& layer) {
           return layer.first.ends_with(pattern);
         });
}

/// Fields that move nothing in these two adapters, whose factors are of the same layers.
std::optional<FieldJudgement> judge_by_layers(const std::string& field, const Json& a,
                                              const Json& b, const AdaptedLayers& layers) {
  const bool lora =
      a.value("peft_type", Json()) == "LORA" && b.value("peft_type", Json()) == "LORA";
  if (lora && field == "fan_in_fan_out")
    return FieldJudgement{FieldEffect::nothing, "peft sets it by the class of each layer"};
  if (field == "target_modules" && name_all_layers(a, b, layers))
    return FieldJudgement{FieldEffect::nothing, "both name every layer whose factors are there"};
  const std::size_t dot = field.find('.');
  const std::string top = field.substr(0, dot);
  const bool is_pattern = top == "rank_pattern" || top == "alpha_pattern";
  if (is_pattern && dot != std::string::npos &&
      fits_no_layer(std::string_view(field).substr(dot + 1), layers))
    return FieldJudgement{FieldEffect::nothing, "no layer of the adapter has that name"};
  return std::nullopt;
}

/// target_modules is a set that peft writes in any order.
Json settled_adapter(Json adapter) {
  for (const char* field : {"target_modules", "modules_to_save", "exclude_modules"}) {
    if (!adapter.contains(field) || !adapter[field].is_array()) continue;
    std::sort(adapter[field].begin(), adapter[field].end());
  }
  return adapter;
}

/// Entries outside the chosen weights and their buffers, by path; optimizer and generator states
/// and other candidates apart, and constants where find_graph_changes() compares them.
std::map<std::string, const StoredTensor*> loose_tensors(const Checkpoint& checkpoint,
                                                         bool with_constants) {
  std::set<std::uint32_t> known(checkpoint.companions.begin(), checkpoint.companions.end());
  for (const Candidate& candidate : checkpoint.candidates) {
    known.insert(candidate.weights.begin(), candidate.weights.end());
    known.insert(candidate.buffers.begin(), candidate.buffers.end());
  }
  std::map<std::string, const StoredTensor*> loose;
  for (std::uint32_t i = 0; i < checkpoint.entries.size(); ++i) {
    const StoredTensor& tensor = checkpoint.entries[i];
    const bool apart = tensor.role == TensorRole::optimizer || tensor.role == TensorRole::rng ||
                       tensor.role == TensorRole::transient ||
                       (tensor.role == TensorRole::other && !with_constants);
    if (known.contains(i) || apart) continue;
    loose[tensor.path] = &tensor;
  }
  return loose;
}

void add_loose(const Subject& a, const Subject& b, ValueDifferences* found) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20U;
  const bool with_constants = !have_like_graphs(a, b);
  const auto left = loose_tensors(*a.checkpoint, with_constants);
  const auto right = loose_tensors(*b.checkpoint, with_constants);
  for (const auto& [path, tensor] : left) {
    const auto other = right.find(path);
    if (other == right.end()) {
      found->details.push_back(path + " stands only in " + a.label);
    } else if (tensor->view.nbytes() > kMostBytes) {
      found->uncertain.push_back(path);
    } else if (!have_equal_values(*tensor, *other->second)) {
      found->details.push_back(path + " differs");
    }
  }
  for (const auto& [path, tensor] : right)
    if (!left.contains(path)) found->details.push_back(path + " stands only in " + b.label);
}

std::string some_lines(const ValueNames& lines) {
  constexpr std::size_t kShown = 6;
  std::string text;
  for (std::size_t i = 0; i < lines.size() && i < kShown; ++i)
    text += (i == 0 ? "" : "; ") + lines[i];
  if (lines.size() > kShown) text += fmt::format("; and {} more", lines.size() - kShown);
  return text;
}

/// Optimizer, generators and other sets of weights of a subject, which no comparison with one of
/// the others read.
ValueNames left_aside(const Checkpoint& checkpoint, const std::vector<const Checkpoint*>& others) {
  ValueNames parts;
  const auto has = [&](TensorRole role) {
    return std::ranges::any_of(checkpoint.entries,
                               [&](const StoredTensor& t) { return t.role == role; });
  };
  if (has(TensorRole::optimizer)) parts.emplace_back("the optimizer's state");
  if (has(TensorRole::rng)) parts.emplace_back("the states of random generators");
  for (std::size_t i = 0; i < checkpoint.candidates.size(); ++i) {
    const Candidate& candidate = checkpoint.candidates[i];
    const auto compared = [&](const Checkpoint* other) {
      const auto pairs = sets_beside(checkpoint, *other);
      return std::ranges::any_of(pairs, [&](const auto& pair) { return pair.first == &candidate; });
    };
    const bool covered = !candidate.weights.empty() && is_part_of_chosen(checkpoint, candidate);
    if (i != checkpoint.chosen && !covered && !std::ranges::all_of(others, compared))
      parts.push_back("the weights under " + candidate.key);
  }
  return parts;
}

/// The subjects that it was compared with: A with all others, these with A.
std::vector<const Checkpoint*> partners(const Report& report, const Subject& subject) {
  std::vector<const Checkpoint*> found;
  const Subject& a = report.subjects[0];
  for (const Subject& other : report.subjects) {
    if (other.checkpoint && (&other == &a) != (&subject == &a)) found.push_back(&*other.checkpoint);
  }
  return found;
}

std::string companion_file(const std::string& name) { return name.substr(0, name.find(':')); }

/// Of names that only `own` has, those of files that the other side has go to `rest`; for the other
/// files a finding each.
void names_of_files(const ValueNames& alone, const WeightSet& other, const Subject& own,
                    const Subject& without, Report& report, ValueNames* rest) {
  std::set<std::string> there;
  for (const NamedTensor& tensor : other.tensors()) there.insert(companion_file(tensor.name));
  std::map<std::string, ValueNames> files;
  for (const std::string& name : alone) {
    const std::string file = companion_file(name);
    (there.contains(file) ? *rest : files[file]).push_back(name);
  }
  for (const auto& [file, names] : files) {
    Finding finding{.cause = "weights.missing",
                    .role = Role::cause,
                    .proof = Proof::observed,
                    .subjects = own.label < without.label ? std::vector{own.label, without.label}
                                                          : std::vector{without.label, own.label}};
    finding.summary = fmt::format(
        "{} has {}, which is loaded beside the first model ({}), and {} has no such file",
        own.label, file, counted(names.size(), "tensor"), without.label);
    finding.evidence = {
        {"count", names.size()}, {"tensors", name_list(names)}, {"side", own.label}};
    finding.remedy =
        fmt::format("Find out whether {} was saved without it, or is another model", without.label);
    add_finding(report, std::move(finding));
  }
}

}  // namespace

void find_state_values(Report& report, const Subject& a, const Subject& b) {
  ValueDifferences found = compare_values(a, b, true);
  for (const std::string& path : found.uncertain) {
    add_gap(report, path + " is too large to be compared in full", Gap::blocking);
  }
  if (found.names.empty()) return;
  Finding finding{.cause = "state.buffers",
                  .role = Role::contributes,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary = found.names.size() == 1
                        ? found.details[0] + ", and loading hands it to the model"
                        : fmt::format(
                              "{} values beside the tensors differ, which loading hands to "
                              "the model: {}",
                              found.names.size(), some_of(found.names));
  if (found.names.size() > 1) {
    finding.details = found.details;
    keep_first(&finding.details, 5);
  }
  finding.evidence = {{"count", found.names.size()}, {"tensors", name_list(found.names)}};
  finding.remedy = "Take this state from the side that is meant";
  add_finding(report, std::move(finding));
}

void find_companion_changes(Report& report, const Subject& a, const Subject& b, int threads) {
  const bool behind = compares_behind(a, b);
  WeightSet left = companion_set(*a.checkpoint, behind);
  WeightSet right = companion_set(*b.checkpoint, behind);
  if (left.tensors().empty() && right.tensors().empty()) return;
  const WeightComparison comparison = compare_weights(left, right, {threads});
  for (const std::string& name : comparison.unreadable) {
    add_gap(report, "the values of " + name + " could not be read", Gap::blocking);
  }
  ValueNames names;
  names_of_files(comparison.only_a, right, a, b, report, &names);
  names_of_files(comparison.only_b, left, b, a, report, &names);
  for (const TensorMatch& match : comparison.matches) {
    const bool same = match.kind == MatchKind::same;
    if (!same && !match.a.empty()) names.push_back(left[match.a[0]].name);
  }
  if (names.empty()) return;
  std::set<std::string> files;
  for (const std::string& name : names) files.insert(companion_file(name));
  Finding finding{.cause = "weights.changed",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary =
      fmt::format("{}, which is loaded beside the first model, differs: {} of {}",
                  some_of({files.begin(), files.end()}), names.size(),
                  counted(std::max(left.tensors().size(), right.tensors().size()), "tensor"));
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  finding.remedy = "Compare these files by themselves: samebits diff takes each of them";
  add_finding(report, std::move(finding));
}

void find_adapter_config_changes(Report& report, const Subject& a, const Subject& b) {
  const Json& left = a.checkpoint->adapter;
  const Json& right = b.checkpoint->adapter;
  if (!left.is_object() || !right.is_object()) return;
  const AdaptedLayers layers = adapter_parts(a).layers;
  const AdaptedLayers others = adapter_parts(b).layers;
  const bool alike = std::ranges::equal(
      layers, others, {}, [](const auto& each) { return each.first; },
      [](const auto& each) { return each.first; });
  const std::vector<FieldDifference> fields = compare_fields(
      fields_of(settled_adapter(left)), fields_of(settled_adapter(right)),
      [&](const std::string& field) {
        const auto known = judge_by_layers(field, left, right, alike ? layers : AdaptedLayers());
        return known ? *known : judge_adapter_field(field);
      });
  for (const bool matters : {true, false}) {
    Finding finding{.cause = "config.changed",
                    .role = matters ? Role::contributes : Role::note,
                    .proof = Proof::observed,
                    .subjects = {a.label, b.label}};
    Json evidence = Json::object();
    for (const FieldDifference& field : fields) {
      const bool does =
          field.effect == FieldEffect::outputs || field.effect == FieldEffect::unknown;
      if (does != matters) continue;
      if (field.effect == FieldEffect::outputs) finding.role = Role::cause;
      evidence[field.field] = Json::array({field.a, field.b});
      finding.details.push_back(fmt::format("{} {} against {}{}", field.field,
                                            field.missing_a ? "absent" : json_text(field.a),
                                            field.missing_b ? "absent" : json_text(field.b),
                                            field.why.empty() ? "" : ": " + field.why));
    }
    if (evidence.empty()) continue;
    finding.summary = fmt::format("{} of adapter_config.json {}", counted(evidence.size(), "field"),
                                  evidence.size() == 1 ? "differs" : "differ");
    finding.evidence = {{"fields", std::move(evidence)}};
    if (matters) finding.remedy = "Give both adapters the config that was trained with";
    add_finding(report, std::move(finding));
  }
}

void list_uncompared(Report& report) {
  const Subject& a = report.subjects[0];
  for (std::size_t i = 1; i < report.subjects.size(); ++i) {
    const Subject& b = report.subjects[i];
    if (!a.checkpoint || !b.checkpoint) continue;
    if (lists_modules_behind(*a.checkpoint) != lists_modules_behind(*b.checkpoint))
      report.not_checked.push_back(
          fmt::format("{}: not compared: the modules behind the model (modules.json), which {} "
                      "does not list",
                      lists_modules_behind(*a.checkpoint) ? a.label : b.label,
                      lists_modules_behind(*a.checkpoint) ? b.label : a.label));
    ValueDifferences found = compare_values(a, b, false);
    add_loose(a, b, &found);
    compare_unread_files(a, b, &found.details, &found.uncertain);
    if (!found.details.empty())
      report.not_checked.push_back(
          fmt::format("{} and {}: what stands beside the weights is not part of this answer: {}",
                      a.label, b.label, some_lines(found.details)));
    if (!found.uncertain.empty())
      report.not_checked.push_back(fmt::format("{} and {}: not compared, beside the weights: {}",
                                               a.label, b.label, some_of(found.uncertain)));
  }
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint) continue;
    const ValueNames parts = left_aside(*subject.checkpoint, partners(report, subject));
    if (!parts.empty())
      report.not_checked.push_back(
          fmt::format("{}: not compared: {}", subject.label, some_of(parts)));
  }
}

}  // namespace samebits
