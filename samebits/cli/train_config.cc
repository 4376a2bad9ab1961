#include "samebits/cli/train_config.h"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "samebits/base/json.h"
#include "samebits/base/mapped_file.h"

namespace samebits {
namespace {

constexpr const char* kOption = "--config";

[[noreturn]] void refuse_config(const std::string& path, const std::string& what) {
  throw CLI::ValidationError(kOption, path + ": " + what);
}

Json read_config_object(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!file) refuse_config(path, file.error().what);
  Result<Json> json = parse_json((*file)->bytes(), path);
  if (!json) refuse_config(path, json.error().what);
  if (!json->is_object()) refuse_config(path, "it is no JSON object");
  return *std::move(json);
}

bool is_model_config(const Json& json) {
  for (const char* field : {"model_type", "architectures", "hidden_size"}) {
    if (json.contains(field)) return true;
  }
  return false;
}

std::string text_of_value(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// "save_every" and "save-every" are --save-every, "model" is MODEL.
CLI::Option* option_of_member(CLI::App* command, std::string name) {
  if (name == "model") return command->get_option_no_throw("MODEL");
  std::ranges::replace(name, '_', '-');
  return command->get_option_no_throw("--" + name);
}

/// Gives the options what the file says, but for those that the command line has.
void give_options(CLI::App* command, const Json& json, const std::string& path,
                  const std::set<const CLI::Option*>& given) {
  for (const auto& [name, value] : json.items()) {
    CLI::Option* option = option_of_member(command, name);
    if (option == nullptr || option->get_name() == kOption)
      refuse_config(path, name + " is no option of samebits train");
    const auto excluded = option->get_excludes();
    const bool other = std::ranges::any_of(
        excluded, [&](const CLI::Option* each) { return given.contains(each); });
    if (given.contains(option) || other || value.is_null() || value == false) continue;
    for (const Json& each : value.is_array() ? value : Json::array({value}))
      option->add_result(text_of_value(each));
  }
}

}  // namespace

void add_train_config(CLI::App* command, std::string* model_config) {
  command
      ->add_option_function<std::vector<std::string>>(
          kOption,
          [command, model_config](const std::vector<std::string>& paths) {
            std::set<const CLI::Option*> given;
            for (const CLI::Option* each : command->get_options()) {
              if (each->count() > 0) given.insert(each);
            }
            for (const std::string& path : paths) {
              const Json json = read_config_object(path);
              if (is_model_config(json))
                *model_config = path;
              else
                give_options(command, json, path, given);
            }
          },
          "options of the training as JSON, {\"batch\": 8, \"lr\": 0.001}, for what the command "
          "line does not say; or the config.json of a model that carries none, beside which "
          "preprocessor_config.json is the model's, too")
      ->type_name("FILE")
      ->allow_extra_args(false);
}

}  // namespace samebits
