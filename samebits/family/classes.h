// The ViT family: its libraries, its model types and its classes, as data.
//
// Sources: transformers 4.57.6 and 5.24.0 models/{vit,vit_mae,deit,dinov2,dinov2_with_registers};
// timm 1.0.31, torchvision 0.29.1, facebookresearch/mae.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace samebits::model {

enum class Library : std::uint8_t { transformers4, transformers5, timm, mae, torchvision };
inline constexpr std::array kLibraries = {Library::transformers4, Library::transformers5,
                                          Library::timm, Library::mae, Library::torchvision};
const char* library_name(Library library);  // "transformers-4", as in --for TARGET

/// Whether a library is transformers, whose classes have configs and from_pretrained.
bool is_transformers(Library library);

/// The eps of a library's own classes; nothing where a config says it.
std::optional<double> implied_eps(Library library);

/// What a model of the family has or lacks: bits, of which a set is their or.
using Parts = std::uint32_t;
inline constexpr Parts kClassToken = 1u << 0;
inline constexpr Parts kDistillation = 1u << 1;  // a distillation token
inline constexpr Parts kMaskToken = 1u << 2;
inline constexpr Parts kRegisters = 1u << 3;
inline constexpr Parts kPooler = 1u << 4;
inline constexpr Parts kClassifier = 1u << 5;
inline constexpr Parts kTeacher = 1u << 6;      // two classifiers, one for each token
inline constexpr Parts kMaskedImage = 1u << 7;  // a convolution that predicts pixels
inline constexpr Parts kDecoder = 1u << 8;      // a masked autoencoder's decoder
inline constexpr Parts kQkvBias = 1u << 9;
inline constexpr Parts kGated = 1u << 10;  // SwiGLU in place of the two-layer mlp
inline constexpr Parts kLayerScale = 1u << 11;
inline constexpr Parts kPoolNorm = 1u << 12;  // timm's fc_norm in place of norm
inline constexpr Parts kPreNorm = 1u << 13;   // timm's norm_pre; the patches have no bias
inline constexpr Parts kPreLogits = 1u << 14;
inline constexpr Parts kQkNorm = 1u << 16;       // timm's norms of queries and keys
inline constexpr Parts kLinearProbe = 1u << 15;  // mae: batch norm before the classifier

/// How position embeddings are resized for images of another size.
enum class Resampling : std::uint8_t {
  refused,            // the library has no rule of its own: torchvision, facebookresearch/mae
  bicubic,            // torch's interpolate(mode="bicubic", align_corners=False): transformers
  bicubic_antialias,  // the same with antialias=True: timm
};

/// A folder of transformers' models/: one config class and the model classes that are built from
/// it.
struct ModelType {
  std::string_view name;     // the config's model_type and the folder: "vit_mae"
  std::string_view classes;  // what the names of its classes begin with: "ViTMAE"
  std::string_view base;     // base_model_prefix, the root of its passes' points: "vit"
  Resampling resampling = Resampling::bicubic;
};

std::span<const ModelType> model_types();
/// nullptr for a type that is not of the family.
const ModelType* find_model_type(std::string_view name);
/// The type of a class that transformers defines for it, by its path
/// ("transformers.models.vit.modeling_vit.ViTLayer"); nullptr for other classes.
const ModelType* type_of_class(std::string_view class_path);
/// "vit, vit_mae, deit, dinov2 or dinov2_with_registers"
std::string model_type_names();

/// Whose names its tensors have.
enum class Naming : std::uint8_t { vit, dinov2, timm, mae, torchvision };

/// The forward pass of a class, as far as samebits runs it.
enum class Pass : std::uint8_t {
  plain,   // tokens, blocks, norm, heads
  masked,  // the same for some of the patches, which noise chooses; then the decoder, if any
  other,   // another one, which is not run
};

struct ModelClass {
  std::string_view name;        // "ViTMAEForPreTraining"
  std::string_view model_type;  // "vit_mae"; "" outside transformers
  std::string_view base;        // base_model_prefix: "vit"
  Naming naming = Naming::vit;
  bool nested = false;        // the base model is a member of that name: its tensors carry "vit."
  std::int64_t prefixed = 1;  // tokens in front of the patches that have a position
  std::int64_t head = 1;      // the classifier sees this many times the width
  Parts always = 0;
  Parts optional = 0;  // as the fields say
  Parts assumed = 0;   // of the optional parts, those that a constructor adds unless told not to
  Pass pass = Pass::plain;
};

std::span<const ModelClass> classes();
bool has_class(Library library, const ModelClass& model_class);
/// nullptr where that library has no such class.
const ModelClass* find_class(Library library, std::string_view name);

Resampling resampling_of(Library library, const ModelClass& model_class);

/// "ViTMAEModel": of a masked autoencoder's type, the class without the decoder. The type is that
/// of the class's name, or, where there is none, the given one; "" for other types.
std::string_view encoder_class(std::string_view class_name, std::string_view model_type);

}  // namespace samebits::model
