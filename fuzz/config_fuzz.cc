// Any bytes as a config.json: everything that reads one, for every class of the family. Whatever is
// said to be usable is inside the ranges that the engine relies on.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "samebits/base/limits.h"
#include "samebits/compare/config.h"
#include "samebits/family/field_ranges.h"
#include "samebits/model/fields_from_config.h"
#include "samebits/model/recognize.h"
#include "samebits/run/module_config.h"
#include "samebits/run/vit_config.h"

namespace {

using namespace samebits;

const Json& small_config() {
  static const Json config = {{"model_type", "vit_mae"},
                              {"architectures", {"ViTMAEForPreTraining"}},
                              {"hidden_size", 12},
                              {"num_hidden_layers", 2},
                              {"num_attention_heads", 3},
                              {"intermediate_size", 20},
                              {"hidden_act", "gelu"},
                              {"layer_norm_eps", 1e-12},
                              {"image_size", 8},
                              {"patch_size", 4},
                              {"num_channels", 3},
                              {"qkv_bias", true},
                              {"mask_ratio", 0.75},
                              {"decoder_hidden_size", 8},
                              {"decoder_num_hidden_layers", 1},
                              {"decoder_num_attention_heads", 2},
                              {"decoder_intermediate_size", 16}};
  return config;
}

/// The tensors of a model by its names in transformers.
std::vector<model::StoredShape> shapes_of(const char* class_name) {
  const auto library = model::Library::transformers5;
  const model::ModelClass& made = *model::find_class(library, class_name);
  const auto fields = model::fields_from_config(small_config(), made, library);
  SAMEBITS_CHECK(fields);
  const auto specs = model::tensors_of(library, made, *fields);
  SAMEBITS_CHECK(specs);
  std::vector<model::StoredShape> shapes;
  for (const model::TensorSpec& spec : *specs) shapes.push_back({spec.name, spec.shape});
  return shapes;
}

const std::vector<model::Recognition>& known_models() {
  static const std::vector<model::Recognition> models = [] {
    std::vector<model::Recognition> made;
    for (const char* name : {"ViTMAEForPreTraining", "ViTForImageClassification", "ViTModel"})
      made.push_back(*model::recognize(shapes_of(name), name));
    return made;
  }();
  return models;
}

void check_stack(const VitStack& stack) {
  SAMEBITS_CHECK(stack.width > 0 && stack.heads > 0 && stack.width % stack.heads == 0);
}

void check_usable(const VitConfig& vit) {
  check_stack(vit.encoder);
  if (vit.decoder.width > 0) check_stack(vit.decoder);
  SAMEBITS_CHECK(vit.patches() > 0 && vit.patches() <= kLimits.tokens);
  SAMEBITS_CHECK(vit.mask_ratio >= 0 && vit.mask_ratio < 1);
  SAMEBITS_CHECK(vit.eps >= 0 && vit.eps <= 1e6F);
  SAMEBITS_CHECK(vit.hidden_dropout >= 0 && vit.hidden_dropout <= 1);
  SAMEBITS_CHECK(vit.attention_dropout >= 0 && vit.attention_dropout <= 1);
}

void check_error(const Error& error) {
  SAMEBITS_CHECK(!error.what.empty());
  SAMEBITS_CHECK(to_string(error).find("json.exception") == std::string::npos);
}

void read_for_classes(const Json& config) {
  for (const model::Library library :
       {model::Library::transformers4, model::Library::transformers5}) {
    for (const char* name : {"ViTForImageClassification", "ViTMAEForPreTraining", "Dinov2Model"}) {
      const model::ModelClass& made = *model::find_class(library, name);
      const auto fields = model::fields_from_config(config, made, library);
      if (!fields) {
        check_error(fields.error());
      } else if (std::max(fields->layers, fields->decoder_layers) <= 4) {
        (void)model::tensors_of(library, made, *fields);
      }
    }
  }
  for (const model::Recognition& known : known_models()) {
    const Result<VitConfig> vit = vit_config(known, config);
    vit ? check_usable(*vit) : check_error(vit.error());
  }
}

/// The same object as the attributes of a module.
void read_as_module(const Json& config) {
  Checkpoint checkpoint;
  for (const char* type :
       {"transformers.models.vit_mae.modeling_vit_mae.ViTMAEModel",
        "transformers.models.vit.modeling_vit.ViTSelfAttention", "torch.nn.modules.dropout.Dropout",
        "torch.nn.modules.normalization.LayerNorm", "torch.nn.modules.conv.Conv2d"}) {
    ModuleRecord module;
    module.path = checkpoint.modules.empty() ? "" : "projection";
    module.class_path = type;
    module.hyper = config;
    (void)mode_effect(module);
    for (const Error& error : module_faults(config, type)) check_error(error);
    checkpoint.modules.push_back(std::move(module));
  }
  (void)module_config(checkpoint, small_config());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<Json> config = parse_json(Bytes(data, size), "fuzz");
  if (!config || !config->is_object()) return 0;
  for (const Error& error : config_faults(*config, "fuzz")) check_error(error);
  (void)compare_configs(*config, small_config(), "vit_mae");
  SAMEBITS_CHECK(compare_configs(*config, *config, "").empty());
  read_for_classes(*config);
  read_as_module(*config);
  return 0;
}
