#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/checkpoint/open.h"
#include "samebits/cli/commands.h"
#include "samebits/cli/isa_option.h"
#include "samebits/cli/options.h"
#include "samebits/cli/process.h"
#include "samebits/cli/train_config.h"
#include "samebits/cli/train_options.h"
#include "samebits/cli/train_report.h"
#include "samebits/container/safetensors_writer.h"
#include "samebits/lock/lock.h"
#include "samebits/train/metrics_file.h"
#include "samebits/train/run_folder.h"
#include "samebits/train/trainer.h"

namespace samebits {
namespace {

using TrainClock = std::chrono::steady_clock;

double seconds_from(TrainClock::time_point start) {
  return std::chrono::duration<double>(TrainClock::now() - start).count();
}

/// The line on a terminal, which the next one overwrites.
class TrainingLine {
 public:
  ~TrainingLine() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
  }
  void show(const TrainReport& report) {
    if (!terminal_ || (shown_ && seconds_from(last_) < kPause)) return;
    last_ = TrainClock::now();
    shown_ = true;
    std::fprintf(stderr, "\r%s\x1b[K", training_progress(report).c_str());
    std::fflush(stderr);
  }

 private:
  static constexpr double kPause = 0.25;  // seconds
  bool terminal_ = isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
  TrainClock::time_point last_;
};

Result<void> write_step_trace(const std::string& path, const StepTrace& trace) {
  std::vector<TensorToWrite> tensors;
  for (const NamedArray& array : trace.arrays) {
    Shape shape(array.shape.begin(), array.shape.end());
    tensors.push_back({array.name, DType::float32, std::move(shape),
                       Bytes(reinterpret_cast<const std::uint8_t*>(array.values.data()),
                             array.values.size() * sizeof(float))});
  }
  return write_safetensors(path, tensors, {{"format", "pt"}});
}

struct TrainCommand : TrainChoices {
  int run() {
    Result<TrainReport> done = caught(folder(), [this] { return train(); });
    if (!done) {
      if (report.json) write_output(train_failure_json(folder(), to_string(done.error())));
      return usage_error(done.error());
    }
    if (!write_output(report.json ? train_json_text(*done) : render_training(*done))) return 2;
    return done->stopped.empty() ? 0 : 1;
  }

  /// Errors: usage.
  Result<void> read_options() {
    const auto wrong = [](const std::string& what) {
      return fail(
          Error{.code = ErrorCode::usage, .what = what, .hint = "See samebits train --help"});
    };
    if (resume.empty()) {
      if (request.model.empty() || request.options.data.empty() || out.empty())
        return wrong("a training needs MODEL, --data and --out, or --resume");
      if ((request.options.steps > 0) == (request.epochs > 0))
        return wrong("how long: --steps or --epochs, one of them");
    } else if (!request.model.empty()) {
      return wrong("--resume takes the model from its checkpoint, and no MODEL");
    }
    request.says_schedule = !schedule.empty();
    request.options.schedule = *schedule_from_name(schedule.empty() ? "constant" : schedule);
    if (request.takes_optimizer && says_optimizer)
      return wrong(
          "--continue takes --lr, --weight-decay, --layer-decay, --no-decay, --beta1, --beta2 and "
          "--eps from the "
          "optimizer in MODEL");
    if (request.takes_optimizer && !resume.empty())
      return wrong("--resume goes on with its own optimizer, and takes no --continue");
    request.options.decay_all = !no_decay;
    if (norm_pix_loss || no_norm_pix_loss) request.norm_pix_loss = norm_pix_loss;
    request.threads = again.threads = report.thread_count();
    request.traces = again.traces = trace_step > 0;
    if (request.options.steps > 0) again.steps = request.options.steps;
    again.data = request.options.data;
    again.validation = request.options.validation;
    SAMEBITS_TRY(const auto subjects, choose_subjects({request.model}, report.keys));
    request.key = subjects.front().key;
    return {};
  }

  Result<Trainer> prepare(const RunFolder& runs) const {
    SAMEBITS_TRY(const std::vector<std::uint64_t> saved, runs.steps());
    if (resume.empty()) {
      if (saved.empty()) return Trainer::start(request);
      return fail({.code = ErrorCode::usage,
                   .what = "it holds a training already",
                   .file = out,
                   .hint = "Go on with --resume, or name another directory"});
    }
    if (!saved.empty()) return Trainer::resume(runs.step_path(saved.back()), again);
    return fail({.code = ErrorCode::usage,
                 .what = "it holds no checkpoint of a training",
                 .file = resume,
                 .expected = "directories step-N"});
  }

  Result<TrainReport> train() {
    SAMEBITS_TRY_VOID(read_options());
    SAMEBITS_TRY(const KernelChoice choice, chosen_kernels(isa));
    const TrainClock::time_point start = TrainClock::now();
    if (!resume.empty() && ::access(resume.c_str(), F_OK) != 0)
      return fail({.code = ErrorCode::io, .what = "there is no such directory", .file = resume});
    SAMEBITS_TRY(const RunFolder runs, RunFolder::open(folder()));
    std::optional<Trainer> trainer;
    SAMEBITS_TRY(trainer, prepare(runs));
    TrainReport made{.model = resume.empty() ? request.model : resume,
                     .run = folder(),
                     .first_step = trainer->steps_done() + 1,
                     .last_step = trainer->steps_done(),
                     .steps = trainer->options().steps,
                     .load_s = seconds_from(start),
                     .notes = trainer->notes(),
                     .isa = isa_name(choice.kernels->isa)};
    ThreadPool pool(report.thread_count());
    made.threads = pool.threads();
    SAMEBITS_TRY_VOID(loop(*trainer, runs, {*choice.kernels, pool}, &made));
    made.checkpoint = runs.step_path(trainer->steps_done());
    for (const std::string& name : exports) {
      const ExportFormat format = *export_format_from_name(name);
      made.exports.push_back(runs.path() + "/" + export_name(format, trainer->steps_done()));
      SAMEBITS_TRY_VOID(trainer->write_export(format, made.exports.back()));
    }
    trainer.reset();  // its memory
    SAMEBITS_TRY(const Checkpoint last, open_checkpoint(made.checkpoint));
    SAMEBITS_TRY(const Lock lock, make_lock(last, LockAlgorithm::sha256, made.threads));
    made.weights_sha256 = named_digest(lock);
    return made;
  }

  Result<void> loop(Trainer& trainer, const RunFolder& runs, const Engine& engine,
                    TrainReport* made) const {
    SAMEBITS_TRY(MetricsFile metrics, MetricsFile::open(runs.metrics_path(), trainer.steps_done(),
                                                        trainer.has_validation()));
    const auto save = [&]() -> Result<void> {
      return runs.save(trainer.steps_done(), trainer.options().keep,
                       [&](const std::string& directory) { return trainer.write(directory); });
    };
    ask_before_stopping();
    TrainingLine line;
    bool saved = !resume.empty();
    while (!trainer.finished() && stop_asked() == 0) {
      SAMEBITS_TRY(const StepDone done, one_step(trainer, runs, engine, made));
      SAMEBITS_TRY_VOID(metrics.add_loss(done.epoch, done.step - 1, done.loss));
      line.show(*made);
      if (done.ends_epoch && trainer.has_validation()) {
        SAMEBITS_TRY(const float loss, trainer.validate(engine));
        made->validation.emplace_back(done.step, loss);
        SAMEBITS_TRY_VOID(metrics.add_validation(done.epoch, done.step - 1, loss));
      }
      const std::uint64_t every = trainer.options().save_every;
      saved = every > 0 && done.step % every == 0;
      if (saved) SAMEBITS_TRY_VOID(save());
    }
    if (!trainer.finished()) made->stopped = stop_asked() == SIGINT ? "SIGINT" : "SIGTERM";
    if (!saved) SAMEBITS_TRY_VOID(save());
    return {};
  }

  Result<StepDone> one_step(Trainer& trainer, const RunFolder& runs, const Engine& engine,
                            TrainReport* made) const {
    StepTrace trace;
    const bool traced = trainer.steps_done() + 1 == trace_step;
    const TrainClock::time_point start = TrainClock::now();
    SAMEBITS_TRY(const StepDone done, trainer.step(engine, traced ? &trace : nullptr));
    made->step_s.push_back(seconds_from(start));
    made->loss.push_back(done.loss);
    made->last_step = done.step;
    made->images += done.images;
    if (traced)
      SAMEBITS_TRY_VOID(write_step_trace(
          fmt::format("{}/trace-step-{}.safetensors", runs.path(), done.step), trace));
    return done;
  }
};

}  // namespace

void add_train(CLI::App* program, int* status) {
  const auto chosen = std::make_shared<TrainCommand>();
  CLI::App* command = program->add_subcommand(
      "train",
      "Train it, and resume to the same bits\n"
      "Trains a ViT-MAE, or a classifier of ViT, DeiT or DINOv2, with AdamW in float32. The "
      "weights after a step depend on model, data and options alone: not on threads, instruction "
      "sets, or how often the training was killed and resumed. Ctrl-C ends it after the step, "
      "saved. Exit status: 0 where it reached its end, 1 where it was stopped and saved, 2 where "
      "it failed.");
  add_train_config(command, &chosen->request.config_path);
  command->add_option(
      "MODEL", chosen->request.model,
      "a directory or file with weights under the names of transformers; or a config.json "
      "alone, whose model gets the weights of a new one of transformers 5.24.0");
  add_train_options(command, chosen.get());
  add_isa_option(command, &chosen->isa);
  command->add_flag("--json", chosen->report.json,
                    "say as JSON how it went (docs/json.md), in one line");
  add_reading_options(command, &chosen->report);
  command->footer("example\n  samebits train hf/ --data pictures.safetensors --out run --epochs 3");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
