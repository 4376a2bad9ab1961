// What a run takes and gives, as values: the model, its input and its noise from files or from
// torch's generator.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/image/resize.h"
#include "samebits/run/input_file.h"
#include "samebits/run/open_vit.h"

namespace samebits {

/// What a model is given, as a person asks for it.
struct InputRequest {
  std::vector<std::string> images;  // JPEG or PNG files, or else:
  std::string processor_path;       // their preprocessor_config.json; "": the model's own
  PassOrder pillow = PassOrder::pillow13;
  std::string input_path;               // safetensors with pixel_values; "":
  std::optional<InputTensor> tensor{};  // pixel_values; nothing: randn
  std::vector<std::size_t> randn;       // [batch, channels, height, width]; empty: one image
  std::uint64_t seed = 42;
};

/// Images that a model takes.
struct PreparedInput {
  std::vector<float> images;  // [batch, channels, height, width]
  std::size_t batch = 0, height = 0, width = 0;
  /// What was not given: "input: torch.randn(1, 3, 224, 224), seed 42"
  std::vector<std::string> assumed;
  /// The processor that would give other numbers of these pictures: "ViTImageProcessorFast"; or "".
  std::string not_computed;

  Images view() const { return {images, batch, height, width}; }
};

/// `checkpoint` is the model's. Errors: those of open_checkpoint(), decode_image() and
/// image_processor(); inconsistent for images of a shape that the model does not take.
Result<PreparedInput> prepare_input(const InputRequest& request, const VitModel& model,
                                    const Checkpoint& checkpoint);

struct RunRequest {
  std::string model;        // path
  std::string key;          // which of several sets of weights
  std::string config_path;  // "": the model's own
  Json fields;              // config fields that count before those of either; null: none
  InputRequest input;
  std::string noise_path;              // safetensors with noise; "":
  std::optional<InputTensor> noise{};  // itself; nothing: rand(batch, patches) with noise_seed
  std::uint64_t noise_seed = 42;
  std::optional<double> mask_ratio;  // nothing: the config's
  /// Training mode: dropout draws as after manual_seed(*dropout_seed). Nothing: eval mode.
  std::optional<std::uint64_t> dropout_seed;
  std::vector<std::string> only;  // outputs that are wanted; empty: all
  int threads = 1;                // that load it
};

/// The config of `config_path`, or, where that is "", the checkpoint's own; with `fields` in their
/// places. Errors: io and malformed for a file that is none.
Result<Json> config_of(const Checkpoint& checkpoint, const std::string& config_path,
                       const Json& fields);

/// Everything that a forward pass needs, loaded and checked.
struct PreparedRun {
  VitModel model;
  Json config;                      // that it runs with
  std::vector<std::string> labels;  // of the classes, where the config has them
  PreparedInput input;
  std::vector<float> noise;
  double mask_ratio = 0;
  std::vector<std::string> assumed;  // what was not given
  std::optional<std::uint64_t> dropout_seed;
  std::vector<std::string> only;

  /// Errors: memory; it can be called again.
  Result<VitOutputs> forward(const Engine& engine, const TracePoint& trace = {});
};

/// Errors: those of open_checkpoint(), open_vit() and prepare_input(); memory; usage and
/// inconsistent for noise of another shape and outputs that the model does not give, malformed for
/// noise that is not finite and a mask ratio outside [0, 1].
Result<PreparedRun> prepare_run(const RunRequest& request);

}  // namespace samebits
