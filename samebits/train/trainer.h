// A training: steps, validation and checkpoints of one model on one set of data.
//
// The weights after step n are a function of the model, the data and the options alone: not of
// threads, processes, instruction sets, or of how often the training was stopped and resumed. With
// several processes step(), validate() and collect() are called by all ranks. A training step is
// that of this PyTorch program, but for rounding:
//
//     torch.manual_seed(seed)                       # the noise of masks, and dropout
//     loader = DataLoader(data, batch, shuffle=True, generator=torch.Generator().manual_seed(seed))
//     optimizer = torch.optim.AdamW(model.parameters(), lr, fused=True)
//     for images in loader:
//         model(images).loss.backward(); optimizer.step(); optimizer.zero_grad()
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "samebits/train/data_set.h"
#include "samebits/train/export_training.h"
#include "samebits/train/model_step.h"
#include "samebits/train/run_folder.h"
#include "samebits/train/sample_order.h"
#include "samebits/train/sharded_optimizer.h"
#include "samebits/train/step_trace.h"
#include "samebits/train/taken_optimizer.h"
#include "samebits/train/train_state.h"

namespace samebits {

/// What is asked for; nothing where the model or the usual decides.
struct TrainRequest {
  std::string model, key;
  std::string config_path;            // "": the model's own
  Json fields;                        // config fields that count before those of either
  bool takes_optimizer = false;       // PyTorch's in the model's file goes on
  TrainOptions options;               // steps: 0 where epochs say it
  bool says_schedule = false;         // options.schedule was asked for
  std::uint64_t epochs = 0;           // 0: steps say it
  std::optional<double> mask_ratio;   // nothing: the config's
  std::optional<bool> norm_pix_loss;  // nothing: the config's
  std::optional<std::size_t> leaf;    // nothing: TrainOptions::usual_leaf()
  bool traces = false;                // a step will be recorded
  int threads = 1;
  ProcessGroup* group = nullptr;  // outlives the trainer; nullptr: one process
};

/// What is asked for anew where a training is resumed.
struct ResumeRequest {
  std::string data, validation;        // "": where they were
  std::optional<std::uint64_t> steps;  // nothing: as many as were asked for
  std::optional<std::uint64_t> save_every;
  std::optional<std::size_t> keep;
  bool traces = false;
  int threads = 1;
  ProcessGroup* group = nullptr;
};

struct StepDone {
  std::uint64_t step = 0;  // from 1
  std::uint64_t epoch = 0;
  std::size_t images = 0;
  float loss = 0;
  double lr = 0;
  std::optional<double> gradient_norm;  // where it is clipped
  bool ends_epoch = false;
};

/// All that a checkpoint holds and a step changes.
struct TrainingCopy {
  TrainState state;
  VitWeights weights, first, second;
};

class Trainer {
 public:
  /// Errors: those of open_checkpoint(), trained_model(), take_optimizer() and DataSet::open(),
  /// usage.
  static Result<Trainer> start(const TrainRequest& request);
  /// From a directory that write_checkpoint() filled. Errors: also those of read_state();
  /// inconsistent where the data are others.
  static Result<Trainer> resume(const std::string& checkpoint, const ResumeRequest& request);

  const TrainOptions& options() const { return state_.options; }
  std::uint64_t steps_done() const { return state_.step; }
  bool finished() const { return state_.step >= state_.options.steps; }
  std::size_t samples() const { return data_->size(); }
  std::size_t steps_of_epoch() const;
  bool has_validation() const { return validation_ != nullptr; }
  /// Sentences: what was taken from the model's file beside its weights, and what was not.
  const std::vector<std::string>& notes() const { return notes_; }

  /// The next step of the optimizer. With `trace` what it computed: images, noise, activations,
  /// gradients and updates, by name. Errors: inconsistent where the loss or a weight is not finite
  /// any more (the training must end then, and nothing be saved), and those of reading samples.
  Result<StepDone> step(const Engine& engine, StepTrace* trace = nullptr);
  /// The mean loss over the validation data, in eval mode and in order; noise from a generator of
  /// its own, seeded anew. Requires has_validation().
  Result<float> validate(const Engine& engine);
  /// What all ranks must have begun with alike, as text.
  std::string beginning() const;
  /// Before write() and write_export(), which rank 0 alone calls: the moments of all ranks come to
  /// it. Errors: those of ProcessGroup::exchange().
  Result<void> collect();
  /// Errors: io.
  Result<void> write(const std::string& directory);
  /// What write() would write, so that steps can be made before it is written.
  void copy_to(TrainingCopy* copy) const;
  /// May be called while another thread makes steps.
  Result<void> write(const std::string& directory, TrainingCopy& copy) const;
  /// As a library reads it. Errors: those of export_training().
  Result<void> write_export(ExportFormat format, const std::string& path);

 private:
  struct StepRun;
  Trainer(TrainedModel trained, ProcessGroup* group);
  Learning learning();
  TrainState state_of_now() const;
  Result<void> open_data();
  Result<TakenOptimizer> take_over(const Checkpoint& checkpoint);
  void note(const TakenOptimizer& taken);
  void note_initial();
  Result<void> make_arrays(bool traces);
  Result<void> list_slots();
  LearningSlot learning_slot(const WeightSlot& weight, const WeightSlot& gradient,
                             std::size_t index, std::size_t group);
  Result<float> run_passes(const Engine& engine, std::size_t images, StepTrace* trace,
                           const BlockDone& done);
  Result<std::vector<float>> own_passes(StepRun& run);
  Result<std::vector<float>> run_nodes(StepRun& run, std::size_t first, std::size_t images);
  Result<std::vector<float>> run_node(StepRun& run, const TrainBatch& batch, const LeafRange& node);
  void draw_noise(std::size_t images);
  Result<void> read_images(std::span<const std::int64_t> samples);
  void put_aside(const StepRun& run);
  Result<void> take_sum(const StepRun& run);
  Result<double> clip(const Engine& engine, std::vector<AdamwScalars>* of_groups);
  Result<std::vector<double>> validation_terms(const Engine& engine);
  Result<void> validate_batch(const Engine& engine, std::size_t first, std::size_t count,
                              std::span<const float> noise, std::vector<double>* terms);
  double rate_factor() const;
  std::vector<AdamwScalars> scalars() const;
  Error not_finite(const std::string& what) const;

  struct Arrays {
    VitWeights gradient, first, second;
  };

  // What others point into stays where it is when the trainer moves.
  std::unique_ptr<TrainedModel> trained_;
  std::unique_ptr<ModelStep> passes_;
  std::unique_ptr<Arrays> arrays_;
  ProcessGroup* group_;
  std::unique_ptr<ProcessGroup> alone_;        // the group of a training of one process
  std::unique_ptr<ShardedOptimizer> sharded_;  // of several
  /// Sums of passes that wait for their other half, in memory that is kept: the first `waiting_`.
  std::vector<std::pair<LeafRange, std::unique_ptr<VitWeights>>> sums_;
  std::size_t waiting_ = 0;
  std::vector<LearningGroup> groups_;
  std::vector<std::string> notes_;
  std::vector<LearningSlot> slots_;  // of all blocks, where their gradients are kept; and the rest
  /// Where gradients of blocks are not kept: the slots of each block.
  std::vector<std::vector<LearningSlot>> encoder_, decoder_;
  bool keeps_gradient_ = false;
  std::unique_ptr<DataSet> data_, validation_;
  std::optional<SampleOrder> order_;
  CpuGenerator generator_;
  TrainState state_;
  std::vector<float> images_, noise_;
  std::vector<std::int64_t> labels_;
};

}  // namespace samebits
