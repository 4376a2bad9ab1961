#include "samebits/cli/manual.h"

#include <fmt/format.h>

#include "samebits/cli/help.h"

namespace samebits {
namespace {

/// Text as roff prints it: no line is taken for a request, no hyphen for another character.
std::string roff(const std::string& text) {
  std::string out;
  for (const char each : text) {
    const bool starts_line = out.empty() || out.back() == '\n';
    if (starts_line && (each == '.' || each == '\'')) out += "\\&";
    if (each == '\\') {
      out += "\\e";
    } else if (each == '-') {
      out += "\\-";
    } else {
      out += each;
    }
  }
  return out;
}

void add_entries(const CLI::App& app, bool positional, std::string* out) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() != positional) continue;
    const std::string name = positional ? option->get_name(true) : option_name(*option);
    *out += ".TP\n.B " + roff(name) + "\n" + roff(option->get_description()) + "\n";
  }
}

void add_command(const CLI::App& command, std::string* out) {
  const std::string description = command.get_description();
  const std::size_t end = description.find('\n');
  *out += ".SS " + roff(usage_line(command)) + "\n";
  *out += roff(description.substr(0, end)) + "\n.PP\n";
  if (end != std::string::npos) *out += roff(description.substr(end + 1)) + "\n";
  add_entries(command, true, out);
  add_entries(command, false, out);
}

}  // namespace

std::string manual_page(CLI::App& program, const std::string& version) {
  std::string out = fmt::format(".TH SAMEBITS 1 \"\" \"samebits {}\" \"User Commands\"\n", version);
  out += ".SH NAME\nsamebits \\- compare, explain and run model checkpoints\n";
  out += ".SH SYNOPSIS\n.B samebits\n.I COMMAND\n[options] ...\n";
  out += ".SH DESCRIPTION\n" + roff(program.get_description()) + "\n.SH COMMANDS\n";
  for (const CLI::App* command : program.get_subcommands(nullptr)) add_command(*command, &out);
  out += ".SH OPTIONS\n";
  add_entries(program, false, &out);
  out +=
      ".SH ENVIRONMENT\n.TP\n.B COLUMNS\nhow wide reports are; else the terminal's width, or "
      "80\n.TP\n.B NO_COLOR\nset: no colour unless \\-\\-color always is given\n";
  out += ".SH EXAMPLES\n";
  for (const CLI::App* command : program.get_subcommands(nullptr)) {
    const std::string footer = command->get_footer();
    const std::size_t line = footer.find("\n  ");
    if (line == std::string::npos) continue;
    out += ".PP\n.nf\n" + roff(footer.substr(line + 3)) + "\n.fi\n";
  }
  return out;
}

}  // namespace samebits
