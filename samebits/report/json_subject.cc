#include "samebits/report/json_subject.h"

#include <array>
#include <map>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/script_program.h"
#include "samebits/checkpoint/torch_load.h"
#include "samebits/explain/scope.h"

namespace samebits {
namespace {

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }
Json text_or_null(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

void make_finite(Json* value, std::uint32_t depth) {
  if (depth > kLimits.json_depth) {
    *value = "(nested too deeply to show)";
  } else if (value->is_number_float()) {
    *value = json_number(value->get<double>());
  } else if (value->is_structured()) {
    for (Json& member : *value) make_finite(&member, depth + 1);
  }
}

const std::string& file_path(const Checkpoint& checkpoint, std::uint32_t file) {
  return checkpoint.files.at(file).path;
}

Json mode_json(const Checkpoint& checkpoint) {
  if (checkpoint.modules.empty()) return {};
  return {{"modules", checkpoint.modules.size()}, {"training", checkpoint.training_modules()}};
}

Json buffers_json(const Checkpoint& checkpoint) {
  Json names = Json::array();
  if (!checkpoint.has_weights()) return names;
  for (const std::uint32_t index : checkpoint.weights().buffers) {
    names.push_back(checkpoint.entries.at(index).name);
  }
  return names;
}

Json alternatives_json(const Checkpoint& checkpoint) {
  Json keys = Json::array();
  for (std::size_t i = 0; i < checkpoint.candidates.size(); ++i) {
    if (i != checkpoint.chosen) keys.push_back(checkpoint.candidates[i].key);
  }
  return keys;
}

Json entries_json(const Report& report, const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  Json entries = Json::array();
  for (std::size_t i = 0; i < checkpoint.entries.size(); ++i) {
    const StoredTensor& tensor = checkpoint.entries[i];
    if (!is_listed(report, tensor)) continue;
    Json entry = {{"name", tensor.path},
                  {"state_dict_name", text_or_null(tensor.name)},
                  {"role", role_name(tensor.role)},
                  {"dtype", std::string(info(tensor.view.dtype()).torch)},
                  {"shape", tensor.view.shape()},
                  {"nbytes", tensor.view.nbytes()},
                  {"file", file_path(checkpoint, tensor.file)},
                  {"offset", tensor.readable ? Json(tensor.offset) : Json()},
                  {"note", text_or_null(tensor.note)}};
    if (i < subject.digests.size()) entry["sha256"] = text_or_null(subject.digests[i]);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Json calls_json(const Checkpoint& checkpoint) {
  Json calls = Json::array();
  for (const CallSummary& call : checkpoint.calls) {
    calls.push_back({{"global", call.global},
                     {"count", call.count},
                     {"plain", call.plain},
                     {"constructs", call.constructs},
                     {"how", call.how},
                     {"arguments", text_or_null(call.arguments)},
                     {"file", call.beside.empty() ? file_path(checkpoint, call.file) : call.beside},
                     {"offset", call.offset}});
  }
  return calls;
}

Json unusual_imports_json(const Checkpoint& checkpoint) {
  Json names = Json::array();
  for (const UnusualImport& import : checkpoint.unusual_imports) names.push_back(import.global);
  return names;
}

Json training_json(const TrainingState& state) {
  return {{"optimizer", text_or_null(state.optimizer)},
          {"step", text_or_null(state.step)},
          {"scheduler", text_or_null(state.scheduler)},
          {"scaler", text_or_null(state.scaler)},
          {"rng", text_or_null(state.rng)},
          {"sampler", text_or_null(state.sampler)},
          {"ema", text_or_null(state.ema)},
          {"values", finite_json(state.values)}};
}

Json code_json(const ScriptProgram& program) {
  return {{"way", program.way},
          {"version", text_or_null(program.version)},
          {"classes", program.units.size()},
          {"sha256", program_digest(program)}};
}

Json modules_json(const Checkpoint& checkpoint) {
  Json modules = Json::array();
  for (const ModuleRecord& module : checkpoint.modules) {
    modules.push_back({{"path", module.path},
                       {"class", module.class_path},
                       {"training", module.training},
                       {"hyper", finite_json(module.hyper)},
                       {"hooks", module.hooks}});
  }
  return modules;
}

Json oddities_json(const Checkpoint& checkpoint) {
  Json oddities = Json::array();
  for (const Oddity& oddity : checkpoint.oddities) {
    oddities.push_back({{"kind", oddity_name(oddity.kind)},
                        {"summary", oddity.summary},
                        {"file", file_path(checkpoint, oddity.file)},
                        {"offset", oddity.offset ? Json(*oddity.offset) : Json()},
                        {"tensors", oddity.tensors}});
  }
  return oddities;
}

constexpr std::array kUses = {ByteUse::weights,       ByteUse::buffers,   ByteUse::optimizer,
                              ByteUse::other_tensors, ByteUse::structure, ByteUse::padding,
                              ByteUse::unreferenced};

Json bytes_json(const Checkpoint& checkpoint) {
  struct Account {
    std::map<ByteUse, std::uint64_t> uses;
    Json unreferenced = Json::array();
  };
  std::vector<Account> accounts(checkpoint.files.size());
  for (const ByteRange& range : checkpoint.bytes) {
    Account& account = accounts.at(range.file);
    account.uses[range.use] += range.end - range.begin;
    if (range.use == ByteUse::unreferenced) {
      account.unreferenced.push_back(Json::array({range.begin, range.end}));
    }
  }
  Json files = Json::array();
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    const SourceFile& file = checkpoint.files[i];
    Json uses = Json::object();
    for (const ByteUse use : kUses) uses[byte_use_name(use)] = accounts[i].uses[use];
    files.push_back({{"file", file.path},
                     {"container", file.container},
                     {"size", file.map ? Json(file.map->size()) : Json()},
                     {"uses", std::move(uses)},
                     {"unreferenced_ranges", std::move(accounts[i].unreferenced)}});
  }
  return files;
}

}  // namespace

Json finite_json(Json value) {
  make_finite(&value, 0);
  return value;
}

Json subject_json(const Subject& subject) {
  Json json = {{"label", subject.label}, {"path", subject.path}};
  if (!subject.checkpoint) {
    for (const char* key :
         {"kind", "description", "model_type", "tensors", "parameters", "config", "config_from",
          "preprocessing", "mode", "producer", "weights_from", "weights_reason"}) {
      json[key] = nullptr;
    }
    json["alternatives"] = Json::array();
    json["buffers"] = Json::array();
    json["devices"] = Json::array();
    json["code"] = nullptr;
    return json;
  }
  const Checkpoint& checkpoint = *subject.checkpoint;
  const bool has_weights = checkpoint.has_weights();
  json["kind"] = kind_name(checkpoint.kind);
  json["description"] = text_or_null(checkpoint.description);
  json["model_type"] = text_or_null(checkpoint.model_type);
  json["tensors"] = has_weights ? checkpoint.weights().weights.size() : 0;
  json["parameters"] = has_weights ? checkpoint.parameters() : 0;
  json["config"] = finite_json(checkpoint.config);
  json["config_from"] = text_or_null(checkpoint.config_from);
  json["preprocessing"] = finite_json(checkpoint.preprocessing);
  json["mode"] = mode_json(checkpoint);
  json["producer"] = finite_json(checkpoint.producer);
  json["weights_from"] = has_weights ? Json(checkpoint.weights().key) : Json();
  json["weights_reason"] = text_or_null(checkpoint.choice_reason);
  json["alternatives"] = alternatives_json(checkpoint);
  json["buffers"] = buffers_json(checkpoint);
  json["devices"] = devices(checkpoint);
  json["code"] = checkpoint.program ? code_json(*checkpoint.program) : Json();
  return json;
}

void add_contents(const Report& report, const Subject& subject, Json* json) {
  if (!subject.checkpoint) return;
  const Checkpoint& checkpoint = *subject.checkpoint;
  (*json)["entries"] = entries_json(report, subject);
  (*json)["calls"] = calls_json(checkpoint);
  (*json)["imports"] = checkpoint.imports;
  (*json)["unusual_imports"] = unusual_imports_json(checkpoint);
  (*json)["training"] = training_json(checkpoint.training);
  (*json)["modules"] = modules_json(checkpoint);
  (*json)["oddities"] = oddities_json(checkpoint);
  (*json)["bytes"] = bytes_json(checkpoint);
}

}  // namespace samebits
