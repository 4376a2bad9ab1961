#include "samebits/family/name_table.h"

#include <algorithm>

#include "samebits/base/limits.h"
#include "samebits/family/tensor_rows.h"

namespace samebits::model {
namespace {

constexpr auto kMostLayers = static_cast<std::int64_t>(kLimits.model_layers);

bool stands(const Row& row, Parts parts) {
  return (row.when & parts) == row.when && (row.unless & parts) == 0;
}

/// Adds the row's lines as `library` names them; `path` is where its module lies.
void add_row(const Row& row, Column column, const std::string& path, Parts parts,
             const TensorTemplate& like, std::vector<TensorTemplate>& out) {
  const std::string_view leaf = row.names[static_cast<std::size_t>(column)];
  if (leaf.empty() || !stands(row, parts)) return;
  TensorTemplate line = like;
  line.when = row.when;
  const std::string name = path + std::string(leaf);
  const std::string role = (like.decoder ? "decoder:" : "") + std::string(row.role);
  const std::string dot = name.back() == '_' ? "" : ".";
  const bool bare = row.bias == kBare;
  line.name = bare ? name : name + dot + "weight";
  line.role = bare ? role : role + ".weight";
  line.shape = row.weight;
  out.push_back(line);
  if (bare || row.bias.empty() || (row.bias_when & parts) != row.bias_when) return;
  line.name = name + dot + "bias";
  line.role = role + ".bias";
  line.shape = row.bias;
  line.when |= row.bias_when;
  out.push_back(line);
}

Result<Shape> evaluate(const TensorTemplate& line, const Fields& fields) {
  Shape shape;
  for (const Size& size : parse_shape(line.shape, line.decoder)) {
    const std::int64_t value = size.letter == '\0' ? 1 : fields[size.letter];
    std::int64_t product = -1;
    if (value >= 0 && __builtin_mul_overflow(value, size.factor, &product))
      return fail(
          {.code = ErrorCode::limit, .what = "the shape of " + line.name + " does not fit"});
    shape.push_back(product);
  }
  return shape;
}

}  // namespace

std::span<const Fusion> fusions() { return kFusions; }
std::span<const std::string_view> patch_projections() { return kPatchProjections; }

Column column_of(Library library, const ModelClass& model_class) {
  const bool four = library == Library::transformers4;
  switch (model_class.naming) {
    case Naming::vit: return four ? Column::vit4 : Column::vit5;
    case Naming::dinov2: return four ? Column::dinov2_4 : Column::dinov2_5;
    case Naming::timm: return Column::timm;
    case Naming::mae: return Column::mae;
    case Naming::torchvision: break;
  }
  return Column::torchvision;
}

BlockNames block_names(Column column) {
  const auto at = static_cast<std::size_t>(column);
  const auto name = [at](std::string_view role) {
    return std::ranges::find(kBlockRows, role, &Row::role)->names[at];
  };
  const std::string_view path = kBlockPath[at];
  return {path.substr(0, path.find('{')), name("norm1"), name("norm2")};
}

std::vector<TensorTemplate> templates_of(Library library, const ModelClass& model_class,
                                         Parts parts) {
  const Column column = column_of(library, model_class);
  const std::string prefix = model_class.nested ? std::string(model_class.base) + "." : "";
  const auto path = [&](const auto& paths) {
    return std::string(paths[static_cast<std::size_t>(column)]);
  };
  std::vector<TensorTemplate> lines;
  for (const Row& row : kOuterRows) add_row(row, column, row.base ? prefix : "", parts, {}, lines);
  for (const Row& row : kBufferRows)
    add_row(row, column, "", parts, {.kind = TensorKind::buffer}, lines);
  for (const Row& row : kBlockRows)
    add_row(row, column, prefix + path(kBlockPath), parts, {.block = true}, lines);
  if (parts & kDecoder)
    for (const Row& row : kBlockRows)
      add_row(row, column, path(kDecoderPath), parts, {.block = true, .decoder = true}, lines);
  return lines;
}

std::vector<Size> parse_shape(std::string_view expression, bool decoder) {
  std::vector<Size> sizes;
  Size size{.factor = 0};
  const auto close = [&] {
    if (size.factor == 0) size.factor = 1;
    sizes.push_back(size);
    size = {.factor = 0};
  };
  for (const char c : expression) {
    if (c == ',')
      close();
    else if (c >= '0' && c <= '9')
      size.factor = size.factor * 10 + (c - '0');
    else
      size.letter = decoder && c == 'D' ? 'E' : decoder && c == 'M' ? 'G' : c;
  }
  if (!expression.empty()) close();
  return sizes;
}

std::string instantiate(std::string_view name, std::int64_t n) {
  std::string text(name);
  if (const auto at = text.find("{n}"); at != std::string::npos)
    text.replace(at, 3, std::to_string(n));
  return text;
}

Fields fit(const Fields& fields, const ModelClass& model_class) {
  Fields fitted = fields;
  fitted.parts = model_class.always | (fields.parts & model_class.optional);
  if (fields.patches >= 0) fitted['X'] = fields.patches + model_class.prefixed;
  const bool pre_logits = fitted.parts & kPreLogits;
  fitted['H'] = pre_logits ? fields['Z'] : fields['D'] < 0 ? -1 : fields['D'] * model_class.head;
  if (fitted['Y'] < 0) fitted['Y'] = fields['D'];
  return fitted;
}

Result<std::vector<TensorSpec>> tensors_of(Library library, const ModelClass& model_class,
                                           const Fields& fields) {
  std::vector<TensorSpec> specs;
  for (const TensorTemplate& line : templates_of(library, model_class, fields.parts)) {
    const std::int64_t layers = !line.block    ? 1
                                : line.decoder ? fields.decoder_layers
                                               : fields.layers;
    if (layers < 0)
      return fail({.code = ErrorCode::inconsistent,
                   .what = "neither a config nor the tensors say how many layers the " +
                           std::string(line.decoder ? "decoder" : "model") + " has",
                   .hint = "Give the directory with its config.json"});
    if (layers > kMostLayers)
      return fail({.code = ErrorCode::limit,
                   .what = "the model has too many layers",
                   .expected = "at most " + std::to_string(kMostLayers),
                   .found = std::to_string(layers)});
    SAMEBITS_TRY(const Shape shape, evaluate(line, fields));
    for (std::int64_t n = 0; n < layers; ++n)
      specs.push_back({.name = instantiate(line.name, n),
                       .role = line.block ? std::to_string(n) + ":" + line.role : line.role,
                       .shape = shape,
                       .kind = line.kind});
  }
  return specs;
}

}  // namespace samebits::model
