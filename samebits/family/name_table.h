// What the state_dict() of every class of the ViT family holds: names and shapes, as one table with
// a column per library.
//
// A row is one role (the query projection of a block); its columns are the names by which
// transformers 4.57.6, transformers 5.24.0, timm, facebookresearch/mae and torchvision know it. So
// the same table says what a class expects, what a foreign checkpoint holds, and how one becomes
// the other.
//
// Shapes are expressions in letters:
//   D  width                        P, W  height and width of a patch
//   M  width inside the mlp         I     channels of an image
//   F  the same of a gated mlp      X     positions: patches, and tokens in front of them
//   K  width of a head              R     register tokens
//   C  classes                      Q     values of a patch that a masked-image head predicts
//   H  input of the classifier      E     width of a decoder
//   Y  output of the pooler         G     width inside its mlp
//   Z  output of the pre-logits     V     values of a patch that it predicts
//
// Nothing in the family is tied, and but for the batch norm of mae's linear probe there are no
// buffers; no class has _keys_to_ignore_on_load_*. Sources: tensor_rows.h. Does not hold: timm's
// attention pooling, scale_attn_norm and scale_mlp_norm.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/family/classes.h"
#include "samebits/tensor/tensor.h"

namespace samebits::model {

/// The numbers that shapes are made of. -1: not known.
struct Fields {
  Fields() { letters.fill(-1); }
  std::int64_t& operator[](char letter) { return letters[static_cast<std::size_t>(letter - 'A')]; }
  std::int64_t operator[](char letter) const {
    return letters[static_cast<std::size_t>(letter - 'A')];
  }
  std::array<std::int64_t, 26> letters;
  std::int64_t layers = -1;
  std::int64_t decoder_layers = -1;
  std::int64_t patches = -1;  // X is this and the class's prefix tokens; -1 where only X is known
  Parts parts = 0;
};

/// The columns of the table: the two namings of transformers are others in 4 and in 5.
enum class Column : std::uint8_t { vit4, vit5, dinov2_4, dinov2_5, timm, mae, torchvision };
inline constexpr std::size_t kColumns = 7;

Column column_of(Library library, const ModelClass& model_class);

/// Where blocks stand below the base model, up to their number ("encoder.layer."), and what their
/// norms are called there.
struct BlockNames {
  std::string_view path, norm1, norm2;
};
BlockNames block_names(Column column);

/// What the name of a model's first projection ends in, by which the prefix of its names is found.
std::span<const std::string_view> patch_projections();

enum class TensorKind : std::uint8_t { parameter, buffer };

/// One line of a class's table. `name` has "{n}" where the number of the block stands.
struct TensorTemplate {
  std::string name;
  std::string role;  // the same in every library: "query.weight", "decoder:query.weight"
  std::string_view shape;
  TensorKind kind = TensorKind::parameter;
  bool block = false;    // repeated for every block
  bool decoder = false;  // a block of the decoder: D and M read as E and G
  Parts when = 0;
};

/// Every line that a class can have with the given parts, in the order of the table (which is not
/// the order of state_dict()).
std::vector<TensorTemplate> templates_of(Library library, const ModelClass& model_class,
                                         Parts parts);

struct TensorSpec {
  std::string name;
  std::string role;  // with the number of the block in front: "3:query.weight"
  Shape shape;       // -1 where a letter is not known
  TensorKind kind = TensorKind::parameter;
};

/// What state_dict() of the class holds, every entry persistent. Errors: inconsistent where the
/// number of layers is not known, limit where it is absurd or a size does not fit.
Result<std::vector<TensorSpec>> tensors_of(Library library, const ModelClass& model_class,
                                           const Fields& fields);

/// Fields as the class's constructor would use them: its own parts, X and H derived.
Fields fit(const Fields& fields, const ModelClass& model_class);

/// "3D": coefficient and letter of one size of a shape expression ('\0': a plain number). In a
/// decoder's block, D and M become E and G.
struct Size {
  std::int64_t factor = 1;
  char letter = '\0';
};
std::vector<Size> parse_shape(std::string_view expression, bool decoder);

/// The template's name with the number in place of "{n}".
std::string instantiate(std::string_view name, std::int64_t n);

/// A tensor that is others stacked along dimension 0.
struct Fusion {
  std::string_view whole;
  std::span<const std::string_view> parts;
};
std::span<const Fusion> fusions();

}  // namespace samebits::model
