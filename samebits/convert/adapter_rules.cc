#include "samebits/convert/adapter_rules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "samebits/base/mapped_file.h"

namespace samebits {
namespace {

constexpr std::string_view kConfigName = "adapter_config.json";

/// Fields that are known here, or change nothing in a merge. Any other one is to be off: absent,
/// null, false or empty.
constexpr auto kKnown = std::to_array<std::string_view>({"auto_mapping",
                                                         "base_model_name_or_path",
                                                         "revision",
                                                         "task_type",
                                                         "inference_mode",
                                                         "peft_type",
                                                         "peft_version",
                                                         "r",
                                                         "lora_alpha",
                                                         "lora_dropout",
                                                         "target_modules",
                                                         "exclude_modules",
                                                         "fan_in_fan_out",
                                                         "bias",
                                                         "use_rslora",
                                                         "modules_to_save",
                                                         "use_dora",
                                                         "init_lora_weights",
                                                         "layers_to_transform",
                                                         "layers_pattern",
                                                         "rank_pattern",
                                                         "alpha_pattern",
                                                         "megatron_core",
                                                         "qalora_group_size",
                                                         "eva_config"});
/// Initial values of the factors alone. The others take what they give to the factors off the base.
constexpr auto kPlainStarts = std::to_array<std::string_view>({"gaussian", "orthogonal", "eva"});

bool is_on(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  return !value.empty();  // null is empty, too
}

bool is_on(const Json& config, const char* name) {
  const auto found = config.find(name);
  return found != config.end() && is_on(*found);
}

Error config_error(const std::string& path, ErrorCode code, std::string what) {
  return {.code = code,
          .what = std::move(what),
          .file = path,
          .hint = "Merge it with peft: model.merge_and_unload()"};
}

Result<void> check_kind(const Json& config, const std::string& path) {
  const auto type = config.find("peft_type");
  if (type == config.end() || !type->is_string())
    return fail(config_error(path, ErrorCode::malformed, "it names no peft_type"));
  if (*type != "LORA")
    return fail(config_error(
        path, ErrorCode::unsupported,
        "peft_type is " + type->get<std::string>() + ", and only LORA is merged here"));
  for (const auto& [name, value] : config.items())
    if (is_on(value) && std::ranges::find(kKnown, name) == kKnown.end())
      return fail(
          config_error(path, ErrorCode::unsupported,
                       fmt::format("{} is {}, which is not merged here", name, json_text(value))));
  const auto start = config.find("init_lora_weights");
  if (start != config.end() && start->is_string() &&
      std::ranges::find(kPlainStarts, start->get<std::string>()) == kPlainStarts.end())
    return fail(config_error(path, ErrorCode::unsupported,
                             "init_lora_weights is " + start->get<std::string>() +
                                 ", which changes the base weights before they are merged"));
  return {};
}

/// Keys of a pattern are regular expressions to peft; names alone are read here.
Result<void> check_pattern(const Json& config, const char* name, const std::string& path) {
  if (!is_on(config, name)) return {};
  const Json& pattern = config[name];
  const auto is_plain = [](const auto& item) {
    return item.key().find_first_of("^$*+?()[]{}|\\") == std::string::npos &&
           item.value().is_number() && item.value().template get<double>() > 0;
  };
  bool plain = pattern.is_object();
  if (plain)
    for (const auto& item : pattern.items()) plain = plain && is_plain(item);
  if (plain) return {};
  return fail(config_error(
      path, ErrorCode::unsupported,
      fmt::format("{} is {}: only names with numbers are read here", name, json_text(pattern))));
}

/// The number that the first fitting key of a pattern gives, else that of the field.
std::optional<double> value_for(const Json& config, const char* pattern, const char* field,
                                const std::string& layer) {
  if (is_on(config, pattern))
    for (const auto& [key, value] : config[pattern].items())
      if (layer == key || layer.ends_with("." + key)) return value.get<double>();
  const auto found = config.find(field);
  if (found == config.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

}  // namespace

Result<double> AdapterRules::scale(const std::string& layer, std::int64_t rank) const {
  const auto said = value_for(config, "rank_pattern", "r", layer);
  const auto alpha = value_for(config, "alpha_pattern", "lora_alpha", layer);
  if (!said || !alpha || static_cast<double>(rank) != *said)
    return fail({.code = ErrorCode::inconsistent,
                 .what = fmt::format("the factors of {} have rank {}, which its config does not "
                                     "give that layer (r, rank_pattern, lora_alpha)",
                                     layer, rank),
                 .hint = "Give the adapter_config.json that the factors were saved with"});
  const auto divisor = static_cast<double>(rank);
  return *alpha / (is_on(config, "use_rslora") ? std::sqrt(divisor) : divisor);
}

Result<AdapterRules> read_adapter_rules(const std::string& folder) {
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(folder, error);
  const std::string path = is_folder ? folder + "/" + std::string(kConfigName) : folder;
  SAMEBITS_TRY(const auto file, MappedFile::open(path));
  AdapterRules rules;
  SAMEBITS_TRY(rules.config, parse_json(file->bytes(), path));
  if (!rules.config.is_object())
    return fail(config_error(path, ErrorCode::malformed, "it is no JSON object"));
  SAMEBITS_TRY_VOID(check_kind(rules.config, path));
  for (const char* name : {"rank_pattern", "alpha_pattern"})
    SAMEBITS_TRY_VOID(check_pattern(rules.config, name, path));
  rules.transposed = is_on(rules.config, "fan_in_fan_out");
  rules.dora = is_on(rules.config, "use_dora");
  return rules;
}

}  // namespace samebits
