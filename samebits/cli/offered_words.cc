#include "samebits/cli/offered_words.h"

#include <sstream>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace samebits {
namespace {

// A validator that passes everything keeps the words as its name.
constexpr std::string_view kMark = "words ";

}  // namespace

CLI::Option* offer_words(CLI::Option* option, const std::vector<std::string>& words) {
  const auto passes = [](const std::string&) { return std::string(); };
  return option->check(
      CLI::Validator(passes, "", fmt::format("{}{}", kMark, fmt::join(words, " "))));
}

std::vector<std::string> offered_words(CLI::Option* option) {
  std::vector<std::string> words;
  for (int i = 0;; ++i) {
    const CLI::Validator* validator = nullptr;
    try {
      validator = option->get_validator(i);
    } catch (const CLI::OptionNotFound&) {
      return words;
    }
    const std::string& name = validator->get_name();
    if (!name.starts_with(kMark)) continue;
    std::istringstream stream(name.substr(kMark.size()));
    for (std::string word; stream >> word;) words.push_back(word);
  }
}

bool takes_path(const CLI::Option& option) {
  if (option.get_positional()) return true;
  const std::string type = option.get_type_name();
  return type.starts_with("FILE") || type == "FIXED" || type == "TARGET";
}

}  // namespace samebits
