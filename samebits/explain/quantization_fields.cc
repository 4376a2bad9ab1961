#include "samebits/explain/quantization_fields.h"

#include <algorithm>
#include <string_view>

#include "samebits/quantized/layers.h"

namespace samebits {
namespace {

constexpr std::string_view kFront = "quantization_config.";

const Json* quantization_of(const Subject& subject) {
  const Json& config = subject.checkpoint->config;
  if (!config.is_object()) return nullptr;
  const auto found = config.find("quantization_config");
  return found != config.end() && found->is_object() ? &*found : nullptr;
}

bool stores_codes(const Subject& subject) {
  return subject.checkpoint->has_weights() && !quantized_layers(*subject.checkpoint).empty();
}

bool is_set(const Json& config, const char* field) {
  const auto found = config.find(field);
  return found != config.end() && *found == true;
}

/// Of weights that bitsandbytes stored in 4 bits; "" where the field is read.
const char* unread_of_4_bits(std::string_view field) {
  if (field == "bnb_4bit_quant_type" || field == "bnb_4bit_use_double_quant" ||
      field == "bnb_4bit_quant_storage")
    return "the weights are quantized already, and the file says how";
  if (field == "llm_int8_threshold" || field == "llm_int8_has_fp16_weight")
    return "layers of 8 bits alone read it";
  return "";
}

const char* unread_of_8_bits(std::string_view field) {
  return field.starts_with("bnb_4bit_") ? "layers of 4 bits alone read it" : "";
}

void settle_bitsandbytes(const Json& a, const Json& b, std::vector<FieldDifference>* fields) {
  const bool four = is_set(a, "load_in_4bit") && is_set(b, "load_in_4bit");
  const bool eight = is_set(a, "load_in_8bit") && is_set(b, "load_in_8bit");
  if (four == eight) return;
  for (FieldDifference& field : *fields) {
    if (!field.field.starts_with(kFront)) continue;
    const std::string_view name = std::string_view(field.field).substr(kFront.size());
    std::string why = four ? unread_of_4_bits(name) : unread_of_8_bits(name);
    if (name == "llm_int8_enable_fp32_cpu_offload") why = "it says where layers may lie";
    if (name == "bnb_4bit_compute_dtype" && four) {
      field.why = "the layers compute in another type";
      continue;
    }
    if (why.empty()) continue;
    field.effect = FieldEffect::nothing;
    field.why = std::move(why);
  }
}

/// The config of one side alone: one field in the place of all.
void join_lone_config(const Json& config, bool of_a, std::vector<FieldDifference>* fields) {
  const auto removed = std::erase_if(
      *fields, [](const FieldDifference& field) { return field.field.starts_with(kFront); });
  if (removed == 0) return;
  const auto method = config.find("quant_method");
  const Json value = method != config.end() ? *method : Json("unnamed");
  fields->push_back({.field = std::string(kFront) + "quant_method",
                     .a = of_a ? value : Json(),
                     .b = of_a ? Json() : value,
                     .missing_a = !of_a,
                     .missing_b = of_a,
                     .effect = FieldEffect::nothing,
                     .why = "it says how the weights beside it are stored, and loads no others"});
}

}  // namespace

void settle_quantization_fields(const Subject& a, const Subject& b,
                                std::vector<FieldDifference>* fields) {
  const Json* left = quantization_of(a);
  const Json* right = quantization_of(b);
  if (left == nullptr && right == nullptr) return;
  if (left != nullptr && right != nullptr) {
    if (stores_codes(a) && stores_codes(b)) settle_bitsandbytes(*left, *right, fields);
    return;
  }
  if (stores_codes(left != nullptr ? a : b))
    join_lone_config(left != nullptr ? *left : *right, left != nullptr, fields);
}

}  // namespace samebits
