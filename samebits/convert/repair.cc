#include "samebits/convert/repair.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "samebits/base/thread_pool.h"
#include "samebits/convert/repair_python.h"
#include "samebits/explain/check.h"
#include "samebits/kernels/kernel_table.h"
#include "samebits/model/predict_load.h"
#include "samebits/run/run_request.h"

namespace samebits {
namespace {

/// Names of a library, where the target is one; a directory for transformers, where there is a
/// config.
ConvertRequest conversion_of(const RepairRequest& request, const Report& made) {
  ConvertRequest convert{.input = request.subject.path,
                         .key = request.subject.key,
                         .output = request.output,
                         .class_name = "",
                         .strip_prefix = "",
                         .config_path = "",
                         .force = request.force,
                         .threads = request.threads};
  const LoadReport& load = made.loads[0];
  convert.format =
      request.output.ends_with(".safetensors") ? ConvertFormat::safetensors : ConvertFormat::torch;
  const Result<model::TargetName> name = model::parse_target(load.target);
  if (!name) {
    convert.repair = &load;
    return convert;
  }
  if (load.way == model::way_name(model::Way::from_pretrained)) {
    convert.format = ConvertFormat::hf;
    convert.class_name = name->class_name;
  } else {
    convert.names = *name;
  }
  return convert;
}

Result<VitOutputs> outputs_of(const std::string& path, const std::string& key, int threads) {
  SAMEBITS_TRY(PreparedRun run, prepare_run({.model = path, .key = key}));
  ThreadPool pool(threads);
  return run.forward({best_kernels(), pool});
}

bool have_equal_bits(const VitOutputs& a, const VitOutputs& b) {
  return std::ranges::equal(a.arrays, b.arrays, [](const NamedArray& x, const NamedArray& y) {
    return x.name == y.name && x.values.size() == y.values.size() &&
           std::memcmp(x.values.data(), y.values.data(), x.values.size() * sizeof(float)) == 0;
  });
}

/// Both run on one input, with one noise.
Result<std::string> compare_outputs(const RepairRequest& request) {
  const Result<VitOutputs> before =
      outputs_of(request.subject.path, request.subject.key, request.threads);
  if (!before) return "outputs were not compared: " + to_string(before.error());
  const Result<VitOutputs> after = outputs_of(request.output, "", request.threads);
  if (!after) return "outputs were not compared: " + to_string(after.error());
  if (have_equal_bits(*before, *after))
    return fmt::format("outputs are bit-identical to those of {}", request.subject.path);
  return fail({.code = ErrorCode::inconsistent,
               .what = "the repaired model computes something else",
               .file = request.output,
               .hint = "Do not use it"});
}

}  // namespace

Result<Repaired> write_repair(const RepairRequest& request, const Report& made) {
  if (made.loads.empty()) return fail(nothing_to_repair(made, request.subject.path));
  SAMEBITS_TRY_VOID(check_repairable(made.loads[0], request.subject.path));
  Repaired done;
  SAMEBITS_TRY(done.written, convert(conversion_of(request, made)));
  SAMEBITS_TRY(const Report again, check({request.output, ""}, request.target, request.threads));
  const bool loads = !again.loads.empty() && again.loads[0].raises.empty() &&
                     again.loads[0].random.empty() && again.loads[0].mismatched.empty();
  if (!loads)
    return fail({.code = ErrorCode::inconsistent,
                 .what = "what was written would not load in full: samebits check tells of it",
                 .file = request.output,
                 .hint = "Do not use it"});
  done.loaded = again.loads[0].loaded;
  done.target_tensors = again.loads[0].target_tensors;
  done.target = again.loads[0].target;
  SAMEBITS_TRY(done.outputs, compare_outputs(request));
  return done;
}

}  // namespace samebits
