#include "samebits/cli/train_options.h"

#include <limits>

#include "samebits/cli/field_options.h"
#include "samebits/cli/offered_words.h"

namespace samebits {
namespace {

const std::vector<std::string> kAdamwNames = {"samebits", "torch"};
constexpr double kMostNumber = std::numeric_limits<double>::max();

void add_length_options(CLI::App* command, TrainChoices* chosen) {
  TrainOptions* options = &chosen->request.options;
  add_whole(
      command, "--steps", {1, kMostSteps}, [options](std::uint64_t n) { options->steps = n; },
      "steps of the optimizer, in all; with --resume a longer training")
      ->type_name("N");
  add_whole(
      command, "--epochs", {1, kMostSteps},
      [chosen](std::uint64_t n) { chosen->request.epochs = n; }, "instead: times through the data")
      ->type_name("N")
      ->excludes("--steps");
  add_whole(
      command, "--batch", {1, kMostImages}, [options](std::uint64_t n) { options->batch = n; },
      "images of one pass (default: 8)")
      ->type_name("N");
  add_whole(
      command, "--accumulate", {1, kMostImages},
      [options](std::uint64_t n) { options->accumulate = n; }, "passes of one step (default: 1)")
      ->type_name("N");
  add_whole(
      command, "--leaf", {1, kMostImages}, [chosen](std::uint64_t n) { chosen->request.leaf = n; },
      "images whose gradients are one sum, a power of two (default: a quarter of the batch, at "
      "most "
      "4); the sums are added in a fixed tree")
      ->type_name("N");
}

/// The options that an optimizer of PyTorch has of its own.
void add_adamw_options(CLI::App* command, TrainChoices* chosen) {
  TrainOptions* options = &chosen->request.options;
  const auto taker = [chosen](double* value) {
    return [chosen, value](double x) {
      *value = x;
      chosen->says_optimizer = true;
    };
  };
  add_number(command, "--lr", {0, kMostNumber}, taker(&options->lr),
             "learning rate (default: 0.001)")
      ->type_name("X");
  add_number(command, "--weight-decay", {0, kMostNumber}, taker(&options->adamw.weight_decay),
             "of AdamW (default: 0.01)")
      ->type_name("X");
  add_number(command, "--layer-decay", {0, 1}, taker(&options->layer_decay),
             "the learning rate of a block is X times that of the one behind it, and so on to the "
             "patches (default: 1)")
      ->type_name("X");
  command->add_flag_callback(
      "--no-decay", [chosen] { chosen->no_decay = chosen->says_optimizer = true; },
      "no weight decay for norms and biases, as transformers' Trainer has it");
  add_number(command, "--beta1", {0, 1}, taker(&options->adamw.beta1), "of AdamW (default: 0.9)")
      ->type_name("X");
  add_number(command, "--beta2", {0, 1}, taker(&options->adamw.beta2), "of AdamW (default: 0.999)")
      ->type_name("X");
  add_number(command, "--eps", {0, kMostNumber}, taker(&options->adamw.eps),
             "of AdamW (default: 1e-8)")
      ->type_name("X");
}

void add_optimizer_options(CLI::App* command, TrainChoices* chosen) {
  TrainOptions* options = &chosen->request.options;
  command->add_flag(
      "--continue", chosen->request.takes_optimizer,
      "go on with PyTorch's AdamW in MODEL (a Lightning checkpoint, a Trainer's or accelerate's "
      "directory, a dict with weights and optimizer): its settings, groups, steps and moments");
  add_adamw_options(command, chosen);
  CLI::Option* kind =
      command
          ->add_option_function<std::string>(
              "--adamw",
              [options](const std::string& name) { options->torch_tails = name == "torch"; },
              "samebits (default): every element alike; torch: the last numel % 8 elements of a "
              "tensor are rounded as torch's fused AdamW rounds them")
          ->type_name("NAME")
          ->check(CLI::IsMember(kAdamwNames).description(""));
  offer_words(kind, kAdamwNames);
  CLI::Option* schedule =
      command
          ->add_option(
              "--schedule", chosen->schedule,
              "of the learning rate: constant (default), cosine or linear, to 0 at the end")
          ->type_name("NAME")
          ->check(CLI::IsMember(schedule_names()).description(""));
  offer_words(schedule, schedule_names());
  add_whole(
      command, "--warmup", {0, kMostSteps}, [options](std::uint64_t n) { options->warmup = n; },
      "steps in which the learning rate rises from 0 (default: 0)")
      ->type_name("N");
  add_number(
      command, "--clip", {0, kMostNumber}, [options](double x) { options->clip = x; },
      "clip the gradient to this norm")
      ->type_name("X");
}

void add_model_options(CLI::App* command, TrainChoices* chosen) {
  add_seed(
      command, "--seed", [chosen](std::uint64_t seed) { chosen->request.options.seed = seed; },
      "of the order of samples, of masks and of dropout, and of the weights of a new model, each "
      "as "
      "torch draws it (default: 42)");
  add_number(
      command, "--mask-ratio", {0, 1}, [chosen](double x) { chosen->request.mask_ratio = x; },
      "of a masked autoencoder (default: its config's)")
      ->type_name("R");
  command->add_flag("--norm-pix-loss", chosen->norm_pix_loss,
                    "of a masked autoencoder: targets are normalized patches (default: its "
                    "config's)");
  command
      ->add_flag("--no-norm-pix-loss", chosen->no_norm_pix_loss,
                 "of a masked autoencoder: targets are pixels")
      ->excludes("--norm-pix-loss");
  add_field_options(command, &chosen->request.fields);
}

void add_run_options(CLI::App* command, TrainChoices* chosen) {
  command
      ->add_option(
          "--data", chosen->request.options.data,
          "safetensors or npz with images, float32 [samples, channels, height, width], and "
          "for a classifier labels, int64; or a folder of JPEG and PNG files, one folder "
          "for each class")
      ->type_name("PATH");
  command
      ->add_option("--val", chosen->request.options.validation,
                   "the same, for a loss in eval mode after every epoch")
      ->type_name("PATH");
  command->add_option("--out", chosen->out, "the directory of checkpoints and metrics.csv")
      ->type_name("RUN");
  command
      ->add_option("--resume", chosen->resume,
                   "go on from the newest checkpoint of RUN, to the bits that a training without a "
                   "stop would have had")
      ->type_name("RUN")
      ->excludes("--out");
  add_whole(
      command, "--save-every", {1, kMostSteps},
      [chosen](std::uint64_t n) {
        chosen->request.options.save_every = n;
        chosen->again.save_every = n;
      },
      "save a checkpoint after every N steps (the last one is always saved)")
      ->type_name("N");
  add_whole(
      command, "--keep", {1, kMostSteps},
      [chosen](std::uint64_t n) {
        chosen->request.options.keep = n;
        chosen->again.keep = n;
      },
      "keep the newest N checkpoints (default: all)")
      ->type_name("N");
  command->add_flag("--tensorboard", chosen->tensorboard,
                    "write an event file of TensorBoard into RUN, too: the columns of metrics.csv "
                    "as scalars. A run that has one goes on with it");
  CLI::Option* exports =
      command
          ->add_option("--export", chosen->exports,
                       "write the last checkpoint for others, too: lightning, RUN/step-N.ckpt for "
                       "Trainer.fit(ckpt_path=...); trainer, RUN/checkpoint-N for transformers' "
                       "Trainer.train(resume_from_checkpoint=...); hf, RUN/hf-N for "
                       "from_pretrained()")
          ->type_name("NAMES")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->check(CLI::IsMember(export_format_names()).description(""));
  offer_words(exports, export_format_names());
  add_whole(
      command, "--trace-step", {1, kMostSteps},
      [chosen](std::uint64_t n) { chosen->trace_step = n; },
      "write RUN/trace-step-N.safetensors: activations, gradients and updates of step N")
      ->type_name("N");
}

}  // namespace

void add_train_options(CLI::App* command, TrainChoices* chosen) {
  add_run_options(command, chosen);
  add_length_options(command, chosen);
  add_optimizer_options(command, chosen);
  add_model_options(command, chosen);
}

}  // namespace samebits
