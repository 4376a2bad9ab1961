#include "samebits/cli/help.h"

#include <unistd.h>

#include <vector>

#include "samebits/cli/nearest.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kNames = 20;  // columns of an option's name, its indent included

std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : parent->get_name() + " " + app.get_name();
}

bool takes_many(const CLI::Option& option) { return option.get_expected_max() > 1; }

void add_paragraph(const std::string& text, std::string* out) {
  for (const std::string& line : wrap(text, kWidth)) *out += line + "\n";
}

void add_entry(const std::string& name, const std::string& text, std::string* out) {
  std::string head = "  " + name;
  head.resize(std::max(head.size() + 2, kNames), ' ');
  const std::vector<std::string> lines = wrap(text, kWidth - kNames);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    *out += (i == 0 ? head : std::string(kNames, ' ')) + lines[i] + "\n";
  }
}

void add_options(const CLI::App& app, bool positional, const char* title, std::string* out) {
  std::string entries;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() != positional) continue;
    const std::string name = positional ? option->get_name(true) : option_name(*option);
    add_entry(name, option->get_description(), &entries);
  }
  if (!entries.empty()) *out += std::string("\n") + title + "\n" + entries;
}

void add_commands(const CLI::App& app, std::string* out) {
  std::string entries;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    const std::string description = command->get_description();
    add_entry(command->get_name(), description.substr(0, description.find('\n')), &entries);
  }
  if (!entries.empty()) *out += "\ncommands\n" + entries;
}

std::vector<std::string> words_of(const CLI::App& app, bool options) {
  std::vector<std::string> words;
  if (!options) {
    for (const CLI::App* command : app.get_subcommands(nullptr))
      words.push_back(command->get_name());
    return words;
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  return words;
}

/// What is wrong with a word that no command, option or argument is.
std::string unknown_text(const CLI::App& app, const std::string& given) {
  constexpr std::size_t kShown = 100;
  const std::string word = elide_middle(printable(given), kShown);
  const bool is_option = given.starts_with('-');
  const bool of_program = app.get_parent() == nullptr;
  const std::string meant =
      is_option || of_program ? nearest(given.substr(0, given.find('=')), words_of(app, is_option))
                              : "";
  const std::string suggestion = meant.empty() ? "" : ": did you mean " + meant + "?";
  if (is_option) return app.get_name() + " has no option " + word + suggestion;
  if (!of_program) return word + " is one argument too many for " + app.get_name();
  if (suggestion.empty() && access(given.c_str(), F_OK) == 0)
    return "a path needs a command in front of it: samebits inspect " + word;
  return "there is no command " + word + suggestion;
}

}  // namespace

std::string option_name(const CLI::Option& option) {
  std::string name;
  for (const std::string& each : option.get_snames()) name += (name.empty() ? "-" : ", -") + each;
  for (const std::string& each : option.get_lnames()) name += (name.empty() ? "--" : ", --") + each;
  const std::string type = option.get_type_name();
  return type.empty() ? name : name + " " + type;
}

std::string usage_line(const CLI::App& app) {
  std::string text = full_name(app);
  const bool has_commands = !app.get_subcommands(nullptr).empty();
  text += has_commands ? " COMMAND ..." : " [options]";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = option->get_name(true) + (takes_many(*option) ? "..." : "");
    text += option->get_required() ? " " + name : " [" + name + "]";
  }
  return text;
}

std::string help_text(const CLI::App& app) {
  std::string out = "usage: " + usage_line(app) + "\n\n";
  const std::string description = app.get_description();
  for (std::size_t begin = 0; begin < description.size();) {
    const std::size_t end = std::min(description.find('\n', begin), description.size());
    add_paragraph(description.substr(begin, end - begin), &out);
    begin = end + 1;
  }
  add_commands(app, &out);
  add_options(app, true, "arguments", &out);
  add_options(app, false, "options", &out);
  if (!app.get_footer().empty()) out += "\n" + app.get_footer() + "\n";
  return out;
}

UsageFault usage_fault(const CLI::App& program, const CLI::Error& error) {
  const std::vector<CLI::App*> commands = program.get_subcommands();  // the parsed ones
  const CLI::App& app = commands.empty() ? program : *commands[0];
  const std::vector<std::string> unknown = program.remaining(true);
  const bool is_unknown =
      error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) && !unknown.empty();
  return {.command = commands.empty() ? "" : app.get_name(),
          .text = printable(is_unknown ? unknown_text(app, unknown.front()) : error.what()),
          .help = full_name(app) + " --help"};
}

std::string usage_text(const CLI::App& program, const CLI::Error& error) {
  const UsageFault fault = usage_fault(program, error);
  return "samebits: " + fault.text + "\nTry " + fault.help + "\n";
}

}  // namespace samebits
