// samebits convert: the same tensors in another container, under other names, or in another type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "samebits/explain/report.h"
#include "samebits/model/predict_load.h"
#include "samebits/tensor/dtype.h"

namespace samebits {

enum class ConvertFormat : std::uint8_t {
  safetensors,
  torch,  // a state dict
  npz,
  hf,  // a directory that transformers 4.57.6 and 5.24.0 load in full
  timm,
  mae,
  torchvision,
};
const char* format_name(ConvertFormat format);
std::optional<ConvertFormat> format_from_name(std::string_view name);
std::string format_names();  // "safetensors, torch, ..."

struct ConvertRequest {
  std::string input, key, output;
  ConvertFormat format = ConvertFormat::safetensors;
  std::string class_name;  // of the library; "" where the checkpoint decides
  std::optional<DType> dtype;
  std::optional<std::uint64_t> shard_bytes;  // hf
  std::string strip_prefix;
  std::string config_path;  // hf: the config of a checkpoint that carries none
  bool dequantize = false;  // writes the numbers that quantized weights say
  std::string adapter;      // merged into the input; "" where there is none
  bool force = false;       // replaces what stands there
  int threads = 1;
  /// In place of the format's names: a class's, or those of a repair that check found.
  std::optional<model::TargetName> names;
  const LoadReport* repair = nullptr;
};

struct Converted {
  std::string output;
  std::vector<std::string> files;  // written, without folders
  std::uint64_t tensors = 0, bytes = 0;
  std::uint64_t renamed = 0;      // or cut or stacked
  std::uint64_t cast = 0;         // tensors that have another type
  std::uint64_t rounded = 0;      // of these, where values changed
  std::uint64_t dequantized = 0;  // weights that were codes and scales
  std::string forms;              // of these
  std::uint64_t merged = 0;       // weights that an adapter changed
  std::uint64_t whole = 0;        // weights that it holds itself
  std::string adapter_kind;       // "LoRA"
  std::uint64_t tied = 0;         // names that another name's tensor stands for
  std::string target;             // whose names: "transformers-4:ViTMAEModel"; "" where they stayed
  std::vector<std::string> left_out;  // what stands in the input and not in the output
  std::vector<std::string> assumed;
};

/// Writes under a temporary name, reads all of it back, compares every tensor bit for bit with what
/// was to be written, and only then gives it its name. Errors: those of open_checkpoint, of the
/// plan (tensor_plan.h), of writing; usage where the output exists; inconsistent where what was
/// read back differs.
Result<Converted> convert(const ConvertRequest& request);

}  // namespace samebits
