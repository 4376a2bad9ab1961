#include "samebits/explain/diff.h"

#include <memory>

#include "samebits/cli/commands.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"

namespace samebits {
namespace {

struct Diff {
  std::string a, b;
  ReportOptions report;

  int run() const {
    const Result<std::vector<SubjectOptions>> subjects = choose_subjects({a, b}, report.keys);
    if (!subjects) return command_error("diff", {a, b}, subjects.error(), report);
    if (const Result<void> free = check_targets({{"--html", report.html}}, {a, b}); !free)
      return command_error("diff", {a, b}, free.error(), report);
    Report made;
    {
      const Progress progress("comparing " + a + " and " + b);
      made = diff(subjects->front(), subjects->back(), report.thread_count());
    }
    return print_report(std::move(made), report);
  }
};

}  // namespace

void add_diff(CLI::App* program, int* status) {
  const auto chosen = std::make_shared<Diff>();
  CLI::App* command = program->add_subcommand(
      "diff",
      "Are these the same model?\n"
      "Compares weights bit for bit (under other names too), config, preprocessing and mode, and "
      "says which differences can move outputs. Exit status: 0 same, 1 different or a risk was "
      "found, 2 something could not be read.");
  command->add_option("A", chosen->a, "a file or directory of weights, of any format")->required();
  command->add_option("B", chosen->b, "another")->required();
  add_all_option(command, &chosen->report,
                 "every tensor, rule and name, instead of the first of each list");
  add_html_option(command, &chosen->report);
  add_report_options(command, &chosen->report);
  command->footer("example\n  samebits diff hf/ statedict.pth");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
