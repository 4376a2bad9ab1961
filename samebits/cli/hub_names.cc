#include "samebits/cli/hub_names.h"

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "samebits/checkpoint/hub_cache.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// "~/models" as Python's expanduser has it.
std::string with_home(const std::string& path) {
  const std::string home = variable("HOME");
  const bool is_below = path == "~" || path.starts_with("~/");
  return is_below && !home.empty() ? home + path.substr(1) : path;
}

/// As CLI11 asks it of a validator: what is wrong, or "".
std::string replace_hub_name(std::string& value) {
  const Result<std::string> found = path_or_snapshot(value);
  if (!found) return printable(to_string(found.error()));
  value = *found;
  return "";
}

}  // namespace

std::string hub_cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string given = variable(name); !given.empty()) return with_home(given);
  }
  if (const std::string given = variable("HF_HOME"); !given.empty())
    return with_home(given) + "/hub";
  if (const std::string given = variable("XDG_CACHE_HOME"); !given.empty())
    return with_home(given) + "/huggingface/hub";
  const std::string home = variable("HOME");
  return home.empty() ? std::string() : home + "/.cache/huggingface/hub";
}

Result<std::string> path_or_snapshot(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return path;
  SAMEBITS_TRY(const std::optional<std::string> snapshot, find_snapshot(hub_cache_folder(), path));
  return snapshot.value_or(path);
}

CLI::Option* accept_hub_names(CLI::Option* option) {
  return option->transform(CLI::Validator(replace_hub_name, ""));
}

CLI::Option* accept_whole_hub_names(CLI::Option* option) {
  const auto resolve = [](std::string& value) {
    return value.find('/') == std::string::npos ? std::string() : replace_hub_name(value);
  };
  return option->transform(CLI::Validator(resolve, ""));
}

}  // namespace samebits
