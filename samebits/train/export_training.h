// A training's checkpoint as the libraries read it, so that they go on with it.
//
//     lightning   one file: Trainer.fit(module, ckpt_path=FILE) of Lightning 2.6.6
//     trainer     checkpoint-N: Trainer.train(resume_from_checkpoint=DIRECTORY) of transformers
//                 5.24.0, whose resumed load takes the names of live modules alone
//     hf          a directory for from_pretrained() of transformers 5.24.0, without an optimizer
//
// Weights stand under the names that modules of transformers 5 have, in their order, and the
// optimizer lists them in that order: in the groups of the optimizer that was taken over, or else
// in one group, for the Trainer in its two. Positions of a masked autoencoder are listed where they
// learn. Sources: pytorch_lightning trainer/connectors/checkpoint_connector.py and loops;
// transformers trainer.py and trainer_callback.py; torch/optim/lr_scheduler.py (LambdaLR).
// Not written: states of generators.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/train/train_state.h"

namespace samebits {

enum class ExportFormat : std::uint8_t { lightning, trainer, hf };
std::optional<ExportFormat> export_format_from_name(std::string_view name);
std::vector<std::string> export_format_names();

/// What an export reads.
struct ExportedTraining {
  TrainedModel& trained;
  VitWeights &first, &second;  // moments
  const TrainState& state;
  const std::vector<LearningGroup>& groups;
  std::size_t samples = 0;  // of an epoch
};

/// The name of the file or directory: "step-9.ckpt", "checkpoint-9", "hf-9".
std::string export_name(ExportFormat format, std::uint64_t step);
/// Writes it, in the place of one that is there. Errors: io; unsupported for a model or groups that
/// the library has no place for.
Result<void> export_training(const ExportedTraining& training, ExportFormat format,
                             const std::string& path);

}  // namespace samebits
