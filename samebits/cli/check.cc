#include "samebits/explain/check.h"

#include <memory>

#include "samebits/cli/commands.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"

namespace samebits {
namespace {

struct Check {
  std::string path, target;
  ReportOptions report;

  int run() const {
    const Result<std::vector<SubjectOptions>> subjects = choose_subjects({path}, report.keys);
    if (!subjects) return usage_error(subjects.error());
    if (const Result<void> free = check_targets({{"--html", report.html}}, {path, target}); !free)
      return usage_error(free.error());
    Result<Report> made = run_check(subjects->front());
    return made ? print_report(*std::move(made), report) : usage_error(made.error());
  }

  Result<Report> run_check(const SubjectOptions& subject) const {
    const Progress progress("checking " + path);
    return check(subject, target, report.thread_count());
  }
};

}  // namespace

void add_check(CLI::App* program, int* status) {
  const auto chosen = std::make_shared<Check>();
  CLI::App* command = program->add_subcommand(
      "check",
      "If I load this there, what stays random?\n"
      "Says which tensors of the target would keep their random initial values, which of the "
      "checkpoint would be dropped, whether the loader says so, and which renaming repairs it. "
      "Exit status: 0 clean, 1 a risk was found, 2 something could not be read.");
  command->add_option("CKPT", chosen->path, "the checkpoint that would be loaded")->required();
  command
      ->add_option(
          "--for", chosen->target,
          "transformers-4, transformers-5, timm, mae or torchvision, with :ClassName where "
          "needed; another checkpoint; or a JSON list of names and shapes")
      ->type_name("TARGET")
      ->required();
  add_all_option(command, &chosen->report, "every name and rule, instead of groups");
  add_html_option(command, &chosen->report);
  add_report_options(command, &chosen->report);
  command->footer("example\n  samebits check hf/ --for transformers-4:ViTMAEForPreTraining");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
