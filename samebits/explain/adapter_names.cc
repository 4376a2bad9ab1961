#include "samebits/explain/adapter_names.h"

#include <cmath>

namespace samebits {
namespace {

struct FactorName {
  std::string_view part;    // of a tensor's name
  std::string_view factor;  // by peft's name
  std::string_view family;
};

// The longer first where one begins with another.
constexpr FactorName kFactorNames[] = {
    {".lora_A", "lora_A", "LoRA"},
    {".lora_B", "lora_B", "LoRA"},
    {".lora_E", "lora_E", "AdaLoRA"},
    {".ranknum", "ranknum", "AdaLoRA"},
    {".lora_embedding_A", "lora_A", "LoRA"},
    {".lora_embedding_B", "lora_B", "LoRA"},
    {".lora_magnitude_vector", "lora_magnitude_vector", "DoRA"},
    {".dora_scale", "lora_magnitude_vector", "DoRA"},
    {".lora_down.", "lora_A", "LoRA"},
    {".lora_up.", "lora_B", "LoRA"},
    {".lora.down.", "lora_A", "LoRA"},
    {".lora.up.", "lora_B", "LoRA"},
    {".ia3_l", "ia3_l", "IA3"},
    {".hada_w1_a", "hada_w1_a", "LoHa"},
    {".hada_w1_b", "hada_w1_b", "LoHa"},
    {".hada_w2_a", "hada_w2_a", "LoHa"},
    {".hada_w2_b", "hada_w2_b", "LoHa"},
    {".hada_t1", "hada_t1", "LoHa"},
    {".hada_t2", "hada_t2", "LoHa"},
    {".lokr_w1_a", "lokr_w1_a", "LoKr"},
    {".lokr_w1_b", "lokr_w1_b", "LoKr"},
    {".lokr_w2_a", "lokr_w2_a", "LoKr"},
    {".lokr_w2_b", "lokr_w2_b", "LoKr"},
    {".lokr_w1", "lokr_w1", "LoKr"},
    {".lokr_w2", "lokr_w2", "LoKr"},
    {".lokr_t2", "lokr_t2", "LoKr"},
    {".boft_R", "boft_R", "BOFT"},
    {".boft_s", "boft_s", "BOFT"},
    {".oft_R", "oft_R", "OFT"},
    {".oft_r", "oft_R", "OFT"},
    {".vera_lambda_b", "vera_lambda_b", "VeRA"},
    {".vera_lambda_d", "vera_lambda_d", "VeRA"},
    {".fourierft_spectrum", "fourierft_spectrum", "FourierFT"},
    {".hra_u", "hra_u", "HRA"},
    {".vblora_logits_A", "vblora_logits_A", "VB-LoRA"},
    {".vblora_logits_B", "vblora_logits_B", "VB-LoRA"},
    {".ln_tuning_layers", "ln_tuning_layers", "LN tuning"},
    {".shira_", "shira", "SHiRA"},
    {".randlora_", "randlora", "RandLoRA"},
    {".miss_block", "miss_block", "MiSS"},
    {".c3a_kernel", "c3a_kernel", "C3A"},
    {".poly_", "poly", "Poly"},
    {".waveft_", "waveft", "WaveFT"},
    {".adaption_gate", "adaption_gate", "adaption prompt"},
    {".adaption_prompt", "adaption_prompt", "adaption prompt"},
    {".trainable_tokens_", "trainable_tokens", "trainable tokens"},
    {".adamss_", "adamss", "AdaMSS"},
    {".beft_", "beft", "BEFT"},
    {".deft_", "deft", "DEFT"},
    {".delora_", "delora", "DeLoRA"},
    {".frod_", "frod", "FRoD"},
    {".glora_", "glora", "GLoRA"},
    {".gralora_", "gralora", "GraLoRA"},
    {".hira_", "hira", "HiRA"},
    {".lily_", "lily", "Lily"},
    {".osf_", "osf", "OSF"},
    {".peanut_", "peanut", "PEANuT"},
    {".psoft_", "psoft", "PSOFT"},
    {".pvera_", "pvera", "PVeRA"},
    {".road_", "road", "RoAd"},
    {".supertuning_", "supertuning", "SuperTuning"},
    {".tinylora_", "tinylora", "TinyLoRA"},
    {".unilora_", "unilora", "UniLoRA"},
};
// Of the whole model.
constexpr FactorName kSharedNames[] = {{"vera_A", "vera_A", "VeRA"},
                                       {"vera_B", "vera_B", "VeRA"},
                                       {"vblora_vector_bank", "vblora_vector_bank", "VB-LoRA"},
                                       {"prompt_embeddings", "prompt_embeddings", "prompt tuning"},
                                       {"prefix_task_", "prefix_task", "prompt tuning"},
                                       {"prompt_encoder.", "prompt_encoder", "prompt tuning"}};

std::string without_prefix(std::string layer) {
  for (const std::string_view prefix : {"base_model.model.", "base_model."})
    if (layer.starts_with(prefix)) return layer.substr(prefix.size());
  return layer;
}

const Json* field_of_adapter(const Json& config, const char* name) {
  if (!config.is_object()) return nullptr;
  const auto found = config.find(name);
  return found == config.end() ? nullptr : &*found;
}

/// The first of alpha_pattern's keys that ends the layer's name decides, as in peft. Nothing where
/// a key is a regular expression.
std::optional<double> alpha_of(const Json& config, const std::string& layer) {
  if (const Json* pattern = field_of_adapter(config, "alpha_pattern");
      pattern != nullptr && pattern->is_object()) {
    for (const auto& [key, value] : pattern->items()) {
      if (key.find_first_of("^$*+?()[]{}|\\") != std::string::npos) return std::nullopt;
      if ((layer == key || layer.ends_with("." + key)) && value.is_number())
        return value.get<double>();
    }
  }
  for (const char* name : {"lora_alpha", "alpha"}) {
    const Json* value = field_of_adapter(config, name);
    if (value != nullptr && value->is_number()) return value->get<double>();
  }
  return std::nullopt;
}

/// Of the factors; where LoKr keeps both matrices whole, of the config.
std::optional<double> rank_of(const AdapterFactors& factors) {
  for (const char* name : {"lora_A", "hada_w1_b", "lokr_w2_b", "lokr_w1_b"}) {
    const auto found = factors.find(name);
    if (found != factors.end() && found->second.shape().size() >= 2)
      return static_cast<double>(found->second.shape()[0]);
  }
  return std::nullopt;
}

}  // namespace

std::optional<AdapterPart> adapter_part(const std::string& name) {
  for (const FactorName& each : kFactorNames) {
    const std::size_t at = name.find(each.part);
    if (at == std::string::npos || at == 0) continue;
    return AdapterPart{without_prefix(name.substr(0, at)), each.factor, each.family};
  }
  for (const FactorName& each : kSharedNames) {
    const std::string whole = without_prefix(name);
    if (whole.starts_with(each.part)) return AdapterPart{"", each.factor, each.family};
  }
  return std::nullopt;
}

std::string name_in_base(const std::string& name) {
  std::string plain = without_prefix(name);
  constexpr std::string_view kSaved = ".modules_to_save.";
  const std::size_t at = plain.find(kSaved);
  if (at == std::string::npos) return plain;
  const std::size_t end = plain.find('.', at + kSaved.size());
  return end == std::string::npos ? plain : plain.substr(0, at) + plain.substr(end);
}

std::string AdapterParts::family() const {
  for (const std::string_view more : {"DoRA", "AdaLoRA"})
    if (families.contains(more)) return std::string(more);
  return families.empty() ? "" : std::string(*families.begin());
}

AdapterParts adapter_parts(const Subject& subject) {
  AdapterParts found;
  for (const std::uint32_t index : subject.checkpoint->weights().weights) {
    const StoredTensor& tensor = subject.checkpoint->entries[index];
    const auto part = adapter_part(tensor.name);
    if (!part) {
      ++found.others;
      continue;
    }
    found.names.insert(tensor.name);
    found.families.insert(part->family);
    if (part->layer.empty()) continue;
    AdapterFactors& factors = found.layers[part->layer];
    if (tensor.readable) factors.emplace(part->factor, tensor.view);
  }
  for (const auto& [layer, factors] : found.layers)
    if (const auto rank = rank_of(factors)) found.ranks.insert(static_cast<std::int64_t>(*rank));
  return found;
}

std::optional<double> adapter_scale(const Json& config, const std::string& layer,
                                    const AdapterFactors& factors) {
  if (factors.contains("ia3_l")) return 1;
  const auto alpha = alpha_of(config, layer);
  auto rank = rank_of(factors);
  if (const Json* r = field_of_adapter(config, "r"); !rank && r != nullptr && r->is_number())
    rank = r->get<double>();
  if (!alpha || !rank || *rank <= 0) return std::nullopt;
  const Json* root = field_of_adapter(config, "use_rslora");
  const bool by_root = root != nullptr && *root == true;
  return *alpha / (by_root ? std::sqrt(*rank) : *rank);
}

}  // namespace samebits
