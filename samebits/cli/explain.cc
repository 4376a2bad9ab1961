#include "samebits/explain/explain.h"

#include <chrono>
#include <memory>

#include "samebits/base/mapped_file.h"
#include "samebits/cli/commands.h"
#include "samebits/cli/field_options.h"
#include "samebits/cli/hub_names.h"
#include "samebits/cli/input_options.h"
#include "samebits/cli/offered_words.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"
#include "samebits/cli/torch_process.h"

namespace samebits {
namespace {

using WallClock = std::chrono::steady_clock;

struct Explain {
  std::vector<std::string> paths;
  bool files_only = false;
  std::string engine;  // "torch"; "": samebits' own
  bool trust_code = false;
  double budget = 10;
  std::string config;
  Json fields;
  InputOptions input;
  ReportOptions report;

  int run() const {
    if (paths.size() < 2) {
      return command_error("explain", paths,
                           {.code = ErrorCode::usage, .what = "explain needs two subjects or more"},
                           report);
    }
    const Result<std::vector<SubjectOptions>> subjects = choose_subjects(paths, report.keys);
    if (!subjects) return command_error("explain", paths, subjects.error(), report);
    const Result<InputRequest> request = input.request();
    if (!request) return command_error("explain", paths, request.error(), report);
    if (const Result<void> free = check_targets({{"--html", report.html}}, files()); !free)
      return command_error("explain", paths, free.error(), report);
    const Result<Json> given = given_config();
    if (!given) return command_error("explain", paths, given.error(), report);
    const Result<std::optional<NameFilter>> filter = report.name_filter();
    if (!filter) return command_error("explain", paths, filter.error(), report);
    if (*filter && !files_only)
      return command_error("explain", paths,
                           {.code = ErrorCode::usage,
                            .what = "--filter needs --files-only: a run takes all weights"},
                           report);
    const Result<TorchRuns> torch = torch_runs();
    if (!torch) return command_error("explain", paths, torch.error(), report);
    const WallClock::time_point start = WallClock::now();
    const auto more = [this, start] {
      return std::chrono::duration<double>(WallClock::now() - start).count() < budget;
    };
    Report made;
    {
      const Progress progress("comparing " + paths.front() + " with the others");
      made = explain(*subjects, {.threads = report.thread_count(),
                                 .files_only = files_only,
                                 .input = *request,
                                 .config = *given,
                                 .config_path = config,
                                 .fields = fields,
                                 .more = more,
                                 .torch = *torch,
                                 .scope = {.filter = *filter}});
    }
    return print_report(std::move(made), report);
  }

  /// Empty where PyTorch was not asked for.
  Result<TorchRuns> torch_runs() const {
    if (engine.empty()) return TorchRuns();
    if (!fields.empty() || !report.keys.empty())
      return fail({.code = ErrorCode::usage,
                   .what = "--with torch runs models as their files have them: without --key and "
                           "without fields of a config"});
    SAMEBITS_TRY(std::string python, find_torch_python());
    return [python = std::move(python), words = torch_words()] {
      return run_torch(python, "torch_runs", words);
    };
  }

  std::vector<std::string> torch_words() const {
    std::vector<std::string> words = {"--seed", std::to_string(input.chosen.seed), "--seconds",
                                      std::to_string(budget)};
    if (report.threads > 0)
      words.insert(words.end(), {"--threads", std::to_string(report.threads)});
    if (input.randn) words.insert(words.end(), {"--randn", *input.randn});
    if (!input.chosen.input_path.empty())
      words.insert(words.end(), {"--input", input.chosen.input_path});
    for (const std::string& image : input.chosen.images)
      words.insert(words.end(), {"--image=" + image});
    if (!input.chosen.processor_path.empty())
      words.insert(words.end(), {"--processor", input.chosen.processor_path});
    if (trust_code) words.emplace_back("--trust-code");
    words.emplace_back("--");
    words.insert(words.end(), paths.begin(), paths.end());
    return words;
  }

  std::vector<std::string> files() const {
    std::vector<std::string> files = input.files();
    files.insert(files.end(), paths.begin(), paths.end());
    files.push_back(config);
    return files;
  }

  Result<Json> given_config() const {
    if (config.empty()) return Json();
    SAMEBITS_TRY(const auto file, MappedFile::open(config));
    SAMEBITS_TRY(Json parsed, parse_json(file->bytes(), config));
    if (parsed.is_object()) return parsed;
    return fail(
        {.code = ErrorCode::malformed, .what = "the config is no JSON object", .file = config});
  }
};

}  // namespace

void add_explain(CLI::App* program, int* status) {
  const auto chosen = std::make_shared<Explain>();
  CLI::App* command = program->add_subcommand(
      "explain",
      "Same weights, other outputs: why?\n"
      "Finds what makes the outputs of two or more loads of a model differ, and says what was "
      "proved, what was observed in the files, and what is only suspected. Exit status: 0 same, "
      "1 different or a risk was found, 2 the question could not be settled.");
  accept_hub_names(
      command->add_option("SUBJECT", chosen->paths, "files or directories of weights, two or more"))
      ->required();
  CLI::Option* files_only = command->add_flag("--files-only", chosen->files_only,
                                              "run nothing: say what the files alone show");
  CLI::Option* config =
      command
          ->add_option("--config", chosen->config,
                       "the config.json of subjects that carry none (default: another subject's)")
          ->type_name("FILE");
  add_field_options(command, &chosen->fields);
  add_input_options(command, &chosen->input);
  CLI::Option* engine = add_engine_option(
      command, &chosen->engine,
      "torch: run directories of transformers, whatever their class, in PyTorch, and files of "
      "weights in the class of the first of them; --input has every argument of the forward pass "
      "then");
  engine->excludes(files_only)->excludes(config)->excludes("--pillow");
  add_trust_option(command, &chosen->trust_code)->needs(engine);
  add_number(
      command, "--budget", {0, 1e9},
      [run = chosen.get()](double seconds) { run->budget = seconds; },
      "after this many seconds search for no smaller set of causes (default: 10)")
      ->type_name("SECONDS");
  add_all_option(command, &chosen->report,
                 "every tensor, rule and name, instead of the first of each list");
  add_filter_option(command, &chosen->report,
                    "with --files-only: only tensors in whose name this is found");
  add_html_option(command, &chosen->report);
  add_report_options(command, &chosen->report);
  command->footer("example\n  samebits explain hf/ whole.pth statedict.pth");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
