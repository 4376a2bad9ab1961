#include "samebits/convert/convert.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/base/atomic_write.h"
#include "samebits/base/exceptions.h"
#include "samebits/base/float_mode.h"
#include "samebits/checkpoint/open.h"
#include "samebits/container/tensor_writers.h"
#include "samebits/convert/dequantize.h"
#include "samebits/convert/merge_adapter.h"
#include "samebits/convert/planned_bytes.h"
#include "samebits/convert/read_back.h"
#include "samebits/convert/write_directory.h"
#include "samebits/convert/writing.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/verify.h"

namespace samebits {
namespace {

struct FormatRow {
  ConvertFormat format;
  const char* name;
};
constexpr auto kFormats = std::to_array<FormatRow>({
    {ConvertFormat::safetensors, "safetensors"},
    {ConvertFormat::torch, "torch"},
    {ConvertFormat::npz, "npz"},
    {ConvertFormat::hf, "hf"},
    {ConvertFormat::timm, "timm"},
    {ConvertFormat::mae, "mae"},
    {ConvertFormat::torchvision, "torchvision"},
});

enum class Container : std::uint8_t { safetensors, torch, npz };

/// Names of a library stand in the container that the output's name asks for, else in torch's.
Container container_of(const ConvertRequest& request) {
  if (request.format == ConvertFormat::npz) return Container::npz;
  if (request.format == ConvertFormat::safetensors) return Container::safetensors;
  if (request.format == ConvertFormat::torch) return Container::torch;
  return request.output.ends_with(".safetensors") ? Container::safetensors : Container::torch;
}

bool can_hold(Container container, DType dtype) {
  switch (container) {
    case Container::safetensors: return safetensors_can_hold(dtype);
    case Container::torch: return torch_archive_can_hold(dtype);
    case Container::npz: return npz_can_hold(dtype);
  }
  return false;
}

Result<void> check_types(const TensorsToWrite& output, Container container,
                         const std::string& input) {
  for (const BlobTensor& tensor : output.tensors) {
    if (can_hold(container, tensor.dtype)) continue;
    const bool is_float = is_floating(tensor.dtype);
    return fail(
        {.code = ErrorCode::unsupported,
         .what = fmt::format("{} is {}, which the format has not", tensor.name,
                             info(tensor.dtype).torch),
         .file = input,
         .hint = is_float ? "Choose another format, or --dtype float32" : "Choose another format"});
  }
  return {};
}

Result<void> stream(const ConvertRequest& request, const Checkpoint& input,
                    const TensorsToWrite& output, const ByteSink& sink) {
  switch (container_of(request)) {
    case Container::npz: return stream_npz(output, sink);
    case Container::torch:
      // What facebookresearch/mae's own scripts read.
      return stream_torch_archive(output, request.format == ConvertFormat::mae ? "model" : "",
                                  sink);
    case Container::safetensors: break;
  }
  return stream_safetensors(output, kept_metadata(input), sink);
}

Result<void> check_free(const ConvertRequest& request) {
  struct stat status = {};
  if (request.force || ::stat(request.output.c_str(), &status) != 0) return {};
  return fail({.code = ErrorCode::usage,
               .what = "it exists",
               .file = request.output,
               .hint = "Name another file, or replace it with --force"});
}

Result<void> write_file(const ConvertRequest& request, const Checkpoint& input,
                        const TensorsToWrite& output) {
  SAMEBITS_TRY_VOID(check_types(output, container_of(request), input.path));
  SAMEBITS_TRY(AtomicFile file, AtomicFile::create(request.output));
  SAMEBITS_TRY_VOID(write_while_checking(input, request.threads, [&] {
    WorkStep step("writing", blob_bytes(output));
    return stream(request, input, output, metered_sink(file, step));
  }));
  SAMEBITS_TRY_VOID(check_read_back(file.readable_path(), output, request.threads));
  return file.commit();
}

model::TargetName target_name(const ConvertRequest& request) {
  model::TargetName name{.library = model::Library::transformers4,
                         .class_name = request.class_name};
  if (request.format == ConvertFormat::timm) name.library = model::Library::timm;
  if (request.format == ConvertFormat::mae) name.library = model::Library::mae;
  if (request.format == ConvertFormat::torchvision) name.library = model::Library::torchvision;
  return name;
}

Result<TensorPlan> plan_of(const ConvertRequest& request, const Checkpoint& input,
                           const Json& config) {
  if (request.repair) return plan_repair(input, *request.repair);
  if (request.names) return plan_for_class(input, *request.names, config);
  const bool keeps_names = request.format == ConvertFormat::safetensors ||
                           request.format == ConvertFormat::torch ||
                           request.format == ConvertFormat::npz;
  if (keeps_names) return plan_as_named(input, request.strip_prefix);
  if (request.format == ConvertFormat::hf)
    return plan_for_directory(input, config, request.class_name);
  return plan_for_class(input, target_name(request), config);
}

Result<Json> config_of(const ConvertRequest& request, const Checkpoint& input) {
  if (request.config_path.empty()) return input.config;
  SAMEBITS_TRY(const auto file, MappedFile::open(request.config_path));
  SAMEBITS_TRY(Json config, parse_json(file->bytes(), request.config_path));
  if (config.is_object()) return config;
  return fail({.code = ErrorCode::malformed,
               .what = "the config is no JSON object",
               .file = request.config_path});
}

/// What was done to the input's weights before the plan.
struct ChangedWeights {
  std::string outside;  // what stood outside the weights before: see not_locked()
  DequantizedWeights dequantized;
  MergedAdapter adapter;
};

Converted summary_of(const ConvertRequest& request, const Checkpoint& input, const TensorPlan& plan,
                     const PlannedBytes& bytes, const ChangedWeights& changed) {
  Converted done{.output = request.output, .files = {}, .target = plan.target};
  done.tensors = plan.tensors.size();
  done.renamed = plan.renamed();
  done.tied = bytes.output.tensors.size() - bytes.output.blobs.size();
  done.bytes = blob_bytes(bytes.output);
  for (std::size_t i = 0; i < plan.tensors.size(); ++i)
    done.cast += plan.tensors[i].pieces[0].dtype() != bytes.output.tensors[i].dtype ? 1 : 0;
  done.assumed = plan.assumed;
  if (!changed.outside.empty()) done.left_out.push_back(changed.outside);
  done.dequantized = changed.dequantized.count;
  done.forms = fmt::format("{}", fmt::join(changed.dequantized.forms, "; "));
  done.merged = changed.adapter.weights;
  done.whole = changed.adapter.whole;
  done.adapter_kind = changed.adapter.kind;
  if (!input.weights().buffers.empty())
    done.left_out.push_back(counted(input.weights().buffers.size(), "non-persistent buffer") +
                            ", as state_dict() does");
  return done;
}

std::string folder_of_output(const std::string& output) {
  const std::string folder = std::filesystem::path(written_path(output)).parent_path().string();
  return folder.empty() ? "." : folder;
}

Result<Checkpoint> open_input(const ConvertRequest& request, ChangedWeights& changed) {
  SAMEBITS_TRY(Checkpoint input, open_checkpoint(request.input, {.key = request.key,
                                                                 .cross_check = true,
                                                                 .threads = request.threads}));
  if (!input.has_weights()) return input;
  changed.outside = not_locked(input);
  const std::string folder = folder_of_output(request.output);
  if (request.dequantize) {
    SAMEBITS_TRY(changed.dequantized, dequantize_weights(input, folder));
  }
  if (!request.adapter.empty()) {
    SAMEBITS_TRY(changed.adapter, merge_adapter(input, request.adapter, folder, request.threads));
  }
  if (request.dtype && !request.dequantize) {
    SAMEBITS_TRY_VOID(check_castable(input));
  }
  return input;
}

Result<Converted> convert_now(const ConvertRequest& request) {
  const bool directory = request.format == ConvertFormat::hf;
  if (!directory) SAMEBITS_TRY_VOID(check_free(request));
  ChangedWeights changed;
  SAMEBITS_TRY(const Checkpoint input, open_input(request, changed));
  SAMEBITS_TRY_VOID(check_plain(input));
  SAMEBITS_TRY(Json config, config_of(request, input));
  if (request.dequantize && config.is_object()) config.erase("quantization_config");
  SAMEBITS_TRY(const TensorPlan plan, plan_of(request, input, config));
  const PlannedBytes bytes = planned_bytes(plan, request.dtype);
  Converted done = summary_of(request, input, plan, bytes, changed);
  if (directory) {
    SAMEBITS_TRY(done.files, write_directory(request, input, config, plan, bytes, &done.left_out));
  } else {
    SAMEBITS_TRY_VOID(write_file(request, input, bytes.output));
    done.files = {std::filesystem::path(request.output).filename().string()};
  }
  for (const auto& rounded : bytes.rounded) done.rounded += *rounded ? 1 : 0;
  return done;
}

}  // namespace

const char* format_name(ConvertFormat format) {
  for (const FormatRow& row : kFormats)
    if (row.format == format) return row.name;
  SAMEBITS_CHECK(false);
  return "";
}

std::optional<ConvertFormat> format_from_name(std::string_view name) {
  for (const FormatRow& row : kFormats)
    if (name == row.name) return row.format;
  return std::nullopt;
}

std::string format_names() {
  std::string names;
  for (const FormatRow& row : kFormats)
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

Result<Converted> convert(const ConvertRequest& request) {
  const FloatMode contract;
  return caught(request.input, [&] { return convert_now(request); });
}

}  // namespace samebits
