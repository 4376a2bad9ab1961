#include "samebits/family/segment_words.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace samebits::model {
namespace {

using Text = std::string_view;

constexpr std::array<Text, 4> kEmbeddingWords = {"embed", "embeds", "embedding", "embeddings"};
constexpr std::array<Text, 8> kEmbeddingNames = {
    "wte", "wpe", "shared", "conv_proj", "cls_token", "class_token", "dist_token", "mask_token"};
constexpr std::array<Text, 3> kMoreTokens = {"reg_token", "register_tokens", "distillation_token"};
constexpr std::array<Text, 3> kHeadWords = {"head", "heads", "classifier"};
constexpr std::array<Text, 2> kHeadNames = {"score", "qa_outputs"};
constexpr std::array<Text, 2> kFirstHeadNames = {"fc", "cls"};

template <std::size_t n>
bool holds(const std::array<Text, n>& words, Text word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::vector<Text> words_of(Text part) {
  std::vector<Text> words;
  for (;;) {
    const std::size_t end = part.find('_');
    words.push_back(part.substr(0, end));
    if (end == Text::npos) return words;
    part.remove_prefix(end + 1);
  }
}

}  // namespace

bool names_decoder(Text part) {
  const std::vector<Text> words = words_of(part);
  return std::find(words.begin(), words.end(), "decoder") != words.end();
}

bool names_embeddings(Text part) {
  if (holds(kEmbeddingNames, part) || holds(kMoreTokens, part)) return true;
  if (names_decoder(part)) return false;
  const std::vector<Text> words = words_of(part);
  return std::any_of(words.begin(), words.end(),
                     [](Text word) { return holds(kEmbeddingWords, word); });
}

bool names_end(Text part) {
  if (part.find("pre") != Text::npos) return false;
  return part.find("norm") != Text::npos || part.find("pool") != Text::npos ||
         part.starts_with("ln_") || part == "ln";
}

bool names_head(Text part, bool is_first) {
  if (holds(kHeadNames, part) || (is_first && holds(kFirstHeadNames, part))) return true;
  // Not in the middle: "multi_head_attention".
  const std::vector<Text> words = words_of(part);
  return holds(kHeadWords, words.front()) || holds(kHeadWords, words.back());
}

std::optional<std::int64_t> recurrent_layer(std::string_view leaf) {
  constexpr std::size_t kMostDigits = 9;
  const auto take = [&](std::string_view start) {
    const bool there = leaf.starts_with(start);
    if (there) leaf.remove_prefix(start.size());
    return there;
  };
  if (!take("weight_") && !take("bias_")) return std::nullopt;
  if (!take("ih_l") && !take("hh_l") && !take("hr_l")) return std::nullopt;
  const std::size_t digits = std::min(leaf.find_first_not_of("0123456789"), leaf.size());
  if (digits == 0 || digits > kMostDigits) return std::nullopt;
  const std::string_view rest = leaf.substr(digits);
  if (!rest.empty() && rest != "_reverse") return std::nullopt;
  return std::stoll(std::string(leaf.substr(0, digits)));
}

}  // namespace samebits::model
