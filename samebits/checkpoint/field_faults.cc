#include "samebits/checkpoint/field_faults.h"

#include <map>

#include <fmt/format.h>

#include "samebits/family/field_ranges.h"

namespace samebits {
namespace {

constexpr std::size_t kMostFaults = 20;  // of modules: the rest is counted

struct FaultOfModules {
  Error error;
  std::string first;  // path of a module
  std::size_t modules = 0;
};

/// What a config object of a module's own says is a fault of that module.
std::vector<Error> faults_of(const ModuleRecord& module) {
  std::vector<Error> faults = module_faults(module.hyper, module.class_path);
  if (!module.hyper.is_object()) return faults;
  const auto config = module.hyper.find("config");
  if (config == module.hyper.end()) return faults;
  for (Error& error : config_faults(*config, "")) faults.push_back(std::move(error));
  return faults;
}

void find_module_faults(Checkpoint& checkpoint) {
  std::vector<FaultOfModules> faults;
  std::map<std::string, std::size_t> known;
  std::size_t left_out = 0;
  for (const ModuleRecord& module : checkpoint.modules) {
    for (Error& error : faults_of(module)) {
      const std::string key = module.class_path + "\n" + error.what + "\n" + error.found;
      const auto [at, is_new] = known.emplace(key, faults.size());
      if (is_new && faults.size() == kMostFaults) {
        known.erase(at);
        ++left_out;
        continue;
      }
      if (is_new) faults.push_back({std::move(error), module.path, 0});
      ++faults[at->second].modules;
    }
  }
  for (FaultOfModules& fault : faults) {
    const std::string place = fault.first.empty() ? "the root" : "the module " + fault.first;
    const std::string others =
        fault.modules == 1 ? "" : fmt::format(" and {} others", fault.modules - 1);
    fault.error.what = fmt::format("{}{}: {}", place, others, fault.error.what);
    fault.error.file = checkpoint.path;
    checkpoint.module_faults.push_back(std::move(fault.error));
  }
  if (left_out > 0)
    checkpoint.module_faults.push_back(
        {.code = ErrorCode::malformed,
         .what = fmt::format("{} more attributes of modules are not usable", left_out),
         .file = checkpoint.path});
}

void add(std::vector<Error> faults, std::vector<Error>* to) {
  for (Error& error : faults) to->push_back(std::move(error));
}

}  // namespace

void find_field_faults(Checkpoint& checkpoint) {
  add(config_faults(checkpoint.config, checkpoint.file_beside("config.json")),
      &checkpoint.config_faults);
  add(processor_faults(checkpoint.preprocessing,
                       checkpoint.file_beside("preprocessor_config.json")),
      &checkpoint.preprocessing_faults);
  find_module_faults(checkpoint);
}

void derive_from_config(Checkpoint& checkpoint) {
  if (!checkpoint.config.is_object()) return;
  const auto text = [&](const char* field) {
    return checkpoint.config.contains(field) && checkpoint.config[field].is_string()
               ? checkpoint.config[field].get<std::string>()
               : std::string();
  };
  checkpoint.model_type = text("model_type");
  // The config of a pickled module keeps the version that wrote the file which it was loaded from.
  if (!checkpoint.modules.empty()) return;
  if (const std::string version = text("transformers_version"); !version.empty())
    checkpoint.producer["transformers"] = version;
}

}  // namespace samebits
