#include "samebits/explain/resume.h"

#include <memory>

#include "samebits/cli/commands.h"
#include "samebits/cli/hub_names.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"
#include "samebits/train/run_folder.h"

namespace samebits {
namespace {

struct Resume {
  std::string path, next;
  ReportOptions report;

  int run() const {
    std::vector<std::string> paths = {newest_checkpoint(path)};
    if (!next.empty()) paths.push_back(newest_checkpoint(next));
    const Result<std::vector<SubjectOptions>> subjects = choose_subjects(paths, report.keys);
    if (!subjects) return command_error("resume", paths, subjects.error(), report);
    if (const Result<void> free = check_targets({{"--html", report.html}}, paths); !free)
      return command_error("resume", paths, free.error(), report);
    Report made;
    {
      const Progress progress("reading " + path);
      made =
          resume(subjects->front(), next.empty() ? std::nullopt : std::optional(subjects->back()),
                 report.thread_count());
    }
    return print_report(std::move(made), report);
  }
};

}  // namespace

void add_resume(CLI::App* program, int* status) {
  const auto chosen = std::make_shared<Resume>();
  CLI::App* command = program->add_subcommand(
      "resume",
      "Will training go on exactly where it stopped?\n"
      "Says what exact resumption needs and what the file holds of it: optimizer moments and "
      "steps, schedule, counts, random generators, position in the epoch, scaler, average; for "
      "what is missing, what happens without it and what keeps it. With NEXT it says whether that "
      "can be a continuation of CKPT. Exit status: 0 clean, 1 a risk was found, 2 something could "
      "not be read.");
  accept_hub_names(
      command->add_option(
          "CKPT", chosen->path,
          "a training's file or directory: torch.save, Lightning, Trainer, accelerate, samebits "
          "train"))
      ->required();
  accept_hub_names(command->add_option("NEXT", chosen->next, "a later state of the same training"));
  add_all_option(command, &chosen->report, "every detail, instead of the first");
  add_html_option(command, &chosen->report);
  add_report_options(command, &chosen->report);
  command->footer("example\n  samebits resume checkpoint-500");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
