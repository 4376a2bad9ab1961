// What a training's file or directory holds to go on from, besides the weights: optimizers,
// schedules, scalers, generators, samplers, counters, settings, each with its place.
//
// Found by what they look like first, by their keys second. Covers plain dicts of torch.save,
// Lightning's .ckpt, directories of transformers' Trainer (checkpoint-N) and of accelerate's
// save_state(), distributed checkpoints (DCP, also FSDP's sharded state dicts in them) and
// DeepSpeed's ZeRO. Not read: files of single ranks of FSDP, shards without the rest of their
// checkpoint; they are named in `not_read`.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/generator_state.h"
#include "samebits/checkpoint/optimizer_state.h"

namespace samebits {

enum class TrainingFramework : std::uint8_t {
  plain,
  lightning,
  trainer,
  accelerate,
  deepspeed,
  dcp
};

/// A part whose values are plain, and where it stands.
struct PlacedValues {
  std::string place;
  Json values;
};

/// Partitions of an optimizer's state: those that were read are among ResumeState::optimizers.
struct ZeroPartitions {
  std::string place;               // "global_step6"
  std::int64_t stage = 0;          // 0 where it is no ZeRO (the BF16 optimizer)
  std::uint64_t written = 0;       // as they say
  std::vector<std::string> names;  // of the files that are there
};

struct ResumeState {
  TrainingFramework framework = TrainingFramework::plain;
  Checkpoint source;  // the files that were read, and their tensors as entries
  std::vector<OptimizerState> optimizers;
  std::optional<ZeroPartitions> zero;
  std::vector<PlacedValues> schedulers, scalers, samplers, averages;
  std::vector<GeneratorState> generators;
  std::vector<PlacedValues> epochs, steps;  // one number each: "epoch", "trainer.global_step"
  std::vector<PlacedValues> positions;      // in the epoch: "batch_idx", "samples_seen"
  std::vector<PlacedValues> settings;       // args, config, hyper_parameters, training_args.bin
  Json loops;                               // Lightning's, or null
  Json trainer;                             // trainer_state.json, or null
  std::vector<std::string> callbacks;       // Lightning's, by name
  std::vector<std::string> empty;           // places of parts that are there and hold nothing
  std::vector<std::string> whole_objects;   // optimizers pickled whole
  std::vector<std::string> not_read;        // sentences: parts that are there and are not read
};

/// Reads what `opened` leaves aside. Its path is a file or a directory that open_checkpoint() could
/// read; the weights' names stand in it.
ResumeState read_resume_state(const Checkpoint& opened);

/// Sentences on what stands in the directory and is not read: partitions, shards, folders of a
/// distributed checkpoint. Also of a path that open_checkpoint() cannot read. Folders in `read`
/// were read; "." is the directory itself.
std::vector<std::string> unread_training_parts(const std::string& path,
                                               const std::set<std::string>& read = {});

}  // namespace samebits
