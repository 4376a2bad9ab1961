// Subjects run by the engine: ViT and its kin.
#pragma once

#include <map>
#include <optional>

#include "samebits/explain/report.h"
#include "samebits/explain/runner.h"
#include "samebits/run/run_request.h"

namespace samebits {

class NativeRunner : public Runner {
 public:
  /// Loads every subject of `report` with its config, or that of the one from which it is borrowed;
  /// the input is made for the first. Errors name the subject: those of open_vit() and
  /// prepare_input(), and inconsistent where one takes other images than the first.
  static Result<NativeRunner> open(const Report& report, const InputRequest& input, int threads);

  const PreparedInput& input() const { return input_; }
  /// Which of the report's subjects are run, the first among them: what the runner counts is an
  /// index into these.
  const std::vector<std::size_t>& subjects() const { return subjects_; }
  /// Whose own processor makes other numbers of the images that are run, or may make others.
  struct OtherInput {
    std::size_t subject = 0;  // as the runner counts
    std::string how;          // "12 of 3072 numbers differ, up to 0.8"; "" where none is known to
    std::optional<PreparedInput> own;  // nothing where it cannot be made
    std::string not_computed;          // "ViTImageProcessorFast", of one of the two alone
    bool borrowed = false;             // it has no processor, and takes the first one's
  };
  const std::vector<OtherInput>& other_inputs() const { return other_inputs_; }
  /// Why the others are not.
  const std::vector<Error>& refused() const { return refused_; }
  /// The names of the tensors that a part of the weights is made of, in the subject's file.
  std::vector<std::string> tensors_of(const Subject& subject, std::size_t index,
                                      const std::string& part) const;

  /// What the subject's class calls the points of its pass.
  const PointNames& point_names(std::size_t subject) const {
    return loaded_[subject].model.config().names;
  }

  bool draws_noise(std::size_t subject) const override;
  bool draws_dropout(std::size_t subject) const override;
  std::vector<Factor> differing(std::size_t a, std::size_t b) override;
  std::string group_of(const Factor& factor) const override;
  Result<VitOutputs> run(const RunSpec& spec, const TracePoint& trace = {}) override;

 private:
  struct Loaded {
    VitModel model;
    Json config;
    model::Recognition found;
    bool training = false;
  };

  /// A subject's own pass: what a run that begins alike starts from.
  struct Begun {
    VitConfig config;
    std::uint64_t noise = 0;  // the seed; counts where the model is masked
    PassStates states;
  };
  struct Start {
    PassStates states;
    std::size_t stage = 0;  // 0: from the beginning
  };

  NativeRunner(int threads) : pool_(std::make_unique<ThreadPool>(threads)) {}
  static Result<Loaded> load(const Report& report, std::size_t subject);
  /// The first makes the input; the others must take it.
  Result<void> add(const Report& report, std::size_t subject, Loaded loaded,
                   const InputRequest& input);
  void compare_input(const Report& report, std::size_t subject, const VitModel& model,
                     const InputRequest& input);
  const PreparedInput& input_of(const RunSpec& spec) const;
  Result<VitOutputs> run_now(const RunSpec& spec, const TracePoint& trace);
  Result<VitConfig> config_with(const RunSpec& spec) const;
  bool trains(const RunSpec& spec) const;
  /// The latest stage up to which a pass that was kept has the bits of this run.
  Start start_of(const RunSpec& spec, const VitConfig& config) const;
  /// The first stage in which the run has other weights than the donor itself.
  std::size_t parts_with_donor(const RunSpec& spec) const;
  /// Whether this run's states are kept: of the first subject, and of the one that was run last.
  bool keeps(const RunSpec& spec, const VitConfig& config) const;
  void keep(const RunSpec& spec, const VitConfig& config, PassStates states);

  std::unique_ptr<ThreadPool> pool_;
  std::vector<Loaded> loaded_;
  std::vector<std::size_t> subjects_;
  std::vector<Error> refused_;
  std::vector<OtherInput> other_inputs_;
  PreparedInput input_;
  std::map<std::size_t, Begun> begun_;  // by subject
  // Parts of the weights in which two subjects differ; nothing where they cannot be exchanged.
  std::map<std::pair<std::size_t, std::size_t>, std::optional<std::vector<std::string>>> parts_;
};

}  // namespace samebits
