#include "samebits/explain/check.h"

#include <memory>

#include "samebits/cli/commands.h"
#include "samebits/cli/hub_names.h"
#include "samebits/cli/offered_words.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"
#include "samebits/cli/torch_process.h"
#include "samebits/convert/repair.h"
#include "samebits/convert/repair_python.h"
#include "samebits/report/conversion.h"

namespace samebits {
namespace {

struct Check {
  std::string path, target, output, engine;
  bool force = false, python = false, trust_code = false;
  ReportOptions report;

  int run() const {
    const Result<std::vector<SubjectOptions>> subjects = choose_subjects({path}, report.keys);
    if (!subjects) return command_error("check", {path}, subjects.error(), report);
    if (const Result<void> free = check_targets({{"--html", report.html}}, {path, target}); !free)
      return command_error("check", {path}, free.error(), report);
    const Result<std::optional<NameFilter>> filter = report.name_filter();
    if (!filter) return command_error("check", {path}, filter.error(), report);
    const Result<TorchLoad> torch = torch_load();
    if (!torch) return command_error("check", {path}, torch.error(), report);
    Result<Report> made = run_check(subjects->front(), *torch);
    if (!made) return command_error("check", {path}, made.error(), report);
    made->scope.filter = *filter;
    if (!output.empty()) return write(subjects->front(), *made);
    if (python) return print_python(*made);
    return print_report(*std::move(made), report);
  }

  int write(const SubjectOptions& subject, const Report& made) const {
    if (const Result<void> free = check_targets({{"--write", file_to_write(made)}}, {path, target});
        !free)
      return command_error("check", {path}, free.error(), report);
    const Result<Repaired> done = repair(subject, made);
    if (!done) return command_error("check", {path}, done.error(), report);
    return write_output(repair_text(*done, path, report.json)) ? 0 : 2;
  }

  int print_python(const Report& made) const {
    const Result<std::string> lines = made.loads.empty() ? fail(nothing_to_repair(made, path))
                                                         : repair_as_python(made.loads[0], path);
    if (!lines) return command_error("check", {path}, lines.error(), report);
    return write_output(*lines) ? 0 : 2;
  }

  /// A directory is no target of check_targets(): its writer looks at what stands there.
  std::string file_to_write(const Report& made) const {
    const bool directory =
        !made.loads.empty() && made.loads[0].way == model::way_name(model::Way::from_pretrained);
    return directory ? "" : output;
  }

  Result<Repaired> repair(const SubjectOptions& subject, const Report& made) const {
    const Progress progress("writing " + output);
    return write_repair({.subject = subject,
                         .target = target,
                         .output = output,
                         .force = force,
                         .threads = report.thread_count()},
                        made);
  }

  Result<Report> run_check(const SubjectOptions& subject, const TorchLoad& torch) const {
    const Progress progress("checking " + path);
    return check(subject, torch ? library_of_target() : target, report.thread_count(), torch);
  }

  std::string library_of_target() const { return target.substr(0, target.find(':')); }

  /// Empty where transformers itself was not asked for. A class may be any that it has.
  Result<TorchLoad> torch_load() const {
    if (engine.empty()) return TorchLoad();
    const Result<model::TargetName> name = model::parse_target(library_of_target());
    const bool is_4 = name && name->library == model::Library::transformers4;
    if (!is_4 && !(name && name->library == model::Library::transformers5))
      return fail({.code = ErrorCode::usage,
                   .what = "--with torch takes --for transformers-4 or transformers-5"});
    std::vector<std::string> words = {"--library", is_4 ? "4" : "5"};
    if (const std::size_t colon = target.find(':'); colon != std::string::npos)
      words.insert(words.end(), {"--class", target.substr(colon + 1)});
    if (trust_code) words.emplace_back("--trust-code");
    words.insert(words.end(), {"--", path});
    SAMEBITS_TRY(std::string interpreter, find_torch_python());
    return [interpreter = std::move(interpreter), words = std::move(words)] {
      return run_torch(interpreter, "torch_load", words);
    };
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
  accept_hub_names(command->add_option("CKPT", chosen->path, "the checkpoint that would be loaded"))
      ->required();
  CLI::Option* target =
      command
          ->add_option(
              "--for", chosen->target,
              "transformers-4, transformers-5, timm, mae or torchvision, with :ClassName where "
              "needed; another checkpoint; or a JSON list of names and shapes")
          ->type_name("TARGET")
          ->required();
  accept_whole_hub_names(target);
  offer_words(target, {"transformers-4", "transformers-5", "timm", "mae", "torchvision"});
  command
      ->add_option("--write", chosen->output,
                   "apply the repair: write what loads in full, read it back, check it again, and "
                   "run both; exit status 0 where all of that holds, else 2")
      ->type_name("FIXED");
  command
      ->add_flag("--python", chosen->python,
                 "print the repair as a function of Python, to paste, in the place of the report; "
                 "exit status 0 where it is whole, else 2")
      ->excludes("--write");
  CLI::Option* engine = add_engine_option(
      command, &chosen->engine,
      "torch: let the transformers that is installed load the directory, whatever its class, and "
      "say what it made of it");
  engine->excludes("--write");
  add_trust_option(command, &chosen->trust_code)->needs(engine);
  command->add_flag("--force", chosen->force, "with --write: replace what stands there");
  add_all_option(command, &chosen->report, "every name and rule, instead of groups");
  add_filter_option(command, &chosen->report,
                    "list only names in which this is found; all are checked");
  add_html_option(command, &chosen->report);
  add_report_options(command, &chosen->report);
  command->footer("example\n  samebits check hf/ --for transformers-4:ViTMAEForPreTraining");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
