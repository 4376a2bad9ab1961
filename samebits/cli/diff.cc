#include "samebits/explain/diff.h"

#include <memory>

#include "samebits/cli/commands.h"
#include "samebits/cli/hub_names.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"

namespace samebits {
namespace {

struct Diff {
  std::string a, b;
  std::optional<double> rtol, atol;
  ReportOptions report;

  int run() const {
    const Result<std::vector<SubjectOptions>> subjects = choose_subjects({a, b}, report.keys);
    if (!subjects) return command_error("diff", {a, b}, subjects.error(), report);
    if (const Result<void> free = check_targets({{"--html", report.html}}, {a, b}); !free)
      return command_error("diff", {a, b}, free.error(), report);
    const Result<std::optional<NameFilter>> filter = report.name_filter();
    if (!filter) return command_error("diff", {a, b}, filter.error(), report);
    Scope scope{.filter = *filter};
    if (rtol || atol) scope.tolerance = {rtol.value_or(0), atol.value_or(0)};
    Report made;
    {
      const Progress progress("comparing " + a + " and " + b);
      made = diff(subjects->front(), subjects->back(), report.thread_count(), scope);
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
      "says which differences can move outputs. Exit status: 0 same, or close where a tolerance "
      "is given; 1 different or a risk was found, 2 something could not be read.");
  accept_hub_names(
      command->add_option("A", chosen->a, "a file or directory of weights, of any format"))
      ->required();
  accept_hub_names(command->add_option("B", chosen->b, "another"))->required();
  add_all_option(command, &chosen->report,
                 "every tensor, rule and name, instead of the first of each list");
  add_filter_option(command, &chosen->report,
                    "only tensors, or points of traces, in whose name this is found");
  const auto add_tolerance = [&](const char* name, std::optional<double>* value,
                                 const char* description) {
    add_number(
        command, name, {0, 1e300}, [chosen, value](double given) { *value = given; }, description)
        ->type_name("X");
  };
  add_tolerance("--rtol", &chosen->rtol,
                "the verdict is close where each number of B is within this times A's (and --atol) "
                "of A's; what differs in bits is still counted");
  add_tolerance("--atol", &chosen->atol, "the same with an absolute difference");
  add_html_option(command, &chosen->report);
  add_report_options(command, &chosen->report);
  command->footer("example\n  samebits diff hf/ statedict.pth");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
