#include "samebits/cli/help.h"

#include <vector>

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

std::string option_name(const CLI::Option& option) {
  std::string name;
  for (const std::string& each : option.get_snames()) name += (name.empty() ? "-" : ", -") + each;
  for (const std::string& each : option.get_lnames()) name += (name.empty() ? "--" : ", --") + each;
  const std::string type = option.get_type_name();
  return type.empty() ? name : name + " " + type;
}

std::string usage(const CLI::App& app) {
  std::string text = "usage: " + full_name(app);
  const bool has_commands = !app.get_subcommands(nullptr).empty();
  text += has_commands ? " COMMAND ..." : " [options]";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = option->get_name(true) + (takes_many(*option) ? "..." : "");
    text += option->get_required() ? " " + name : " [" + name + "]";
  }
  return text + "\n";
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

}  // namespace

std::string help_text(const CLI::App& app) {
  std::string out = usage(app) + "\n";
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

std::string usage_text(const CLI::App& program, const CLI::Error& error) {
  const std::vector<CLI::App*> commands = program.get_subcommands();  // the parsed ones
  const std::string name = commands.empty() ? program.get_name() : full_name(*commands[0]);
  return "samebits: " + printable(error.what()) + "\nTry " + name + " --help\n";
}

}  // namespace samebits
