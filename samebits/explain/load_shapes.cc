#include "samebits/explain/load_shapes.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/load_forms.h"
#include "samebits/explain/load_transposes.h"

namespace samebits {
namespace {

/// A table with a row for each token, or the layer that gives the next one.
bool is_token_table(const std::string& name) {
  constexpr auto kParts = std::to_array<std::string_view>(
      {"embed_tokens", "word_embeddings", "wte.", "tok_embeddings", "token_embedding",
       "shared.weight", "lm_head", "embed_out", "predictions.decoder", "predictions.bias"});
  return std::ranges::any_of(
      kParts, [&](std::string_view part) { return name.find(part) != std::string::npos; });
}

std::string token_rows_text(const Mismatch& sizes) {
  return fmt::format(
      "Load into a model with the checkpoint's vocab_size, {}, and then call "
      "resize_token_embeddings({}): the first {} rows keep their values",
      sizes.found[0], sizes.wanted[0], std::min(sizes.found[0], sizes.wanted[0]));
}

/// One tensor, flattened or not.
bool are_reshaped_sizes(const Mismatch& sizes) {
  const Result<std::uint64_t> found = element_count(sizes.found);
  const Result<std::uint64_t> wanted = element_count(sizes.wanted);
  return sizes.found.size() != sizes.wanted.size() && found && wanted && *found > 1 &&
         *found == *wanted;
}

std::string last_parts(const std::string& name, bool leaf_too) {
  const std::size_t dot = name.rfind('.');
  return leaf_too || dot == std::string::npos ? name : name.substr(0, dot);
}

/// A table of positions: one row for each, so only their number differs.
bool is_position_table(const std::string& name, const Mismatch& sizes) {
  const Shape &found = sizes.found, &wanted = sizes.wanted;
  if (name.find("pos") == std::string::npos || found.size() != wanted.size() || found.size() < 2)
    return false;
  std::size_t differing = 0;
  for (std::size_t i = 0; i + 1 < found.size(); ++i) differing += found[i] != wanted[i];
  return differing > 0 && found.back() == wanted.back() && found.size() <= 4;
}

bool have_other_rows(const Mismatch& sizes) {
  const Shape &found = sizes.found, &wanted = sizes.wanted;
  if (found.size() != wanted.size() || found.empty() || found.size() > 2) return false;
  return std::equal(found.begin() + 1, found.end(), wanted.begin() + 1, wanted.end());
}

/// A layer that classifies: its outputs differ in number, and nothing else.
bool is_head(const std::string& name, const Mismatch& sizes) {
  if (!have_other_rows(sizes)) return false;
  const std::string module = last_parts(name, false);
  for (const char* word : {"head", "classifier", "fc", "score", "last_linear", "logits"})
    if (module == word || module.ends_with(std::string(".") + word) ||
        module.starts_with(std::string(word) + ".") || module.ends_with(std::string("_") + word))
      return true;
  return false;
}

/// What tensors of another shape are, by which each of them is mended.
struct ShapeKinds {
  bool positions = false, heads = false, turned = false, reshaped = false, others = false;
  const Mismatch* tokens = nullptr;  // the first table of tokens with other rows
  std::string first_reshaped;

  void add(const std::string& name, const Mismatch& sizes) {
    if (is_position_table(name, sizes)) {
      positions = true;
    } else if (is_token_table(name) && have_other_rows(sizes)) {
      if (tokens == nullptr) tokens = &sizes;
    } else if (is_head(name, sizes)) {
      heads = true;
    } else if (are_turned_sizes(sizes.found, sizes.wanted)) {
      turned = true;
    } else if (are_reshaped_sizes(sizes)) {
      if (!reshaped) first_reshaped = name;
      reshaped = true;
    } else {
      others = true;
    }
  }
};

std::string remedy_of(const ShapeKinds& kinds, const LoadReport& load) {
  std::vector<std::string> texts;
  if (kinds.positions)
    texts.emplace_back(
        "resample the table of positions to the target's grid before loading "
        "(bicubic, without the tokens in front), or use the checkpoint's image size");
  if (kinds.tokens != nullptr) texts.push_back(token_rows_text(*kinds.tokens));
  if (kinds.heads)
    texts.emplace_back(
        "leave the head out of the checkpoint and train a new one, or build the "
        "model with the checkpoint's number of classes");
  if (kinds.turned && load.transposed.empty())
    texts.emplace_back(
        "transpose what has its two sizes exchanged, as Conv1D of GPT-2 keeps weights, and "
        "square matrices of the same layers with it: their shapes do not show it");
  if (kinds.reshaped)
    texts.push_back(load.held.empty()
                        ? fmt::format("{} has as many elements on both sides: if it was flattened "
                                      "in the target's order, reshape it",
                                      kinds.first_reshaped)
                        : held_text(load));
  if (kinds.others || (texts.empty() && load.transposed.empty()))
    texts.emplace_back("use a config of the same sizes");
  std::string text = fmt::format("{}", fmt::join(texts, "; "));
  if (!text.empty() && !text.starts_with(kinds.first_reshaped + " "))
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace

std::string shapes_remedy(const LoadReport& load) {
  ShapeKinds kinds;
  for (std::size_t i = 0; i < load.mismatches.size(); ++i)
    kinds.add(load.mismatched[i], load.mismatches[i]);
  return remedy_of(kinds, load);
}

std::string sizes_text(const Shape& shape) {
  Names sizes;
  for (const std::int64_t size : shape) sizes.push_back(size < 0 ? "?" : std::to_string(size));
  return fmt::format("{}", fmt::join(sizes, " x "));
}

}  // namespace samebits
