// The points of a forward pass: the modules of the ViT family whose outputs a trace holds, by their
// names in transformers 5, and the order in which they are computed.
#pragma once

#include <string>

#include "samebits/family/classes.h"

namespace samebits {

/// What a run calls the points of one model, in the order of the pass.
struct PointNames {
  std::string embeddings = "vit.embeddings";
  std::string layers = "vit.layers.";  // the number of a block follows, a dot, and:
  std::string norm1 = "layernorm_before", attention = "attention";
  std::string norm2 = "layernorm_after", mlp = "mlp";
  std::string norm = "vit.layernorm";
  // Heads.
  std::string pooler = "pooler", classifier = "classifier";
  std::string cls_classifier = "cls_classifier";
  std::string distillation_classifier = "distillation_classifier";
  // The decoder of a masked autoencoder, whose blocks have the encoder's points.
  std::string decoder_embed = "decoder.decoder_embed", decoder_layers = "decoder.decoder_layers.";
  std::string decoder_norm = "decoder.decoder_norm", decoder_pred = "decoder.decoder_pred";

  bool operator==(const PointNames&) const = default;
};

/// Classes of other libraries than transformers have the points of its ViT.
PointNames point_names(const model::ModelClass& model_class);

/// One name for a point of several models: without the model's own prefix ("vit.", "model."), and
/// with transformers 4's encoder.layer as transformers 5's layers.
std::string canonical_point(std::string name);

/// Where a point stands in the pass; compares as the order of computation.
struct PointPlace {
  static constexpr int kUnknown = 10;

  int stage = kUnknown;
  long block = 0;
  int part = 0;      // of the block
  std::string name;  // children before their parent

  bool is_known() const { return stage < kUnknown; }
  auto operator<=>(const PointPlace&) const = default;
};
PointPlace place_of_point(const std::string& point);

}  // namespace samebits
