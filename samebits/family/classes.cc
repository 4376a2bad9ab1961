#include "samebits/family/classes.h"

#include <algorithm>

namespace samebits::model {
namespace {

constexpr std::array kModelTypes = {
    ModelType{"vit", "ViT", "vit"},
    ModelType{"vit_mae", "ViTMAE", "vit"},
    ModelType{"deit", "DeiT", "deit"},
    ModelType{"dinov2", "Dinov2", "dinov2"},
    ModelType{"dinov2_with_registers", "Dinov2WithRegisters", "dinov2_with_registers",
              Resampling::bicubic_antialias},
};

// clang-format off
constexpr Parts kDeit = kClassToken | kDistillation;
constexpr Parts kDinov2 = kClassToken | kLayerScale;
constexpr Parts kDinov2Registers = kDinov2 | kMaskToken | kRegisters;
constexpr Parts kDinov2Options = kQkvBias | kGated;

// name, model_type, base, naming, nested, prefixed, head, always, optional, assumed, pass
constexpr std::array kClasses = {
    ModelClass{"ViTModel", "vit", "vit", Naming::vit, false, 1, 1,
               kClassToken, kQkvBias | kPooler | kMaskToken, kPooler},
    ModelClass{"ViTForImageClassification", "vit", "vit", Naming::vit, true, 1, 1,
               kClassToken, kQkvBias | kClassifier, kClassifier},
    ModelClass{"ViTForMaskedImageModeling", "vit", "vit", Naming::vit, true, 1, 1,
               kClassToken | kMaskToken | kMaskedImage, kQkvBias, 0, Pass::other},
    ModelClass{"ViTMAEModel", "vit_mae", "vit", Naming::vit, false, 1, 1, kClassToken, kQkvBias, 0, Pass::masked},
    ModelClass{"ViTMAEForPreTraining", "vit_mae", "vit", Naming::vit, true, 1, 1,
               kClassToken | kDecoder, kQkvBias, 0, Pass::masked},
    ModelClass{"DeiTModel", "deit", "deit", Naming::vit, false, 2, 1,
               kDeit, kQkvBias | kPooler | kMaskToken, kPooler},
    ModelClass{"DeiTForImageClassification", "deit", "deit", Naming::vit, true, 2, 1,
               kDeit, kQkvBias | kClassifier, kClassifier},
    ModelClass{"DeiTForImageClassificationWithTeacher", "deit", "deit", Naming::vit, true, 2, 1,
               kDeit | kTeacher, kQkvBias | kClassifier, kClassifier},
    ModelClass{"DeiTForMaskedImageModeling", "deit", "deit", Naming::vit, true, 2, 1,
               kDeit | kMaskToken | kMaskedImage, kQkvBias, 0, Pass::other},
    ModelClass{"Dinov2Model", "dinov2", "dinov2", Naming::dinov2, false, 1, 1,
               kDinov2, kDinov2Options | kMaskToken, kMaskToken},
    ModelClass{"Dinov2ForImageClassification", "dinov2", "dinov2", Naming::dinov2, true, 1, 2,
               kDinov2, kDinov2Options | kMaskToken | kClassifier, kMaskToken | kClassifier},
    ModelClass{"Dinov2Backbone", "dinov2", "dinov2", Naming::dinov2, false, 1, 1,
               kDinov2, kDinov2Options | kMaskToken, kMaskToken, Pass::other},
    ModelClass{"Dinov2WithRegistersModel", "dinov2_with_registers", "dinov2_with_registers",
               Naming::dinov2, false, 1, 1, kDinov2Registers, kDinov2Options, 0},
    ModelClass{"Dinov2WithRegistersForImageClassification", "dinov2_with_registers", "dinov2_with_registers",
               Naming::dinov2, true, 1, 2, kDinov2Registers, kDinov2Options | kClassifier, kClassifier},
    ModelClass{"Dinov2WithRegistersBackbone", "dinov2_with_registers", "dinov2_with_registers",
               Naming::dinov2, false, 1, 1, kDinov2Registers, kDinov2Options, 0, Pass::other},
    ModelClass{"VisionTransformer", "", "", Naming::timm, false, 1, 1, 0,
               kClassToken | kRegisters | kClassifier | kQkvBias | kGated | kLayerScale | kPoolNorm |
                   kPreNorm | kQkNorm, 0},
    ModelClass{"VisionTransformerDistilled", "", "", Naming::timm, false, 2, 1,
               kDeit | kTeacher, kClassifier | kQkvBias, 0},
    ModelClass{"MaskedAutoencoderViT", "", "", Naming::mae, false, 1, 1,
               kClassToken | kDecoder | kQkvBias, 0, 0, Pass::masked},
    ModelClass{"VisionTransformer", "", "", Naming::mae, false, 1, 1,
               kClassToken | kQkvBias, kClassifier | kPoolNorm, 0},
    ModelClass{"LinearProbe", "", "", Naming::mae, false, 1, 1,
               kClassToken | kQkvBias | kLinearProbe | kClassifier, kPoolNorm, 0, Pass::other},
    ModelClass{"VisionTransformer", "", "", Naming::torchvision, false, 1, 1,
               kClassToken | kQkvBias, kClassifier | kPreLogits, 0},
};
// clang-format on

}  // namespace

const char* library_name(Library library) {
  switch (library) {
    case Library::transformers4: return "transformers-4";
    case Library::transformers5: return "transformers-5";
    case Library::timm: return "timm";
    case Library::mae: return "mae";
    case Library::torchvision: break;
  }
  return "torchvision";
}

bool is_transformers(Library library) {
  return library == Library::transformers4 || library == Library::transformers5;
}

std::optional<double> implied_eps(Library library) {
  if (is_transformers(library)) return std::nullopt;
  return 1e-6;
}

Resampling resampling_of(Library library, const ModelClass& model_class) {
  if (library == Library::timm) return Resampling::bicubic_antialias;
  const ModelType* type = find_model_type(model_class.model_type);
  return type == nullptr ? Resampling::refused : type->resampling;
}

std::span<const ModelType> model_types() { return kModelTypes; }

const ModelType* find_model_type(std::string_view name) {
  const auto found = std::ranges::find(kModelTypes, name, &ModelType::name);
  return found == kModelTypes.end() ? nullptr : &*found;
}

const ModelType* type_of_class(std::string_view class_path) {
  constexpr std::string_view kFolder = "transformers.models.";
  if (!class_path.starts_with(kFolder)) return nullptr;
  class_path.remove_prefix(kFolder.size());
  const std::size_t end = class_path.find('.');
  return end == std::string_view::npos ? nullptr : find_model_type(class_path.substr(0, end));
}

std::string model_type_names() {
  std::string names;
  for (const ModelType& type : kModelTypes) {
    const bool last = &type == &kModelTypes.back();
    names += (names.empty() ? "" : last ? " or " : ", ") + std::string(type.name);
  }
  return names;
}

std::span<const ModelClass> classes() { return kClasses; }

bool has_class(Library library, const ModelClass& model_class) {
  switch (library) {
    case Library::transformers4:
    case Library::transformers5: return !model_class.model_type.empty();
    case Library::timm: return model_class.naming == Naming::timm;
    case Library::mae: return model_class.naming == Naming::mae;
    case Library::torchvision: break;
  }
  return model_class.naming == Naming::torchvision;
}

const ModelClass* find_class(Library library, std::string_view name) {
  for (const ModelClass& model_class : kClasses)
    if (model_class.name == name && has_class(library, model_class)) return &model_class;
  return nullptr;
}

std::string_view encoder_class(std::string_view class_name, std::string_view model_type) {
  for (const ModelClass& each : kClasses) {
    const ModelType* type = find_model_type(each.model_type);
    if (type == nullptr || each.pass != Pass::masked || (each.always & kDecoder) != 0) continue;
    const bool meant =
        class_name.empty() ? model_type == type->name : class_name.starts_with(type->classes);
    if (meant) return each.name;
  }
  return "";
}

}  // namespace samebits::model
