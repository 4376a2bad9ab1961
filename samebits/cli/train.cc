#include <unistd.h>

#include <cstdio>
#include <memory>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/base/parallel.h"
#include "samebits/cli/commands.h"
#include "samebits/cli/isa_option.h"
#include "samebits/cli/mpi_group.h"
#include "samebits/cli/options.h"
#include "samebits/cli/process.h"
#include "samebits/cli/train_config.h"
#include "samebits/cli/train_options.h"
#include "samebits/cli/train_report.h"
#include "samebits/cli/train_run.h"

namespace samebits {
namespace {

struct TrainCommand : TrainChoices {
  int run() {
    if (const std::optional<MpiLaunch> launch = mpi_launch()) return run_with_mpi(*launch);
    OneProcess alone;
    return say(caught(folder(), [&] { return train(alone, 1); }));
  }

 private:
  int run_with_mpi(const MpiLaunch& launch) {
    const Result<std::unique_ptr<MpiGroup>> opened = MpiGroup::open(launch);
    if (!opened) return said_once_on_this_machine(launch, opened.error());
    MpiGroup& mpi = **opened;
    bool agreed = false;
    Result<TrainReport> done = caught(folder(), [&] {
      auto made = train(mpi, static_cast<int>(mpi.sharing()));
      agreed = true;
      return made;
    });
    if (!agreed) {  // an exception of this rank alone
      done.error().what =
          fmt::format("rank {} of {}: {}", mpi.rank(), mpi.size(), done.error().what);
      say(done);
      mpi.abort(2);
    }
    if (mpi.failed()) return said_by_the_lowest(mpi, done);
    if (done) {
      done->communication_s = mpi.communication_s();
      done->waiting_s = mpi.waiting_s();
    }
    const int status = mpi.first() ? say(done) : status_of(done);
    mpi.finish();  // before that mpirun would end a rank that still prints
    return status;
  }

  /// The others give it the time to be said before mpirun ends all.
  static int said_once_on_this_machine(const MpiLaunch& launch, const Error& error) {
    if (launch.first_here) return usage_error(error);
    ask_before_stopping();
    ::sleep(1);
    return 2;
  }

  /// Nobody leaves before it is said: mpirun would end the rank that says it, and the others would
  /// take its place.
  int said_by_the_lowest(const MpiGroup& mpi, const Result<TrainReport>& done) const {
    constexpr unsigned kUntilSaid = 200'000;  // microseconds
    if (mpi.lowest_alive()) say(done);
    ::usleep(kUntilSaid);
    return 2;
  }

  Result<TrainReport> train(ProcessGroup& group, int sharing) {
    request.group = again.group = &group;
    request.threads = again.threads =
        report.threads != 0 ? report.threads : std::max(1, available_threads() / sharing);
    SAMEBITS_TRY_VOID(agree(group, read_options()));
    return TrainRun(*this, group).run();
  }

  static int status_of(const Result<TrainReport>& done) {
    if (!done) return 2;
    return done->stopped.empty() ? 0 : 1;
  }

  int say(const Result<TrainReport>& done) const {
    if (!done) {
      if (report.json) write_output(train_failure_json(folder(), to_string(done.error())));
      return usage_error(done.error());
    }
    if (!write_output(report.json ? train_json_text(*done) : render_training(*done))) return 2;
    return status_of(done);
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
    request.traces = again.traces = trace_step > 0;
    if (request.traces && request.group->size() > 1)
      return wrong("--trace-step is for one process, whose steps have the same bits");
    if (request.options.steps > 0) again.steps = request.options.steps;
    again.data = request.options.data;
    again.validation = request.options.validation;
    SAMEBITS_TRY(const auto subjects, choose_subjects({request.model}, report.keys));
    request.key = subjects.front().key;
    return {};
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
