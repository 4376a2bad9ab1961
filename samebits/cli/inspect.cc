#include "samebits/explain/inspect.h"

#include <memory>

#include "samebits/cli/commands.h"
#include "samebits/cli/hub_names.h"
#include "samebits/cli/inspect_list.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"

namespace samebits {
namespace {

struct Inspect {
  std::vector<std::string> given;
  bool recursive = false;
  bool deep = false;
  bool sha256 = false;
  ReportOptions report;

  int run() const {
    const std::vector<std::string> paths = expanded_paths(given);
    const bool several = recursive || paths.size() > 1;
    // Every one of several is an A.
    const Result<std::vector<SubjectOptions>> subjects =
        choose_subjects({paths.front()}, report.keys);
    if (!subjects) return command_error("inspect", paths, subjects.error(), report);
    if (several && !report.html.empty())
      return command_error("inspect", paths,
                           {.code = ErrorCode::usage, .what = "--html writes a page of one path"},
                           report);
    if (const Result<void> free = check_targets({{"--html", report.html}}, paths); !free)
      return command_error("inspect", paths, free.error(), report);
    const Result<std::optional<NameFilter>> filter = report.name_filter();
    if (!filter) return command_error("inspect", paths, filter.error(), report);
    const InspectOptions options = {.deep = deep || sha256,
                                    .sha256 = sha256,
                                    .threads = report.thread_count(),
                                    .key = subjects->front().key,
                                    .filter = *filter};
    return several ? inspect_all(paths, recursive, options, report)
                   : inspect_one(paths.front(), options);
  }

  int inspect_one(const std::string& path, const InspectOptions& options) const {
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
      "Says whether it can be loaded, what it is, how far it was trained and whether it may be "
      "trusted; then tensors, config, modules and their mode, training state, what the pickle "
      "would call when loaded, and where every byte went. Executes nothing. Several paths, and "
      "patterns such as 'runs/*.pth', have one line each. Exit status: 0 clean, 1 a risk was "
      "found, 2 something could not be read; of several the highest.");
  accept_hub_names(
      command->add_option("PATH", chosen->given, "files or directories of weights, of any format"))
      ->required();
  command->add_flag("--recursive", chosen->recursive,
                    "every checkpoint below the directories, one line each");
  command->add_flag("--deep", chosen->deep,
                    "read every byte: NaN, Inf, checksums (done unasked up to 64 MB)");
  command->add_flag("--sha256", chosen->sha256,
                    "the digest of every tensor's row-major little-endian bytes; implies --deep");
  add_all_option(command, &chosen->report, "list every tensor");
  add_filter_option(command, &chosen->report,
                    "list only tensors in whose name this is found; all are checked");
  add_html_option(command, &chosen->report);
  add_report_options(command, &chosen->report);
  command->footer("example\n  samebits inspect whole.pth");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
