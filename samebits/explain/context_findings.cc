#include "samebits/explain/context_findings.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "samebits/explain/architectures.h"
#include "samebits/explain/computed_findings.h"
#include "samebits/explain/loaded_dtype.h"
#include "samebits/explain/permuted_labels.h"
#include "samebits/explain/quantization_fields.h"
#include "samebits/explain/script_findings.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/untied_findings.h"
#include "samebits/run/module_config.h"

namespace samebits {
namespace {

using FieldNames = std::vector<std::string>;

Json field_evidence(const std::vector<FieldDifference>& fields) {
  Json evidence = Json::object();
  for (const FieldDifference& field : fields) {
    evidence[field.field] = Json::array(
        {field.missing_a ? Json(nullptr) : field.a, field.missing_b ? Json(nullptr) : field.b});
  }
  return evidence;
}

std::string shown(const FieldDifference& field) {
  std::string text = field.field + " " + (field.missing_a ? "absent" : json_text(field.a)) +
                     " against " + (field.missing_b ? "absent" : json_text(field.b));
  return field.why.empty() ? text : text + ": " + field.why;
}

std::vector<FieldDifference> with_effect(const std::vector<FieldDifference>& fields,
                                         std::initializer_list<FieldEffect> effects) {
  std::vector<FieldDifference> chosen;
  std::copy_if(fields.begin(), fields.end(), std::back_inserter(chosen),
               [&](const FieldDifference& field) {
                 return std::find(effects.begin(), effects.end(), field.effect) != effects.end();
               });
  return chosen;
}

/// `of_modules`: fields in which the modules of a side are not what its config says.
std::string config_summary(const std::vector<FieldDifference>& fields,
                           const std::set<std::string>& of_modules, std::string_view one,
                           std::string_view several) {
  if (fields.size() == 1)
    return fmt::format(
        "{} {} differs, {}",
        of_modules.contains(fields[0].field) ? "what modules compute as" : "the config field",
        fields[0].field, one);
  return fmt::format("{} {}fields differ, {}", fields.size(), of_modules.empty() ? "config " : "",
                     several);
}

/// "Give both models one value of mask_ratio: 0.75 (A) or 0.5 (B)". Long lists and long values
/// stand in the table above.
std::string same_values(const Subject& a, const Subject& b,
                        const std::vector<FieldDifference>& fields) {
  constexpr std::size_t kMostFields = 3;
  const auto is_plain = [](const FieldDifference& f) {
    return f.a.is_primitive() && f.b.is_primitive() && !f.missing_a && !f.missing_b;
  };
  if (fields.size() > kMostFields || !std::ranges::all_of(fields, is_plain))
    return "Give both models the same config";
  std::vector<std::string> parts;
  for (const FieldDifference& f : fields)
    parts.push_back(fmt::format("{}: {} ({}) or {} ({})", f.field, json_text(f.a), a.label,
                                json_text(f.b), b.label));
  return fmt::format("Give both models one value of {}", fmt::join(parts, ", of "));
}

std::string text_field(const Json& json, const char* field) {
  return json.is_object() && json.contains(field) && json[field].is_string()
             ? json[field].get<std::string>()
             : "";
}

/// Pairs of sizes in which weights of one name differ: 120 in A, 128 in B.
std::set<std::pair<std::int64_t, std::int64_t>> unlike_sizes(const Report& report, const Subject& a,
                                                             const Subject& b) {
  std::set<std::pair<std::int64_t, std::int64_t>> sizes;
  const WeightPair* pair = weights_of(report, a, b);
  if (pair == nullptr) return sizes;
  for (const TensorMatch& match : pair->comparison.matches) {
    if (match.kind != MatchKind::changed || match.a.size() != 1 || match.b.size() != 1) continue;
    const Shape& left = weight_entry(a, match.a[0]).view.shape();
    const Shape& right = weight_entry(b, match.b[0]).view.shape();
    for (std::size_t i = 0; left.size() == right.size() && i < left.size(); ++i)
      if (left[i] != right[i]) sizes.emplace(left[i], right[i]);
  }
  return sizes;
}

constexpr const char* kSizeOfWeights = "a size in which weights differ";

/// Fields of no table that say what weights of other shapes say: vocab_size.
void recognize_sizes(const Report& report, const Subject& a, const Subject& b,
                     std::vector<FieldDifference>* fields) {
  const auto sizes = unlike_sizes(report, a, b);
  for (FieldDifference& field : *fields) {
    const bool of_numbers = field.a.is_number_integer() && field.b.is_number_integer();
    if (field.effect != FieldEffect::unknown || !of_numbers ||
        !sizes.contains({field.a.get<std::int64_t>(), field.b.get<std::int64_t>()}))
      continue;
    field.effect = FieldEffect::outputs;
    field.why = kSizeOfWeights;
  }
}

/// Whether tensors of one side have other shapes on the other, or no place.
bool needs_other_tensors(const Report& report, const Subject& a, const Subject& b) {
  const WeightPair* pair = weights_of(report, a, b);
  return pair != nullptr && (!pair->comparison.only_a.empty() || !pair->comparison.only_b.empty() ||
                             !unlike_sizes(report, a, b).empty());
}

/// "layer_types" of three layers and of four.
bool counts_layers(const FieldDifference& field) {
  return field.a.is_array() && field.b.is_array() && field.a.size() != field.b.size();
}

/// Fields that give weights a size, or their number, whatever the class.
bool is_size_in_every_class(std::string_view field) {
  constexpr auto kSizes =
      std::to_array<std::string_view>({"num_labels", "num_hidden_layers", "hidden_size",
                                       "intermediate_size", "vocab_size", "type_vocab_size"});
  return std::ranges::find(kSizes, field.substr(field.rfind('.') + 1)) != kSizes.end();
}

/// What to do about fields that move outputs. Where the weights of each side need its own sizes, a
/// config of the other does not load them.
std::string outputs_remedy(const Report& report, const Subject& a, const Subject& b,
                           const std::vector<FieldDifference>& fields) {
  const std::string one_value =
      same_values(a, b, fields) + "; the one that was meant is in the file that the training wrote";
  if (weights_of(report, a, b) == nullptr) return one_value;
  const bool two_sizes = needs_other_tensors(report, a, b);
  std::vector<FieldDifference> others;
  std::vector<std::string> sizes;
  for (const FieldDifference& field : fields) {
    const bool of_sizes =
        two_sizes ? says_shapes(field.field) || field.why == kSizeOfWeights || counts_layers(field)
                  : is_size_in_every_class(field.field);
    if (of_sizes) {
      sizes.push_back(field.field);
    } else {
      others.push_back(field);
    }
  }
  if (sizes.empty()) return one_value;
  if (two_sizes && others.empty())
    return "The config of each fits its own weights: give neither file that of the other";
  const std::string of_sizes =
      two_sizes ? fmt::format(
                      "The weights of each need the {} of its own config: give neither file that "
                      "of the other",
                      some_of(sizes))
                : fmt::format(
                      "The weights of both have one size, and so one of the configs is not "
                      "theirs: give both the {} that the weights have; samebits check of each "
                      "says what its config would leave random",
                      some_of(sizes));
  return others.empty() ? of_sizes : of_sizes + ". Of the rest: " + same_values(a, b, others);
}

/// The classes that a model is made of, without the wrappers around it.
std::set<std::string> model_classes(const Checkpoint& checkpoint) {
  std::set<std::string> classes;
  for (const ModuleRecord& module : checkpoint.modules) {
    if (!module.class_path.starts_with("__main__.")) classes.insert(module.class_path);
  }
  return classes;
}

/// "3, 0, 0, 16, ..." where the tensor is a table of positions, or of token types, and holds
/// something else than every class of transformers builds (0, 1, 2, ...; all 0); else "".
std::string wrong_positions(const NamedTensor& tensor) {
  const bool positions = tensor.name.ends_with("position_ids");
  const bool types = tensor.name.ends_with("token_type_ids");
  const TensorView& view = tensor.view;
  if ((!positions && !types) || !tensor.readable || view.dtype() != DType::int64) return "";
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = view.row_major_bytes(buffer);
  const std::uint64_t length =
      view.shape().empty() ? 1 : static_cast<std::uint64_t>(view.shape().back());
  std::string first;
  bool wrong = false;
  for (std::uint64_t i = 0; i < view.numel(); ++i) {
    std::uint64_t bits = 0;
    for (std::size_t byte = 8; byte-- > 0;) bits = bits << 8 | bytes[8 * i + byte];
    const auto value = static_cast<std::int64_t>(bits);
    if (i < 5) first += std::to_string(value) + ", ";
    wrong = wrong || value != (positions ? static_cast<std::int64_t>(i % length) : 0);
  }
  return wrong ? first + "..." : "";
}

/// Buffers that state_dict() leaves out, in one file only: what the other side's class builds is
/// known of positions and plain rotary frequencies.
void find_buffers_of_one(Report& report, const Subject& owner, const Subject& a, const Subject& b,
                         const WeightSet& present, const FieldNames& alone) {
  if (alone.empty()) return;
  Finding finding{.cause = "state.buffers",
                  .role = Role::note,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  FieldNames names;
  FieldNames wrong;
  for (const std::string& name : alone) {
    const NamedTensor& tensor = present[present.find(name).value()];
    names.push_back(name);
    const bool own = owner.checkpoint->config.is_object();
    const Subject& other = &owner == &a ? b : a;
    if (tensor.readable &&
        contradicts_rope(own ? owner.checkpoint->config : other.checkpoint->config, tensor.name,
                         tensor.view)) {
      wrong.push_back(tensor.name);
      finding.details.push_back(
          fmt::format("{} holds frequencies in {} that rope_theta of the config does not give",
                      tensor.name, owner.label));
      continue;
    }
    const std::string held = wrong_positions(tensor);
    if (held.empty()) continue;
    wrong.push_back(tensor.name);
    finding.details.push_back(
        fmt::format("{} holds {} in {}, where a newly built model has {}", tensor.name, held,
                    owner.label, tensor.name.ends_with("position_ids") ? "0, 1, 2, ..." : "zeros"));
  }
  if (wrong.empty()) {
    finding.summary = fmt::format(
        "{} carries {}; the other side's class rebuilds {} when it is constructed", owner.label,
        counted(names.size(), "non-persistent buffer"), names.size() == 1 ? "it" : "them");
    finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  } else {
    finding.role = Role::contributes;
    finding.summary =
        fmt::format("{} in {} {} not what a class builds, and no state_dict() shows it",
                    some_of(wrong), owner.label, wrong.size() == 1 ? "is" : "are");
    finding.evidence = {{"count", wrong.size()}, {"tensors", name_list(wrong)}};
    finding.remedy =
        "Build the model anew and load the state_dict into it: its buffers are then right";
  }
  add_finding(report, std::move(finding));
}

/// What outputs are called: classes by id2label, fields of what a forward pass returns.
void find_other_names(Report& report, const Subject& a, const Subject& b,
                      const std::vector<FieldDifference>& fields) {
  std::vector<FieldDifference> classes;
  std::vector<FieldDifference> returned;
  for (const FieldDifference& field : fields)
    (field.field.ends_with("return_dict") ? returned : classes).push_back(field);
  add_fields(report, "config.changed", Role::risk, a, b, returned,
             "one side returns a tuple: code that reads its outputs by name raises",
             "Set return_dict to true, or take it out of the config");
  const WeightPair* weights = weights_of(report, a, b);
  if (weights != nullptr && !rows_with_their_labels(report, *weights).empty())
    return add_fields(
        report, "config.changed", Role::note, a, b, classes,
        "the names of classes stand in another order, as the rows of the classifier do", "");
  add_fields(
      report, "config.changed", Role::risk, a, b, classes,
      "classes are named otherwise: one output means another class to whoever reads id2label",
      "Give both the names in the order in which the head was trained");
}

/// A config.json as timm.models.save_for_hf writes it.
bool is_of_timm(const Json& config) {
  return config.contains("architecture") && !config.contains("model_type");
}

/// The config inside of a larger model's that is of the other side's model type, where there is
/// one: a tower saved alone is compared with what the whole says of it.
Json part_like(const Json& config, const Json& other) {
  const auto type = [](const Json& json) {
    return json.is_object() && json.contains("model_type") && json["model_type"].is_string()
               ? json["model_type"].get<std::string>()
               : std::string();
  };
  const std::string wanted = type(other);
  if (wanted.empty() || wanted == type(config)) return config;
  for (const auto& [name, value] : config.items())
    if (type(value) == wanted) return value;
  return config;
}

}  // namespace

void add_fields(Report& report, const char* cause, Role role, const Subject& a, const Subject& b,
                const std::vector<FieldDifference>& fields, const std::string& summary,
                const std::string& remedy) {
  if (fields.empty()) return;
  Finding finding{
      .cause = cause, .role = role, .proof = Proof::observed, .subjects = {a.label, b.label}};
  finding.summary = summary;
  for (std::size_t i = 0; i < fields.size() && i < 6; ++i)
    finding.details.push_back(shown(fields[i]));
  finding.evidence = {{"fields", field_evidence(fields)}};
  finding.remedy = remedy;
  add_finding(report, std::move(finding));
}

void find_config_changes(Report& report, const Subject& a, const Subject& b) {
  const Checkpoint& left = *a.checkpoint;
  const Checkpoint& right = *b.checkpoint;
  if (!left.config.is_object() || !right.config.is_object()) return;
  if (is_of_timm(left.config) != is_of_timm(right.config))
    return add_gap(
        report,
        fmt::format("the config of {} is timm's and that of {} is not: their fields were "
                    "not compared (heads, eps, pooling)",
                    is_of_timm(left.config) ? a.label : b.label,
                    is_of_timm(left.config) ? b.label : a.label),
        Gap::open);
  const ModuleConfig own = module_config(left, left.config);
  const ModuleConfig other = module_config(right, right.config);
  std::set<std::string> of_modules;
  for (const ModuleConfig* modules : {&own, &other}) {
    for (const ConfigCorrection& each : modules->corrections) of_modules.insert(each.field);
  }
  FieldsPair pair{
      a.label, b.label,
      compare_configs(part_like(own.config, other.config), part_like(other.config, own.config),
                      left.model_type, {weights_dtype(left), weights_dtype(right)})};
  const bool two = are_two_architectures(report, a, b);
  // A field of one type alone says nothing of the other.
  if (two)
    std::erase_if(pair.fields, [](const FieldDifference& f) { return f.missing_a || f.missing_b; });
  recognize_sizes(report, a, b, &pair.fields);
  settle_quantization_fields(a, b, &pair.fields);
  if (is_tied_in_values_alone(report, a, b)) {
    const auto tie = std::ranges::find(pair.fields, "tie_word_embeddings", &FieldDifference::field);
    if (tie != pair.fields.end()) {
      tie->effect = FieldEffect::training;
      tie->why = "both output layers hold the embeddings' values, until one is trained";
    }
  }
  const auto outputs = with_effect(pair.fields, {FieldEffect::outputs});
  const auto unknown = with_effect(pair.fields, {FieldEffect::unknown});
  const auto numerics = with_effect(pair.fields, {FieldEffect::numerics});
  const auto version = with_effect(pair.fields, {FieldEffect::version});
  const auto labels = with_effect(pair.fields, {FieldEffect::labels});
  const auto inputs = with_effect(pair.fields, {FieldEffect::input});
  const auto harmless = with_effect(pair.fields, {FieldEffect::training, FieldEffect::nothing});
  add_fields(report, "config.changed", Role::cause, a, b, outputs,
             config_summary(outputs, of_modules, "and it moves outputs", "and they move outputs"),
             two                   ? kOfOneModel
             : !of_modules.empty() ? "Build both models from the config that was meant, and load "
                                     "the weights into them"
                                   : outputs_remedy(report, a, b, outputs));
  add_fields(report, "config.changed", Role::contributes, a, b, unknown,
             config_summary(unknown, of_modules, kMeaningNotKnown, kMeaningNotKnown),
             two ? kOfOneModel : "Look them up in the class that reads them");
  add_fields(report, "config.changed", Role::contributes, a, b, version,
             config_summary(version, of_modules, "and it moves outputs in transformers 4 alone",
                            "and they move outputs in transformers 4 alone"),
             two ? kOfOneModel : same_values(a, b, version));
  add_fields(report, "config.changed", Role::risk, a, b, numerics,
             config_summary(numerics, of_modules, "which changes how outputs are rounded",
                            "which change how outputs are rounded"),
             "Set these fields explicitly when loading");
  find_other_names(report, a, b, labels);
  add_fields(report, "input.preprocessing",
             report.command == "diff" ? Role::contributes : Role::risk, a, b, inputs,
             inputs.size() == 1
                 ? fmt::format("images are prepared differently: {}",
                               inputs.empty() ? "" : inputs[0].field)
                 : fmt::format("images are prepared differently: {} fields", inputs.size()),
             "Use one pretrained_cfg for both");
  add_fields(report, "config.changed", Role::note, a, b, harmless,
             config_summary(harmless, of_modules, "without effect on outputs in eval mode",
                            "without effect on outputs in eval mode"),
             "");
  report.config.push_back(std::move(pair));
}

void find_preprocessing_changes(Report& report, const Subject& a, const Subject& b, Role role) {
  const Json& left = a.checkpoint->preprocessing;
  const Json& right = b.checkpoint->preprocessing;
  if (!left.is_object() || !right.is_object()) return;
  const bool audio = prepares_audio(left) || prepares_audio(right);
  FieldsPair pair{a.label, b.label, compare_preprocessing(left, right), audio};
  const auto matters =
      with_effect(pair.fields, {FieldEffect::outputs, FieldEffect::numerics, FieldEffect::unknown});
  const auto harmless = with_effect(pair.fields, {FieldEffect::training, FieldEffect::nothing});
  const char* input = audio ? "audio is" : "images are";
  const std::string summary =
      matters.size() == 1
          ? fmt::format("{} prepared differently: {}", input, matters[0].field)
          : fmt::format("{} prepared differently: {} fields", input, matters.size());
  add_fields(report, "input.preprocessing", role, a, b, matters, summary,
             "Use one preprocessor_config.json for both");
  add_fields(report, "input.preprocessing", Role::note, a, b, harmless,
             "preprocessing is written differently and means the same", "");
  report.preprocessing.push_back(std::move(pair));
}

void find_mode_changes(Report& report, const Subject& a, const Subject& b) {
  if (a.checkpoint->modules.empty() || b.checkpoint->modules.empty()) return;
  if (has_mode_in_code(*a.checkpoint) || has_mode_in_code(*b.checkpoint)) return;
  FieldNames active;
  FieldNames unknown;
  FieldNames all;
  for (const ModeDifference& difference :
       compare_modes(a.checkpoint->modules, b.checkpoint->modules)) {
    const std::string name = difference.module.empty() ? "the root" : difference.module;
    all.push_back(name);
    if (difference.effect == ModeEffect::random || difference.effect == ModeEffect::statistics)
      active.push_back(name);
    if (difference.effect == ModeEffect::unknown) unknown.push_back(name);
  }
  if (all.empty()) return;
  const bool matters = !active.empty();
  Finding finding{.cause = "mode.training",
                  .role = matters ? Role::cause : Role::note,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  const FieldNames& named = matters ? active : all;
  finding.summary = fmt::format(
      "{} {} in training mode on one side only, {}", counted(all.size(), "module"),
      all.size() == 1 ? "is" : "are",
      matters ? "and it changes outputs" : "none of them dropout or batch norm that acts on it");
  if (matters)
    finding.details.push_back(
        "dropout or batch norm acts in " + active[0] +
        (active.size() > 1 ? fmt::format(" and {} more", active.size() - 1) : ""));
  if (!unknown.empty()) {
    finding.details.push_back("whether own code uses the flag is not known: " + unknown[0] +
                              (unknown.size() > 1 ? " and others" : ""));
  }
  finding.evidence = {{"modules", name_list(named)}};
  finding.remedy = "Call eval() on both after loading";
  add_finding(report, std::move(finding));
}

void find_buffer_changes(Report& report, const Subject& a, const Subject& b, int threads) {
  if (!a.checkpoint->has_weights() || !b.checkpoint->has_weights()) return;
  WeightSet left = buffer_set(*a.checkpoint, a.checkpoint->weights());
  WeightSet right = buffer_set(*b.checkpoint, b.checkpoint->weights());
  if (left.tensors().empty() && right.tensors().empty()) return;
  const WeightComparison comparison = compare_weights(left, right, {threads});
  if (says_equal(comparison.verdict)) return;
  find_buffers_of_one(report, a, a, b, left, comparison.only_a);
  find_buffers_of_one(report, b, a, b, right, comparison.only_b);
  FieldNames names;
  for (const TensorMatch& match : comparison.matches) {
    if (match.kind == MatchKind::changed || match.kind == MatchKind::exchanged ||
        match.kind == MatchKind::rounded)
      names.push_back(left.tensors()[match.a.at(0)].name);
  }
  if (names.empty()) return;
  Finding finding{.cause = "state.buffers",
                  .role = Role::contributes,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary =
      fmt::format("{}, which no state_dict() shows",
                  counted(names.size(), "non-persistent buffer", "differs", "differ"));
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  finding.remedy =
      "Build both models by the same code and version, or copy these buffers from one to the other";
  add_finding(report, std::move(finding));
}

void find_version_changes(Report& report, const Subject& a, const Subject& b) {
  Json evidence = Json::object();
  FieldNames details;
  for (const char* library : {"transformers", "torch", "lightning"}) {
    const std::string left = text_field(a.checkpoint->producer, library);
    const std::string right = text_field(b.checkpoint->producer, library);
    if (left.empty() || right.empty() || left == right) continue;
    evidence[library] = Json::array({left, right});
    details.push_back(
        fmt::format("{} {} wrote {}, {} wrote {}", library, left, a.label, right, b.label));
  }
  const auto left = model_classes(*a.checkpoint);
  const auto right = model_classes(*b.checkpoint);
  FieldNames other;
  std::set_symmetric_difference(left.begin(), left.end(), right.begin(), right.end(),
                                std::back_inserter(other));
  const bool script = a.checkpoint->program || b.checkpoint->program;  // whose code is compared
  if (!left.empty() && !right.empty() && !other.empty() && !script) {
    evidence["classes"] = name_list(other);
    details.push_back(other.size() == 1
                          ? "a class of the modules stands on one side only: " + other[0]
                          : fmt::format("{} classes of the modules stand on one side only, {} "
                                        "among them",
                                        other.size(), other[0]));
  }
  if (details.empty()) return;
  Finding finding{.cause = "code.version",
                  .role = Role::note,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  const bool classes = evidence.contains("classes");
  const bool versions = evidence.size() > (classes ? 1U : 0U);
  finding.summary = !versions ? "the modules of the two are not all of the same classes"
                    : classes ? "other versions wrote the two files, and their modules are not all "
                                "of the same classes"
                              : "other versions wrote the two files";
  finding.details = std::move(details);
  finding.evidence = std::move(evidence);
  add_finding(report, std::move(finding));
}

}  // namespace samebits
