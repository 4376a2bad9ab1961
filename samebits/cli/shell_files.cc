// Commands that write what a shell and man(1) want to know of the program.
#include <memory>
#include <string>

#include "samebits/cli/commands.h"
#include "samebits/cli/completion.h"
#include "samebits/cli/manual.h"
#include "samebits/cli/offered_words.h"
#include "samebits/cli/options.h"
#include "samebits/report/json.h"

namespace samebits {

void add_completion(CLI::App* program, int* status) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command = program->add_subcommand(
      "completion",
      "Write the completion of this command line for a shell\n"
      "Writes a script to standard output. bash: eval \"$(samebits completion bash)\" in "
      "~/.bashrc. "
      "zsh: the same in ~/.zshrc behind compinit. fish: samebits completion fish | source in "
      "config.fish. Exit status: 0.");
  CLI::Option* option = command->add_option("SHELL", *shell, "bash, fish or zsh")
                            ->required()
                            ->check(CLI::IsMember(completion_shells()).description(""));
  offer_words(option, completion_shells());
  command->footer("example\n  samebits completion bash");
  command->callback([program, shell, status] {
    *status = write_output(completion_script(*program, *shell)) ? 0 : 2;
  });
}

void add_man(CLI::App* program, int* status) {
  CLI::App* command = program->add_subcommand(
      "man",
      "Write the manual page\n"
      "Writes the page to standard output, as man -l reads it. Exit status: 0.");
  command->footer("example\n  samebits man > samebits.1");
  command->callback(
      [program, status] { *status = write_output(manual_page(*program, tool_version())) ? 0 : 2; });
}

}  // namespace samebits
