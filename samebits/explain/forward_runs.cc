#include "samebits/explain/forward_runs.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "samebits/explain/output_pair.h"
#include "samebits/rng/distributions.h"
#include "samebits/run/open_vit.h"

namespace samebits {
namespace {

constexpr std::uint64_t kInputSeed = 42, kSharedNoise = 42, kFirstNoise = 1;
constexpr const char* kPoint = "last_hidden_state";  // after vit.layernorm

bool same_bits(float x, float y) {
  return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y) ||
         (std::isnan(x) && std::isnan(y));
}

bool identical(const VitOutputs& x, const VitOutputs& y) {
  return std::equal(x.arrays.begin(), x.arrays.end(), y.arrays.begin(), y.arrays.end(),
                    [](const NamedArray& p, const NamedArray& q) {
                      return p.name == q.name && p.shape == q.shape &&
                             std::equal(p.values.begin(), p.values.end(), q.values.begin(),
                                        q.values.end(), same_bits);
                    });
}

TensorView view_of(const NamedArray& array) {
  const Shape shape(array.shape.begin(), array.shape.end());
  return *TensorView::make(DType::float32, shape, contiguous_strides(shape), 0,
                           {reinterpret_cast<const std::uint8_t*>(array.values.data()),
                            array.values.size() * sizeof(float)});
}

/// The runs of one explain.
class Runs {
 public:
  Runs(Report& report, int threads)
      : report_(report), pool_(threads), engine_{best_kernels(), pool_} {}

  bool run() {
    for (std::size_t i = 0; i < report_.subjects.size(); ++i) {
      if (Result<void> done = run_subject(i); !done) {
        report_.not_checked.push_back(fmt::format(
            "outputs: {} was not run: {}", report_.subjects[i].label, to_string(done.error())));
        return false;
      }
    }
    report_.assumed.push_back(
        fmt::format("input: torch.randn({}), seed {}", fmt::join(input_sizes_, ", "), kInputSeed));
    add_outputs();
    const bool shared_equal = std::all_of(shared_.begin(), shared_.end(), [&](const auto& each) {
      return identical(each, shared_.front());
    });
    prove_noise(shared_equal);
    for (std::size_t i = 1; i < shared_.size(); ++i) {
      if (identical(shared_[i], shared_[0])) {
        note_equal(i);
      } else {
        exchange(i);
      }
    }
    return true;
  }

 private:
  const Json& config_of(std::size_t i) const {
    const Subject& subject = report_.subjects[i];
    const Subject& owner = subject.config_borrowed_from.empty()
                               ? subject
                               : subject_of(report_, subject.config_borrowed_from);
    return owner.checkpoint->config;
  }

  Result<VitModel> open(std::size_t weights, std::size_t config) const {
    return open_vit(*report_.subjects[weights].checkpoint, config_of(config));
  }

  std::vector<float> noise(const VitModel& model, std::uint64_t seed) const {
    if (!model.config().masked) return {};
    std::vector<float> values(model.config().patches());
    CpuGenerator generator(seed);
    uniform(generator, 0, 1, values);
    return values;
  }

  VitOutputs forward(VitModel& model, std::uint64_t noise_seed) {
    const std::vector<float> drawn = noise(model, noise_seed);
    return model.forward(engine_, {.images = {images_, 1, input_sizes_[2], input_sizes_[3]},
                                   .noise = drawn,
                                   .mask_ratio = model.config().mask_ratio});
  }

  Result<void> take_input(const VitConfig& config) {
    const std::vector<std::size_t> sizes = {1, config.channels, config.image_height,
                                            config.image_width};
    if (input_sizes_.empty()) {
      input_sizes_ = sizes;
      images_.resize(sizes[1] * sizes[2] * sizes[3]);
      CpuGenerator generator(kInputSeed);
      normal(generator, 0, 1, images_);
    }
    if (sizes == input_sizes_) return {};
    return fail({.code = ErrorCode::inconsistent,
                 .what = "it takes images of another size than A",
                 .expected = fmt::format("{}", fmt::join(input_sizes_, " x ")),
                 .found = fmt::format("{}", fmt::join(sizes, " x "))});
  }

  /// As its owner would (with noise of its own), with the noise that all share, and A once more.
  Result<void> run_subject(std::size_t i) {
    if (!report_.subjects[i].checkpoint)
      return fail({.code = ErrorCode::io, .what = "it could not be read"});
    SAMEBITS_TRY(VitModel model, open(i, i));
    SAMEBITS_TRY_VOID(take_input(model.config()));
    masked_ = masked_ || model.config().masked;
    own_.push_back(forward(model, kFirstNoise + i));
    shared_.push_back(model.config().masked ? forward(model, kSharedNoise) : own_.back());
    if (i == 0 && model.config().masked)
      again_.push_back(forward(model, kFirstNoise + report_.subjects.size()));
    return {};
  }

  /// The encoder's output of every pair, and other outputs where they differ.
  void add_outputs() {
    for (std::size_t i = 1; i < own_.size(); ++i) {
      for (const NamedArray& a : own_[0].arrays) {
        const bool encoder = a.name == kPoint;
        if (a.is_index || a.name == "mask" || (masked_ && !encoder)) continue;
        const auto b = std::find_if(own_[i].arrays.begin(), own_[i].arrays.end(),
                                    [&](const NamedArray& each) { return each.name == a.name; });
        if (b != own_[i].arrays.end()) add_output(i, a, *b);
      }
    }
  }

  void add_output(std::size_t i, const NamedArray& a, const NamedArray& b) {
    const std::string& first = report_.subjects[0].label;
    const std::string& other = report_.subjects[i].label;
    const bool encoder = a.name == kPoint;
    const std::string point = encoder ? "vit.layernorm" : a.name;
    if (a.shape != b.shape) {
      report_.assumed.push_back(fmt::format(
          "outputs of {} and {} at {} are not compared element by element: their shapes are [{}] "
          "and [{}]",
          first, other, point, fmt::join(a.shape, ", "), fmt::join(b.shape, ", ")));
      return;
    }
    OutputPair pair =
        compare_outputs(first, other, point, {view_of(a), view_of(b)}, pool_.threads());
    if (encoder || pair.differing > 0) report_.outputs.push_back(std::move(pair));
  }

  Finding* finding(const std::string& cause) {
    const auto found = std::find_if(report_.findings.begin(), report_.findings.end(),
                                    [&](const Finding& each) { return each.cause == cause; });
    return found == report_.findings.end() ? nullptr : &*found;
  }

  void prove_noise(bool shared_equal) {
    Finding* noise = finding("rng.noise");
    if (noise == nullptr || again_.empty()) return;
    const std::string& label = report_.subjects[0].label;
    const OutputPair twice = compare_outputs(
        label, label, kPoint, {view_of(own_[0].at(kPoint)), view_of(again_[0].at(kPoint))},
        pool_.threads());
    if (twice.differing == 0) return;
    const std::size_t elements = shared_[0].at(kPoint).values.size();
    noise->proof = Proof::proved;
    noise->settle.clear();
    std::vector<std::string> proof;
    proof.push_back(
        fmt::format("{} run twice differs from itself, up to {:.3g}", label, twice.max_abs));
    proof.push_back(
        shared_equal
            ? fmt::format("with one noise for all of them: 0 of {} elements differ", elements)
            : "with one noise for all of them they still differ: see the other causes");
    proof.push_back(
        fmt::format("to repeat: samebits run {} --noise-seed {}, then {}; then all with one seed",
                    report_.subjects[0].path, kFirstNoise, kFirstNoise + report_.subjects.size()));
    // Behind what draws, in front of what that means.
    std::vector<std::string> details = std::move(noise->details);
    noise->details.clear();
    for (std::size_t i = 0; i < details.size(); ++i) {
      noise->details.push_back(std::move(details[i]));
      if (i == 0) noise->details.insert(noise->details.end(), proof.begin(), proof.end());
    }
    noise->evidence["self_difference"] = twice.max_abs;
    noise->evidence["equal_with_one_noise"] = shared_equal;
  }

  /// The findings of the pair (A, i) that speak of `factor`: "config." or "weights.".
  std::vector<Finding*> findings_of(std::size_t i, const std::string& factor) {
    std::vector<Finding*> found;
    for (Finding& each : report_.findings) {
      const bool of_pair =
          each.subjects == std::vector{report_.subjects[0].label, report_.subjects[i].label};
      const bool matters = each.role == Role::cause || each.role == Role::contributes;
      if (of_pair && matters && each.cause.starts_with(factor)) found.push_back(&each);
    }
    return found;
  }

  void note_equal(std::size_t i) {
    for (Finding* each : findings_of(i, "weights."))
      each->details.push_back("on this input the outputs are bit-identical all the same");
  }

  bool agrees(std::size_t weights, std::size_t config) {
    Result<VitModel> model = open(weights, config);
    return model && model->config().masked == masked_ &&
           identical(forward(*model, kSharedNoise), shared_[0]);
  }

  /// B with A's config, then with A's weights: which of the two makes the bits agree?
  void exchange(std::size_t i) {
    const std::vector<Finding*> config = findings_of(i, "config.");
    const std::vector<Finding*> weights = findings_of(i, "weights.");
    const bool by_config = !config.empty() && agrees(i, 0);
    const bool by_weights = !weights.empty() && agrees(0, i);
    if (by_config) {
      prove(config, i, "config");
    } else if (by_weights) {
      prove(weights, i, "weights");
    } else if (!config.empty() && !weights.empty()) {
      prove(config, i, "config and weights, and neither alone,");
      prove(weights, i, "config and weights, and neither alone,");
    }
    if (by_config) demote(weights);
    if (by_weights && !by_config) demote(config);
  }

  /// It differs, and was not needed to make the outputs agree.
  static void demote(const std::vector<Finding*>& findings) {
    for (Finding* each : findings) each->role = Role::contributes;
  }

  void prove(const std::vector<Finding*>& findings, std::size_t i, const std::string& factor) {
    const Subject& a = report_.subjects[0];
    const Subject& b = report_.subjects[i];
    for (Finding* each : findings) {
      each->role = Role::cause;
      each->proof = Proof::proved;
      each->details.push_back(fmt::format("{} with the {} of {} gives {}'s outputs, bit for bit",
                                          b.label, factor, a.label, a.label));
    }
  }

  Report& report_;
  ThreadPool pool_;
  Engine engine_;
  std::vector<std::size_t> input_sizes_;
  std::vector<float> images_;
  bool masked_ = false;
  std::vector<VitOutputs> own_, shared_, again_;
};

}  // namespace

bool prove_by_running(Report& report, int threads) { return Runs(report, threads).run(); }

}  // namespace samebits
