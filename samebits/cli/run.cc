#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/base/limits.h"
#include "samebits/cli/commands.h"
#include "samebits/cli/field_options.h"
#include "samebits/cli/hub_names.h"
#include "samebits/cli/input_options.h"
#include "samebits/cli/isa_option.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"
#include "samebits/container/safetensors_writer.h"
#include "samebits/report/json.h"
#include "samebits/report/run_report.h"
#include "samebits/run/run_request.h"
#include "samebits/run/trace.h"

namespace samebits {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

RunOutput summary_of(const Published& output) {
  const ArraySummary summary = summarize(output);
  return {.name = output.array().name,
          .dtype = std::string(info(output.dtype()).torch),
          .shape = output.array().shape,
          .sha256 = summary.sha256,
          .mean = summary.mean,
          .smallest = summary.smallest,
          .largest = summary.largest,
          .not_finite = summary.not_finite};
}

// The `count` largest logits of each image; of equal ones the first class.
std::vector<RunClass> top_classes(const NamedArray& logits, const std::vector<std::string>& labels,
                                  std::size_t count) {
  std::vector<RunClass> top;
  const std::size_t classes = logits.shape[1];
  for (std::size_t image = 0; image < logits.shape[0]; ++image) {
    const float* row = logits.values.data() + image * classes;
    std::vector<std::size_t> order(classes);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [row](std::size_t x, std::size_t y) {
      return row[x] > row[y] || (std::isnan(row[y]) && !std::isnan(row[x]));
    });
    for (std::size_t i = 0; i < std::min(count, classes); ++i)
      top.push_back(
          {image, order[i], order[i] < labels.size() ? labels[order[i]] : "", row[order[i]]});
  }
  return top;
}

struct Run {
  RunRequest request;
  ReportOptions report;
  InputOptions input;
  std::string isa, save, trace;
  int repeat = 1;
  std::size_t top = 0;

  Result<RunReport> make() const {
    SAMEBITS_TRY(const KernelChoice choice, chosen_kernels(isa));
    RunRequest wanted = request;
    SAMEBITS_TRY(wanted.input, input.request());
    std::vector<std::string> inputs = input.files();
    inputs.insert(inputs.end(), {request.model, request.noise_path, request.config_path});
    SAMEBITS_TRY_VOID(check_targets({{"--save", save}, {"--trace", trace}}, inputs));
    SAMEBITS_TRY(const auto subjects, choose_subjects({request.model}, report.keys));
    wanted.key = subjects.front().key;
    wanted.threads = report.thread_count();
    const Clock::time_point start = Clock::now();
    SAMEBITS_TRY(PreparedRun run, prepare_run(wanted));
    RunReport made;
    made.load_s = seconds_since(start);
    ThreadPool pool(report.thread_count());
    const Engine engine{*choice.kernels, pool};
    VitOutputs outputs;
    for (int i = 0; i < repeat; ++i) {
      const Clock::time_point begin = Clock::now();
      SAMEBITS_TRY(outputs, run.forward(engine));
      made.forward_s.push_back(seconds_since(begin));
    }
    SAMEBITS_TRY_VOID(fill(run, outputs, &made));
    made.isa = isa_name(choice.kernels->isa);
    made.isa_reason = choice.reason;
    made.threads = pool.threads();
    if (!trace.empty()) SAMEBITS_TRY_VOID(write_trace(run, engine, made));
    return made;
  }

  /// A pass of its own, so that the recording is in no timing.
  Result<void> write_trace(PreparedRun& run, const Engine& engine, const RunReport& made) const {
    TraceRecorder recorder(run.input.view(), run.model.config().channels, run.noise);
    SAMEBITS_TRY_VOID(run.forward(engine, recorder.point()));
    Json description = {{"model", request.model},
                        {"config", run.config},
                        {"mode", run.dropout_seed ? "train" : "eval"},
                        {"isa", made.isa},
                        {"threads", made.threads},
                        {"tool", tool_version()},
                        {"assumed", run.assumed}};
    if (run.dropout_seed) description["dropout_seed"] = *run.dropout_seed;
    if (run.model.config().masked) description["mask_ratio"] = run.mask_ratio;
    return recorder.write(trace, description);
  }

  Result<void> fill(const PreparedRun& run, const VitOutputs& outputs, RunReport* made) const {
    made->model = request.model;
    made->assumed = run.assumed;
    const auto gives_classes = [](const NamedArray& array) {
      return array.name == "logits" && array.shape.size() == 2;
    };
    if (top > 0 && std::ranges::none_of(outputs.arrays, gives_classes)) {
      return fail({.code = ErrorCode::usage,
                   .what = "--top: this run gives no classes",
                   .file = request.model,
                   .expected = "the output logits of a classifier"});
    }
    std::vector<Published> published;
    for (const NamedArray& array : outputs.arrays) published.emplace_back(array);
    std::vector<TensorToWrite> tensors;
    for (const Published& output : published) {
      made->outputs.push_back(summary_of(output));
      tensors.push_back({output.array().name, output.dtype(), output.shape(), output.bytes()});
      if (top > 0 && gives_classes(output.array()))
        made->top = top_classes(output.array(), run.labels, top);
    }
    for (const std::size_t image : outputs.tied_images)
      made->notes.push_back(fmt::format(
          "the noise of image {} has two equal numbers: torch may order these patches otherwise",
          image));
    if (save.empty()) return {};
    return write_safetensors(save, tensors, {{"format", "pt"}});
  }

  int run() const {
    Result<RunReport> made = [this] {
      const Progress progress("running " + request.model);
      return caught(request.model, [this] { return make(); });
    }();
    if (!made) {
      if (report.json) write_output(run_failure_json(request.model, to_string(made.error())));
      return usage_error(made.error());
    }
    const std::string text = report.json ? run_json_text(*made) : render_run(*made, output_width());
    return write_output(text) ? 0 : 2;
  }
};

void add_noise_options(CLI::App* command, Run* run) {
  command
      ->add_option("--noise", run->request.noise_path,
                   "a masked autoencoder's noise: a safetensors file with the tensor noise, "
                   "float32 [batch, patches]")
      ->type_name("FILE");
  add_seed(
      command, "--noise-seed", [run](std::uint64_t seed) { run->request.noise_seed = seed; },
      "instead: torch.rand(batch, patches) after manual_seed(N) (default: 42)")
      ->excludes("--noise");
  add_number(
      command, "--mask-ratio", {0, 1}, [run](double ratio) { run->request.mask_ratio = ratio; },
      "of a masked autoencoder, 0 to 1 (default: its config's)")
      ->type_name("R");
  add_seed(
      command, "--train", [run](std::uint64_t seed) { run->request.dropout_seed = seed; },
      "training mode: dropout draws as torch does on a CPU after manual_seed(N)");
}

}  // namespace

void add_run(CLI::App* program, int* status) {
  const auto chosen = std::make_shared<Run>();
  CLI::App* command = program->add_subcommand(
      "run",
      "What does the model compute?\n"
      "Runs a vision transformer in float32, without Python. The same weights, config, "
      "input and noise give the same bits from any file format, in any batch, on any number of "
      "threads and any instruction set. Exit status: 0, or 2 where it could not be run.");
  accept_hub_names(
      command->add_option(
          "MODEL", chosen->request.model,
          "a file or directory with a ViT, ViT-MAE, DeiT or DINOv2, under the names of "
          "transformers, timm, facebookresearch/mae or torchvision"))
      ->required();
  add_input_options(command, &chosen->input);
  add_noise_options(command, chosen.get());
  command
      ->add_option("--config", chosen->request.config_path,
                   "the config.json of a model that carries none")
      ->type_name("FILE");
  add_field_options(command, &chosen->request.fields);
  command
      ->add_option("--only", chosen->request.only,
                   "outputs to give, instead of all: what nothing of them needs is not computed")
      ->type_name("NAME,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_whole(
      command, "--top", {1, kLimits.classes},
      [run = chosen.get()](std::uint64_t n) { run->top = n; },
      "print the N most likely classes of each image")
      ->type_name("N");
  command->add_option("--save", chosen->save, "write the outputs as safetensors")
      ->type_name("FILE");
  command
      ->add_option("--trace", chosen->trace,
                   "write the input and the output of every layer as safetensors; samebits diff of "
                   "two such files finds where they part")
      ->type_name("FILE");
  add_whole(
      command, "--repeat", {1, 1'000'000},
      [run = chosen.get()](std::uint64_t n) { run->repeat = static_cast<int>(n); },
      "run the forward pass N times, for its timing")
      ->type_name("N");
  add_isa_option(command, &chosen->isa);
  add_report_options(command, &chosen->report);
  command->footer("example\n  samebits run hf/ --randn 8x3x224x224 --seed 42 --noise-seed 7");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
