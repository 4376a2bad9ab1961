#include "samebits/cli/completion.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/base/error.h"
#include "samebits/cli/offered_words.h"

namespace samebits {
namespace {

/// The first sentence or line of a description.
std::string brief_of(const std::string& description) {
  const std::size_t line = description.find('\n');
  return description.substr(0, std::min(line, description.size()));
}

std::string replaced(const std::string& text, const std::string& special, char before) {
  std::string out;
  for (const char each : text) {
    if (special.find(each) != std::string::npos) out += before;
    out += each;
  }
  return out;
}

/// "--color", "-o --output".
std::vector<std::string> spellings(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

bool takes_value(const CLI::Option& option) {
  return !option.get_positional() && option.get_items_expected_max() > 0;
}

std::vector<CLI::Option*> options_of(CLI::App& app, bool positional) {
  return app.get_options(
      [positional](CLI::Option* option) { return option->get_positional() == positional; });
}

std::vector<std::string> command_names(CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands(nullptr))
    names.push_back(command->get_name());
  return names;
}

/// Words that may stand where an argument of the command is.
std::vector<std::string> argument_words(CLI::App& command) {
  std::vector<std::string> words;
  for (CLI::Option* option : options_of(command, true)) {
    const std::vector<std::string> offered = offered_words(option);
    words.insert(words.end(), offered.begin(), offered.end());
  }
  return words;
}

bool has_path_arguments(CLI::App& command) {
  return std::ranges::any_of(options_of(command, true), [](CLI::Option* option) {
    return offered_words(option).empty() && takes_path(*option);
  });
}

/// "    --color) words='auto always never' ;;" for each option with a value.
std::string bash_values(CLI::App& command) {
  std::string lines;
  for (CLI::Option* option : options_of(command, false)) {
    if (!takes_value(*option)) continue;
    lines += fmt::format("        {}) words='{}' paths={} ;;\n", fmt::join(spellings(*option), "|"),
                         fmt::join(offered_words(option), " "), takes_path(*option) ? "1" : "");
  }
  return lines;
}

std::string bash_options(CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options_of(command, false)) {
    const std::vector<std::string> each = spellings(*option);
    names.insert(names.end(), each.begin(), each.end());
  }
  return fmt::format("{}", fmt::join(names, " "));
}

std::string bash_script(CLI::App& program) {
  std::string cases;
  for (CLI::App* command : program.get_subcommands(nullptr)) {
    cases += fmt::format(
        "    {})\n      options='{}' words='{}' paths={}\n      case $before in\n{}"
        "        *) before= ;;\n      esac ;;\n",
        command->get_name(), bash_options(*command), fmt::join(argument_words(*command), " "),
        has_path_arguments(*command) ? "1" : "", bash_values(*command));
  }
  return fmt::format(R"(# Completion of samebits for bash. Made by: samebits completion bash
_samebits() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command= i
  local options='{}' words='{}' paths=
  if [[ $word == = ]]; then word=; elif [[ $before == = ]]; then before=${{COMP_WORDS[COMP_CWORD-2]}}; fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    if [[ ${{COMP_WORDS[i]}} != -* ]]; then command=${{COMP_WORDS[i]}}; break; fi
  done
  case $command in
    '') before= ;;
{}    *) options= words= before= ;;
  esac
  COMPREPLY=()
  if [[ -z $before && $word == -* ]]; then words=$options paths=; fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  if [[ -n $paths ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -f -- "$word")
  fi
}}
complete -F _samebits samebits
)",
                     bash_options(program), fmt::join(command_names(program), " "), cases);
}

/// What zsh's _arguments does with the value of an option or an argument.
std::string zsh_action(CLI::Option* option) {
  const std::vector<std::string> words = offered_words(option);
  const std::string paths = takes_path(*option) ? "_files" : "";
  if (words.empty()) return paths;
  const std::string list = fmt::format("({})", fmt::join(words, " "));
  if (paths.empty()) return list;
  return fmt::format("{{_alternative \"words:word:{}\" \"files:file:_files\"}}", list);
}

std::string zsh_specs(CLI::App& command) {
  std::string specs;
  for (CLI::Option* option : options_of(command, false)) {
    const std::string text =
        replaced(replaced(brief_of(option->get_description()), "[]:", '\\'), "'", '\'');
    const bool many = takes_value(*option) && option->get_expected_max() > 1;
    for (const std::string& name : spellings(*option)) {
      const std::string value =
          takes_value(*option) ? ":" + option->get_type_name() + ":" + zsh_action(option) : "";
      specs += fmt::format(" \\\n        '{}{}[{}]{}'", many ? "*" : "", name, text, value);
    }
  }
  for (CLI::Option* option : options_of(command, true)) {
    const bool many = option->get_expected_max() > 1;
    const char* rest = many ? "*:" : option->get_required() ? ":" : "::";
    specs +=
        fmt::format(" \\\n        '{}{}:{}'", rest, option->get_name(true), zsh_action(option));
  }
  return specs;
}

std::string zsh_script(CLI::App& program) {
  std::string commands, cases;
  for (CLI::App* command : program.get_subcommands(nullptr)) {
    const std::string text = replaced(brief_of(command->get_description()), "'", '\'');
    commands += fmt::format("    '{}:{}'\n", command->get_name(), replaced(text, ":", '\\'));
    cases += fmt::format("      {})\n        _arguments{} ;;\n", command->get_name(),
                         zsh_specs(*command));
  }
  return fmt::format(R"(#compdef samebits
# Completion of samebits for zsh. Made by: samebits completion zsh
_samebits() {{
  local -a commands
  commands=(
{}  )
  local context state line
  _arguments -C{} '1:command:->command' '*::argument:->arguments'
  case $state in
    command) _describe command commands ;;
    arguments)
      case $line[1] in
{}      esac ;;
  esac
}}
if [[ $funcstack[1] == _samebits ]]; then _samebits "$@"; else compdef _samebits samebits; fi
)",
                     commands, zsh_specs(program), cases);
}

std::string fish_text(const std::string& text) { return "'" + replaced(text, "'\\", '\\') + "'"; }

std::string fish_lines(CLI::App& command, const std::string& condition) {
  std::string lines;
  for (CLI::Option* option : options_of(command, false)) {
    std::string line = "complete -c samebits -n " + condition;
    for (const std::string& name : option->get_snames()) line += " -s " + name;
    for (const std::string& name : option->get_lnames()) line += " -l " + name;
    if (takes_value(*option)) line += takes_path(*option) ? " -r -F" : " -x";
    const std::vector<std::string> words = offered_words(option);
    if (!words.empty())
      line += fmt::format(" -a {}", fish_text(fmt::format("{}", fmt::join(words, " "))));
    lines += line + " -d " + fish_text(brief_of(option->get_description())) + "\n";
  }
  const std::vector<std::string> words = argument_words(command);
  if (!words.empty())
    lines += fmt::format("complete -c samebits -n {} -a {}\n", condition,
                         fish_text(fmt::format("{}", fmt::join(words, " "))));
  if (has_path_arguments(command))
    lines += fmt::format("complete -c samebits -n {} -F\n", condition);
  return lines;
}

std::string fish_script(CLI::App& program) {
  std::string out =
      "# Completion of samebits for fish. Made by: samebits completion fish\n"
      "complete -c samebits -f\n";
  for (const CLI::App* command : program.get_subcommands(nullptr)) {
    out += fmt::format("complete -c samebits -n __fish_use_subcommand -a {} -d {}\n",
                       command->get_name(), fish_text(brief_of(command->get_description())));
  }
  out += fish_lines(program, "__fish_use_subcommand");
  for (CLI::App* command : program.get_subcommands(nullptr)) {
    out += fish_lines(*command, fish_text("__fish_seen_subcommand_from " + command->get_name()));
  }
  return out;
}

}  // namespace

std::vector<std::string> completion_shells() { return {"bash", "fish", "zsh"}; }

std::string completion_script(CLI::App& program, const std::string& shell) {
  if (shell == "bash") return bash_script(program);
  if (shell == "fish") return fish_script(program);
  SAMEBITS_CHECK(shell == "zsh");
  return zsh_script(program);
}

}  // namespace samebits
