#include "samebits/checkpoint/call_text.h"

#include <algorithm>

#include <fmt/format.h>

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

/// Writes values until the line is full.
class ValueWriter {
 public:
  explicit ValueWriter(const Tree& tree) : tree_(tree) {}

  void value(NodeId node, int depth) {
    if (is_full()) return;
    switch (tree_.kind(node)) {
      case Kind::none: return add("None");
      case Kind::boolean: return add(tree_.boolean(node) ? "True" : "False");
      case Kind::integer: return add(std::to_string(tree_.integer(node)));
      case Kind::real: return add(fmt::format("{}", tree_.real(node)));
      case Kind::big_integer: return add(fmt::format("<int of {} bytes>", tree_.text(node).size()));
      case Kind::text: return quoted(tree_.text(node), "");
      case Kind::bytes: return quoted(tree_.text(node), "b");
      case Kind::list: return items(tree_.items(node), "[", "]", depth);
      case Kind::tuple: return items(tree_.items(node), "(", ")", depth);
      case Kind::set:
      case Kind::frozenset: return items(tree_.items(node), "{", "}", depth);
      case Kind::dict: return pairs(node, depth);
      case Kind::global: return escaped(tree_.qualified_name(node), kLongestText);
      case Kind::object: return object(node, depth);
      case Kind::persistent: return add("<stored object>");
      case Kind::extension: return add(fmt::format("<extension {}>", tree_.integer(node)));
      case Kind::buffer: return add("<buffer>");
    }
  }

  /// A call's arguments; a single one has no comma after it.
  void arguments(NodeId node) {
    const Kind kind = tree_.kind(node);
    if (kind != Kind::tuple && kind != Kind::list) {
      add("(*");
      value(node, 0);
    } else {
      items(tree_.items(node), "(", "", 0);
    }
    add(")");
  }

  std::string take() {
    if (is_full()) {
      line_.resize(kLongestLine);
      line_ += "...";
    }
    return std::move(line_);
  }
  void add(std::string_view text) { line_ += text; }

 private:
  static constexpr std::size_t kLongestLine = 240, kLongestText = 80, kMostItems = 6;
  static constexpr int kDeepest = 3;

  bool is_full() const { return line_.size() > kLongestLine; }

  void escaped(std::string_view text, std::size_t longest) {
    for (const char c : text.substr(0, longest)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x20 && byte < 0x7f && c != '\\') {
        line_ += c;
      } else if (c == '\n') {
        line_ += "\\n";
      } else {
        line_ += c == '\\' ? "\\\\" : fmt::format("\\x{:02x}", byte);
      }
    }
    if (text.size() > longest) line_ += "...";
  }

  void quoted(std::string_view text, std::string_view prefix) {
    add(prefix);
    add("'");
    escaped(text, kLongestText);
    add("'");
  }

  void items(std::span<const NodeId> nodes, std::string_view open, std::string_view close,
             int depth) {
    add(open);
    if (depth >= kDeepest && !nodes.empty()) add("...");
    for (std::size_t i = 0; i < nodes.size() && depth < kDeepest; ++i) {
      if (i > 0) add(", ");
      if (i == kMostItems || is_full()) {
        add("...");
        break;
      }
      value(nodes[i], depth + 1);
    }
    if (close == ")" && nodes.size() == 1) add(",");
    add(close);
  }

  void pairs(NodeId node, int depth) {
    const auto all = tree_.pairs(node);
    add("{");
    if (depth >= kDeepest && !all.empty()) add("...");
    for (std::size_t i = 0; i < all.size() && depth < kDeepest; ++i) {
      if (i > 0) add(", ");
      if (i == kMostItems || is_full()) {
        add("...");
        break;
      }
      value(all[i].first, depth + 1);
      add(": ");
      value(all[i].second, depth + 1);
    }
    add("}");
  }

  void object(NodeId node, int depth) {
    const std::string name = class_of(tree_, node);
    if (name.empty()) {
      add("<result of a call>");
    } else {
      escaped(name, kLongestText);
      if (depth >= kDeepest) return add("(...)");
      items(elements(tree_, tree_.args(node)), "(", "", depth);
      add(")");
    }
  }

  const Tree& tree_;
  std::string line_;
};

}  // namespace

std::string value_text(const Tree& tree, NodeId node) {
  ValueWriter writer(tree);
  writer.add("(");
  writer.value(node, 0);
  writer.add(")");
  return writer.take();
}

std::string arguments_text(const Tree& tree, NodeId arguments) {
  ValueWriter writer(tree);
  writer.arguments(arguments);
  return writer.take();
}

std::string item_text(const Tree& tree, NodeId object, NodeId key) {
  constexpr std::size_t kMostSought = 1000;
  const auto pairs = tree.pairs(object).first(std::min(tree.pairs(object).size(), kMostSought));
  const auto found = std::ranges::find(pairs, key, &std::pair<NodeId, NodeId>::first);
  ValueWriter writer(tree);
  writer.add("[");
  writer.value(key, 1);
  writer.add("]");
  if (found != pairs.end()) {
    writer.add(" = ");
    writer.value(found->second, 1);
  }
  return writer.take();
}

}  // namespace samebits
