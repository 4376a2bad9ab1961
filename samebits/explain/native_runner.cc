#include "samebits/explain/native_runner.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/compare/config.h"
#include "samebits/explain/subjects.h"
#include "samebits/rng/distributions.h"
#include "samebits/run/module_config.h"
#include "samebits/run/weight_parts.h"

namespace samebits {
namespace {

constexpr const char* kTraining = "training";
constexpr const char* kAllWeights = "all weights";

// Bytes of the states that are kept of one pass. More images than that are run from the start.
constexpr std::uint64_t kMostStates = 256ull << 20;

/// Whether dropout acts, and why the engine cannot do as these modules do; nullptr: it can.
struct Training {
  bool acts = false;
  const char* refused = nullptr;
};

/// The probability that a module's dropout has; nothing where it has none.
std::optional<double> dropout_of(const ModuleRecord& module) {
  for (const char* name : {"p", "attention_dropout", "dropout_prob"}) {
    if (module.hyper.is_object() && module.hyper.contains(name) && module.hyper[name].is_number())
      return module.hyper[name].get<double>();
  }
  return std::nullopt;
}

Training training_of(const Checkpoint& checkpoint, const VitConfig& config) {
  Training training;
  bool some_rest = false;
  for (const ModuleRecord& module : checkpoint.modules) {
    if (mode_effect(module) != ModeEffect::random) continue;
    if (!module.training) {
      some_rest = true;
      continue;
    }
    training.acts = true;
    const auto p = dropout_of(module);
    if (!p || (*p != config.hidden_dropout && *p != config.attention_dropout))
      training.refused = "a module drops with another probability than the config says";
  }
  if (some_rest) training.refused = "only some of its modules are in training mode";
  if (config.no_training != nullptr) training.refused = config.no_training;
  return training;
}

std::set<std::string> names_of(const std::set<Factor>& factors, Factor::Kind kind) {
  std::set<std::string> names;
  for (const Factor& factor : factors) {
    if (factor.kind == kind) names.insert(factor.name);
  }
  return names;
}

/// "12 of 3072 numbers differ, up to 0.8"; "" where none does.
std::string difference_text(const PreparedInput& own, const PreparedInput& other) {
  if (own.images.size() != other.images.size() || own.height != other.height)
    return "they have another size";
  std::size_t differing = 0;
  double most = 0;
  for (std::size_t i = 0; i < own.images.size(); ++i) {
    const double off = std::fabs(double{own.images[i]} - double{other.images[i]});
    differing += off > 0 ? 1 : 0;
    most = std::max(most, off);
  }
  if (differing == 0) return "";
  return fmt::format("{} of {} numbers differ, up to {:.3g}", differing, own.images.size(), most);
}

/// An error about fields names the file that they stand in.
Error in_config(const Report& report, const Subject& subject, Error error) {
  if (!error.file.empty()) return error;
  const bool own = subject.config_borrowed_from.empty();
  if (!own && report.given_config.is_object()) {
    error.file = subject.config_borrowed_from;
  } else {
    const Subject& owner = own ? subject : subject_of(report, subject.config_borrowed_from);
    error.file = owner.checkpoint->file_beside(owner.checkpoint->config_from);
  }
  return error;
}

/// Exchanged weights, and a config for them, stand in the subject's model while this lives.
class Exchanged {
 public:
  Exchanged(VitModel& own, VitModel& donor, const std::set<std::string>& parts, VitConfig config)
      : own_(own), donor_(donor), before_(own.config()), all_(parts.contains(kAllWeights)) {
    if (!all_ && !parts.empty()) parts_ = exchanges(own.weights(), donor.weights(), parts);
    swap();
    own_.configure(std::move(config));
  }
  Exchanged(const Exchanged&) = delete;
  Exchanged& operator=(const Exchanged&) = delete;
  ~Exchanged() {
    swap();
    own_.configure(std::move(before_));
  }

 private:
  /// Takes no memory: what was exchanged can always be put back.
  void swap() {
    if (all_) std::swap(own_.weights(), donor_.weights());
    for (const auto& part : parts_) part();
  }

  VitModel& own_;
  VitModel& donor_;
  VitConfig before_;
  bool all_;
  std::vector<std::function<void()>> parts_;
};

}  // namespace

Result<NativeRunner> NativeRunner::open(const Report& report, const InputRequest& input,
                                        int threads) {
  const std::size_t count = report.subjects.size();
  NativeRunner runner(threads);
  std::vector<std::optional<Result<Loaded>>> loaded(count);
  runner.pool_->run(count, [&](std::size_t i) {
    loaded[i].emplace(caught(report.subjects[i].path, [&] { return load(report, i); }));
  });
  for (std::size_t i = 0; i < count; ++i) {
    Result<void> added = loaded[i]->has_value()
                             ? runner.add(report, i, *std::move(*loaded[i]), input)
                             : Result<void>(fail(loaded[i]->error()));
    if (added) continue;
    Error error = added.error();
    error.what = report.subjects[i].label + " was not run: " + error.what;
    if (i == 0 && count > 2) error.what += "; the others are compared with it, and were not either";
    runner.refused_.push_back(std::move(error));
    if (i == 0) break;
  }
  if (runner.loaded_.size() < 2) return fail(runner.refused_[0]);
  return runner;
}

Result<NativeRunner::Loaded> NativeRunner::load(const Report& report, std::size_t subject) {
  const Subject& own = report.subjects[subject];
  if (!own.checkpoint) return fail({.code = ErrorCode::io, .what = "it could not be read"});
  Json config = run_config(*own.checkpoint, config_used(report, own)).config;
  SAMEBITS_TRY(model::Recognition found, recognize_vit(*own.checkpoint, config));
  Result<VitModel> model = open_vit(*own.checkpoint, config);
  if (!model) return fail(in_config(report, own, std::move(model).error()));
  const Training training = training_of(*own.checkpoint, model->config());
  if (training.acts && training.refused != nullptr)
    return fail(
        {.code = ErrorCode::unsupported,
         .what = std::string("dropout is active, and cannot be run so: ") + training.refused});
  return Loaded{*std::move(model), std::move(config), std::move(found), training.acts};
}

Result<void> NativeRunner::add(const Report& report, std::size_t subject, Loaded loaded,
                               const InputRequest& input) {
  if (subject == 0) {
    SAMEBITS_TRY(input_, prepare_input(input, loaded.model, *report.subjects[0].checkpoint));
  } else if (const char* reason = loaded.model.cannot_take(input_.height, input_.width)) {
    return fail({.code = ErrorCode::inconsistent,
                 .what = std::string("it does not take the images of ") + report.subjects[0].label +
                         ": " + reason});
  }
  const VitConfig& made = loaded.model.config();
  const VitConfig& first = subject == 0 ? made : loaded_[0].model.config();
  if (made.channels != first.channels || made.image_height != first.image_height ||
      made.image_width != first.image_width) {
    return fail(
        {.code = ErrorCode::inconsistent,
         .what = "it takes images of another size than " + report.subjects[0].label,
         .expected =
             fmt::format("{} x {} x {}", first.channels, first.image_height, first.image_width),
         .found = fmt::format("{} x {} x {}", made.channels, made.image_height, made.image_width)});
  }
  if (subject > 0) compare_input(report, subject, loaded.model, input);
  loaded_.push_back(std::move(loaded));
  subjects_.push_back(subject);
  return {};
}

/// The search runs all on A's numbers; what the subject's own processor makes of the images is
/// compared, and kept where it is something else.
void NativeRunner::compare_input(const Report& report, std::size_t subject, const VitModel& model,
                                 const InputRequest& input) {
  const Checkpoint& checkpoint = *report.subjects[subject].checkpoint;
  if (input.images.empty() || !input.processor_path.empty()) return;
  if (!checkpoint.preprocessing.is_object())
    return other_inputs_.push_back({.subject = subjects_.size(), .borrowed = true});
  Result<PreparedInput> own = prepare_input(input, model, checkpoint);
  OtherInput other{.subject = subjects_.size()};
  if (!own) {
    other.how = to_string(own.error());
    return other_inputs_.push_back(std::move(other));
  }
  if (own->not_computed.empty() != input_.not_computed.empty())
    other.not_computed = own->not_computed.empty() ? input_.not_computed : own->not_computed;
  other.how = difference_text(*own, input_);
  other.own = *std::move(own);
  if (!other.how.empty() || !other.not_computed.empty()) other_inputs_.push_back(std::move(other));
}

std::vector<std::string> NativeRunner::tensors_of(const Subject& subject, std::size_t index,
                                                  const std::string& part) const {
  std::vector<std::string> names;
  const std::vector<std::uint32_t>& weights = subject.checkpoint->weights().weights;
  for (const model::Piece& piece : loaded_[index].found.pieces) {
    if (part == kAllWeights || part_of_role(piece.role) == part)
      names.push_back(subject.checkpoint->entries[weights[piece.tensor]].name);
  }
  return names;
}

bool NativeRunner::draws_noise(std::size_t subject) const {
  return loaded_[subject].model.config().masked;
}

bool NativeRunner::draws_dropout(std::size_t subject) const { return loaded_[subject].training; }

std::vector<Factor> NativeRunner::differing(std::size_t a, std::size_t b) {
  std::vector<Factor> factors;
  for (const FieldDifference& field : compare_configs(loaded_[a].config, loaded_[b].config, "")) {
    if (field.effect != FieldEffect::nothing && field.effect != FieldEffect::training &&
        field.effect != FieldEffect::labels && field.effect != FieldEffect::input)
      factors.push_back({Factor::Kind::config, field.field});
  }
  if (loaded_[a].training != loaded_[b].training)
    factors.push_back({Factor::Kind::mode, kTraining});
  const auto parts = differing_parts(loaded_[a].model.weights(), loaded_[b].model.weights());
  parts_[{a, b}] = parts;
  if (!parts) factors.push_back({Factor::Kind::weights, kAllWeights});
  for (std::size_t i = 0; parts && i < parts->size(); ++i)
    factors.push_back({Factor::Kind::weights, (*parts)[i]});
  return factors;
}

std::string NativeRunner::group_of(const Factor& factor) const {
  const std::size_t colon = factor.name.rfind(':');
  // Outside of the blocks a module is a group: "3:", "decoder:embed", "norm".
  const bool in_block = colon != factor.name.npos && std::isdigit(factor.name.front()) != 0;
  return factor.name.substr(0, in_block ? colon + 1 : factor.name.find('.'));
}

bool NativeRunner::trains(const RunSpec& spec) const {
  const bool exchanged = spec.exchanged.contains({Factor::Kind::mode, kTraining});
  return loaded_[exchanged ? spec.donor : spec.subject].training;
}

Result<VitConfig> NativeRunner::config_with(const RunSpec& spec) const {
  const std::set<std::string> fields = names_of(spec.exchanged, Factor::Kind::config);
  const Loaded& own = loaded_[spec.subject];
  const bool other_weights = spec.exchanged.contains({Factor::Kind::weights, kAllWeights});
  const Loaded& shapes = other_weights ? loaded_[spec.donor] : own;
  Json config = own.config;
  for (const std::string& field : fields) {
    const Json& donor = loaded_[spec.donor].config;
    if (donor.contains(field)) {
      config[field] = donor[field];
    } else {
      config.erase(field);
    }
  }
  return vit_config(shapes.found, config);
}

Result<VitOutputs> NativeRunner::run(const RunSpec& spec, const TracePoint& trace) {
  return caught("", [&] { return run_now(spec, trace); });
}

const PreparedInput& NativeRunner::input_of(const RunSpec& spec) const {
  for (const OtherInput& other : other_inputs_) {
    if (spec.own_input && other.subject == spec.subject && other.own) return *other.own;
  }
  return input_;
}

Result<VitOutputs> NativeRunner::run_now(const RunSpec& spec, const TracePoint& trace) {
  Loaded& own = loaded_[spec.subject];
  SAMEBITS_TRY(const VitConfig config, config_with(spec));
  const PreparedInput& input = input_of(spec);
  const Exchanged exchanged(own.model, loaded_[spec.donor].model,
                            names_of(spec.exchanged, Factor::Kind::weights), config);
  if (const char* reason = own.model.cannot_take(input.height, input.width))
    return fail({.code = ErrorCode::inconsistent, .what = reason});
  std::vector<float> noise;
  if (config.masked) {
    noise.resize(input.batch * patch_grid(config, input.height, input.width).cells());
    CpuGenerator generator(spec.seeds.noise);
    uniform(generator, 0, 1, noise);
  }
  CpuGenerator dropout(spec.seeds.dropout);
  const bool as_kept = &input == &input_ && !trains(spec);
  const Start start = as_kept && !trace ? start_of(spec, config) : Start{};
  const bool kept = as_kept && keeps(spec, config);
  PassStates states;
  VitOutputs outputs = own.model.forward({best_kernels(), *pool_},
                                         {.images = input.view(),
                                          .noise = noise,
                                          .mask_ratio = config.mask_ratio,
                                          .training = trains(spec) ? &dropout : nullptr,
                                          .keep = kept ? &states : nullptr,
                                          .begun = start.stage > 0 ? &start.states : nullptr,
                                          .first_stage = start.stage},
                                         trace);
  if (kept) keep(spec, config, std::move(states));
  return outputs;
}

std::size_t NativeRunner::parts_with_donor(const RunSpec& spec) const {
  std::size_t first = std::numeric_limits<std::size_t>::max();
  if (spec.exchanged.contains({Factor::Kind::weights, kAllWeights})) return first;
  const auto parts = parts_.find({spec.donor, spec.subject});
  if (parts == parts_.end() || !parts->second) return 0;
  const VitWeights& weights = loaded_[spec.donor].model.weights();
  for (const std::string& part : *parts->second) {
    if (!spec.exchanged.contains({Factor::Kind::weights, part}))
      first = std::min(first, stage_of(weights, part));
  }
  return first;
}

NativeRunner::Start NativeRunner::start_of(const RunSpec& spec, const VitConfig& config) const {
  const VitWeights& weights = loaded_[spec.subject].model.weights();
  std::size_t with_own = std::numeric_limits<std::size_t>::max();
  for (const std::string& part : names_of(spec.exchanged, Factor::Kind::weights))
    with_own = std::min(with_own, part == kAllWeights ? 0 : stage_of(weights, part));
  Start start;
  for (const auto& [subject, parting] :
       {std::pair(spec.subject, with_own), std::pair(spec.donor, parts_with_donor(spec))}) {
    const auto begun = begun_.find(subject);
    if (begun == begun_.end() || begun->second.config != config ||
        (config.masked && begun->second.noise != spec.seeds.noise))
      continue;
    // The last stage makes the outputs, and is always run.
    const std::size_t stage = std::min(parting, begun->second.states.before.size() - 1);
    if (stage > start.stage) start = {begun->second.states, stage};
  }
  return start;
}

bool NativeRunner::keeps(const RunSpec& spec, const VitConfig& config) const {
  const std::size_t tokens = config.positioned() + config.registers +
                             patch_grid(config, input_.height, input_.width).cells();
  const std::uint64_t numbers = tokens * (config.encoder.width * (config.encoder.layers + 1) +
                                          config.decoder.width * (config.decoder.layers + 1));
  return spec.exchanged.empty() && input_.batch * numbers * sizeof(float) <= kMostStates;
}

void NativeRunner::keep(const RunSpec& spec, const VitConfig& config, PassStates states) {
  std::erase_if(begun_,
                [&](const auto& each) { return each.first != 0 && each.first != spec.subject; });
  begun_[spec.subject] = {config, spec.seeds.noise, std::move(states)};
}

}  // namespace samebits
