#include "samebits/explain/resume_remedies.h"

#include <algorithm>
#include <optional>

#include "samebits/base/error.h"

namespace samebits {
namespace {

struct RemedyRow {
  std::string_view part;
  std::optional<TrainingFramework> framework;  // nothing: any other
  ResumeRemedy text;
};
using enum TrainingFramework;

constexpr RemedyRow kRemedies[] = {
    {"weights",
     std::nullopt,
     {"there is nothing to go on from", "Name the file or directory that holds the model, too"}},
    {"optimizer",
     trainer,
     {"the Trainer loads optimizer.pt and scheduler.pt only where both are there, and goes on "
      "without a word: new moments, and the learning rate of step 0",
      "Resume from a checkpoint that was saved with save_only_model=False"}},
    {"optimizer",
     lightning,
     {"Lightning ends with a KeyError where the key optimizer_states is not there; where its "
      "list is empty, the moments start anew",
      "Save with ModelCheckpoint(save_weights_only=False)"}},
    {"optimizer",
     accelerate,
     {"load_state() ends with a FileNotFoundError where an optimizer was prepared; else the "
      "moments start anew",
      "Give the optimizer to accelerator.prepare() before save_state()"}},
    {"optimizer",
     dcp,
     {"dcp.load() restores nothing of an optimizer: its moments, and with them the sizes of the "
      "steps, start anew",
      "Save what torch.distributed.checkpoint.state_dict.get_state_dict(model, optimizer) gives, "
      "and give it to set_state_dict() at resume"}},
    {"optimizer",
     deepspeed,
     {"the next steps are those of a new optimizer: its moments, and with them the sizes of the "
      "steps, start anew",
      "Save with engine.save_checkpoint() on all ranks, and copy the files of all of them"}},
    {"optimizer",
     std::nullopt,
     {"the next steps are those of a new optimizer: its moments, and with them the sizes of the "
      "steps, start anew",
      "Save optimizer.state_dict(), too; at resume build optimizer and schedule, then load both"}},
    {"step",
     accelerate,
     {"save_state() keeps no epoch and no batch: a loop that starts at 0 makes its steps again",
      "Register an object that counts (accelerator.register_for_checkpointing), or save epoch and "
      "batch beside the directory"}},
    {"step",
     std::nullopt,
     {"the loop starts at step 0 and makes its steps again",
      "Save the count of steps, and of epochs"}},
    {"scheduler",
     trainer,
     {"the Trainer loads optimizer.pt and scheduler.pt only where both are there, and goes on "
      "without a word: new moments, and the learning rate of step 0",
      "Resume from a checkpoint that was saved with save_only_model=False"}},
    {"scheduler",
     accelerate,
     {"load_state() ends with a FileNotFoundError where a schedule was prepared; else it starts "
      "again at step 0",
      "Give the schedule to accelerator.prepare() before save_state()"}},
    {"scheduler",
     lightning,
     {"Lightning ends with a KeyError where the key lr_schedulers is not there; where its list is "
      "empty, the schedule starts again at step 0",
      "Save with ModelCheckpoint(save_weights_only=False)"}},
    {"scheduler",
     deepspeed,
     {"the schedule starts again at step 0: the learning rate jumps, or takes another course",
      "Give the schedule to deepspeed.initialize(lr_scheduler=...), whose engine saves and "
      "restores "
      "it"}},
    {"scheduler",
     std::nullopt,
     {"the schedule starts again at step 0: the learning rate jumps, or takes another course",
      "Save scheduler.state_dict(), too; at resume build optimizer and schedule, then load both"}},
    {"scaler",
     std::nullopt,
     {"the loss scale starts anew: its first steps are skipped or taken where the others were not",
      "Save scaler.state_dict(), too"}},
    {"rng",
     lightning,
     {"Lightning saves no generator: other dropout masks, another order of the data, other "
      "augmentation",
      "samebits.callbacks.lightning_callback() in the Trainer's callbacks, or one whose "
      "state_dict() "
      "keeps torch.get_rng_state(), numpy.random.get_state() and random.getstate(), and that "
      "restores them in load_state_dict(); exact at the end of an epoch (in the middle: at "
      "on_train_start, with a StatefulDataLoader)"}},
    {"rng",
     trainer,
     {"the Trainer logs it and goes on: other dropout masks, other augmentation",
      "Resume with as many processes as wrote it, from a checkpoint with all of its rng_state "
      "files"}},
    {"rng",
     accelerate,
     {"load_state() logs it and goes on: other dropout masks, another order of the data",
      "Resume from a directory with all of its random_states files"}},
    {"rng",
     deepspeed,
     {"DeepSpeed saves no generator: other dropout masks, another order of the data, other "
      "augmentation",
      "Give their states to engine.save_checkpoint(client_state=...), one file for each rank "
      "where ranks differ; load_checkpoint() returns them"}},
    {"rng",
     dcp,
     {"other dropout masks, another order of the data, other augmentation: whatever draws from it",
      "Put the states of all generators into the state dict that dcp.save() gets, under a name for "
      "each rank"}},
    {"rng",
     std::nullopt,
     {"other dropout masks, another order of the data, other augmentation: whatever draws from it",
      "Save torch.get_rng_state(), numpy.random.get_state() and random.getstate() (of a GPU "
      "torch.cuda.get_rng_state_all()); at the end of an epoch restore them before iter(loader)"}},
    {"position",
     lightning,
     {"Lightning starts the epoch again at its first sample and makes only the batches that were "
      "left: samples are seen twice, others not at all",
      "Save at the end of an epoch, or train with a StatefulDataLoader of torchdata"}},
    {"position",
     trainer,
     {"with ignore_data_skip the epoch's order starts again at its first sample",
      "Resume without ignore_data_skip"}},
    {"position",
     accelerate,
     {"skip_first_batches() needs the count of batches and, to skip those of the same order, the "
      "sampler's seed: neither is saved",
      "Save at the end of an epoch; or DataLoaderConfiguration(use_stateful_dataloader=True)"}},
    {"position",
     deepspeed,
     {"the engine keeps counts of steps and samples, and makes no loader skip: in the middle of an "
      "epoch its order is drawn again, and samples are seen twice or not at all",
      "Give the count of the epoch's batches to engine.save_checkpoint(client_state=...)"}},
    {"position",
     std::nullopt,
     {"in the middle of an epoch its order is drawn again, and samples are seen twice or not at "
      "all; at the end of one nothing is lost",
      "Save the count of the epoch's batches (0 at its end); in the middle also a "
      "StatefulDataLoader's state, or the generators of the epoch's start"}},
    {"gradients",
     std::nullopt,
     {"the next step is made of the batches that are left of it alone",
      "Save between steps: validate and save every multiple of accumulate_grad_batches"}},
    {"files",
     std::nullopt,
     {"load_state() gives each prepared model, optimizer and schedule, and each registered object, "
      "the file of its number: it ends with a FileNotFoundError, or a RuntimeError that counts "
      "them",
      "Copy the whole directory"}},
    {"ema", std::nullopt, {"the average starts again from the weights", "Save the average, too"}},
};

}  // namespace

ResumeRemedy resume_remedy(std::string_view part, TrainingFramework framework) {
  const auto fits = [&](const RemedyRow& row) {
    return row.part == part && (!row.framework || *row.framework == framework);
  };
  const auto found = std::ranges::find_if(kRemedies, fits);
  SAMEBITS_CHECK(found != std::end(kRemedies));
  return found->text;
}

}  // namespace samebits
