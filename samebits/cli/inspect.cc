#include "samebits/explain/inspect.h"

#include <memory>

#include "samebits/cli/commands.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"

namespace samebits {
namespace {

struct Inspect {
  std::string path;
  bool deep = false;
  bool sha256 = false;
  ReportOptions report;

  int run() const {
    const Result<std::vector<SubjectOptions>> subjects = choose_subjects({path}, report.keys);
    if (!subjects) return command_error("inspect", {path}, subjects.error(), report);
    if (const Result<void> free = check_targets({{"--html", report.html}}, {path}); !free)
      return command_error("inspect", {path}, free.error(), report);
    const InspectOptions options = {.deep = deep || sha256,
                                    .sha256 = sha256,
                                    .threads = report.thread_count(),
                                    .key = subjects->front().key};
    Report made;
    {
      const Progress progress("reading " + path);
      made = inspect(path, options);
    }
    return print_report(std::move(made), report);
  }
};

}  // namespace

void add_inspect(CLI::App* program, int* status) {
  const auto chosen = std::make_shared<Inspect>();
  CLI::App* command = program->add_subcommand(
      "inspect",
      "What is in this file, and may it be trusted?\n"
      "Lists tensors, config, modules and their mode, training state, what the pickle would call "
      "when loaded, and where every byte went. Executes nothing. Exit status: 0 clean, 1 a risk "
      "was found, 2 something could not be read.");
  command->add_option("PATH", chosen->path, "a file or directory of weights, of any format")
      ->required();
  command->add_flag("--deep", chosen->deep, "read every byte: NaN, Inf, checksums");
  command->add_flag("--sha256", chosen->sha256,
                    "the digest of every tensor's row-major little-endian bytes; implies --deep");
  add_all_option(command, &chosen->report, "list every tensor");
  add_html_option(command, &chosen->report);
  add_report_options(command, &chosen->report);
  command->footer("example\n  samebits inspect whole.pth");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
