#include "samebits/checkpoint/pickled_bytes.h"

#include <functional>

namespace samebits {

std::shared_ptr<std::vector<std::uint8_t>> latin1_bytes(std::string_view text) {
  auto bytes = std::make_shared<std::vector<std::uint8_t>>();
  bytes->reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<std::uint8_t>(text[i]);
    if (c < 0x80) {
      bytes->push_back(c);
    } else if ((c == 0xc2 || c == 0xc3) && i + 1 < text.size()) {
      const auto low = static_cast<std::uint8_t>(text[++i]);
      bytes->push_back(static_cast<std::uint8_t>((c & 3) << 6 | (low & 0x3f)));
    } else {
      return nullptr;
    }
  }
  return bytes;
}

bool stands_in(Bytes file, std::string_view text) {
  const auto* begin = reinterpret_cast<const char*>(file.data());
  constexpr std::less_equal<const char*> kNotAfter;
  return !file.empty() && kNotAfter(begin, text.data()) &&
         kNotAfter(text.data() + text.size(), begin + file.size());
}

std::optional<PickledBytes> pickled_bytes(const pickle::Tree& tree, NodeId node, Bytes file) {
  PickledBytes found;
  if (tree.kind(node) == pickle::Kind::bytes) {
    const std::string_view text = tree.text(node);
    found.bytes = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    if (stands_in(file, text)) return found;
    found.owned = std::make_shared<std::vector<std::uint8_t>>(text.begin(), text.end());
  } else if (tree.kind(node) == pickle::Kind::object &&
             tree.is_global(tree.callable(node), "_codecs", "encode")) {
    const auto args = elements(tree, tree.args(node));
    if (!args.empty() && tree.kind(args[0]) == pickle::Kind::text)
      found.owned = latin1_bytes(tree.text(args[0]));
  }
  if (!found.owned) return std::nullopt;
  found.bytes = *found.owned;
  return found;
}

}  // namespace samebits
