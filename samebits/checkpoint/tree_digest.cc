#include "samebits/checkpoint/tree_digest.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "samebits/checkpoint/torch_tensor.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::Tree;

constexpr int kDigestDepth = 64;
constexpr std::size_t kDigestValues = 100'000;
constexpr std::size_t kDigestBytes = std::size_t{256} << 20U;

std::string hex_of(std::string_view text) {
  const Digest128 digest =
      fast_digest(Bytes{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

/// The name under which every version of Python and numpy knows it.
std::string settled_name(std::string name) {
  const auto replace = [&](std::string_view from, std::string_view to) {
    if (name.starts_with(from)) name = std::string(to) + name.substr(from.size());
  };
  replace("__builtin__.", "builtins.");
  replace("copy_reg.", "copyreg.");
  replace("numpy._core.", "numpy.core.");
  return name;
}

class DigestWalk {
 public:
  explicit DigestWalk(const Tree& tree) : tree_(tree) {}

  std::string text(NodeId node, const std::string& path, int depth) {
    if (depth > kDigestDepth || ++values_ > kDigestValues) return cut();
    if (is_tensor(tree_, node)) {
      out_.tensors.emplace_back(path, node);
      return "tensor;";
    }
    if (const auto items = set_items(tree_, node)) return "set" + unordered(*items, path, depth);
    switch (tree_.kind(node)) {
      case Kind::none: return "none;";
      case Kind::boolean: return tree_.boolean(node) ? "true;" : "false;";
      case Kind::integer:
      case Kind::extension: return fmt::format("int {};", tree_.integer(node));
      case Kind::real: return fmt::format("real {:a};", tree_.real(node));
      case Kind::text: return bytes("text", tree_.text(node));
      case Kind::bytes: return bytes("bytes", tree_.text(node));
      case Kind::big_integer: return bytes("integer", tree_.text(node));
      case Kind::list: return "list" + sequence(tree_.items(node), path, depth);
      case Kind::tuple: return "tuple" + sequence(tree_.items(node), path, depth);
      case Kind::set:
      case Kind::frozenset: break;  // above
      case Kind::dict: return "dict" + mapping(node, path, depth);
      case Kind::global: return settled_name(tree_.qualified_name(node)) + ";";
      case Kind::object: return object(node, path, depth);
      case Kind::persistent: return "storage;";
      case Kind::buffer: return cut();
    }
    return cut();
  }

  TreeDigest result(std::string_view text) {
    out_.digest = hex_of(text);
    return std::move(out_);
  }

 private:
  std::string cut() {
    out_.complete = false;
    return "...";
  }

  std::string bytes(std::string_view kind, std::string_view content) {
    bytes_ += content.size();
    if (bytes_ > kDigestBytes) return cut();
    if (content.size() <= 32) return fmt::format("{} {}:{};", kind, content.size(), content);
    return fmt::format("{} {}:{};", kind, content.size(), hex_of(content));
  }

  std::string sequence(std::span<const NodeId> items, const std::string& path, int depth) {
    std::string all = "(";
    std::size_t i = 0;
    for (const NodeId item : items) {
      if (values_ > kDigestValues) return cut();
      all += text(item, join_path(path, std::to_string(i++)), depth + 1);
    }
    return all + ")";
  }

  static std::string sorted(std::vector<std::string> parts) {
    std::sort(parts.begin(), parts.end());
    std::string all = "(";
    for (const std::string& part : parts) all += part;
    return all + ")";
  }

  std::string unordered(std::span<const NodeId> items, const std::string& path, int depth) {
    std::vector<std::string> parts;
    for (const NodeId item : items) {
      if (values_ > kDigestValues) return cut();
      parts.push_back(text(item, path, depth + 1));
    }
    return sorted(std::move(parts));
  }

  std::string mapping(NodeId node, const std::string& path, int depth) {
    std::vector<std::string> parts;
    for (const KeyValue& item : mapping_items(tree_, node)) {
      if (values_ > kDigestValues) return cut();
      parts.push_back(text(item.key_node, path, depth + 1) +
                      text(item.value, join_path(path, item.key), depth + 1));
    }
    return sorted(std::move(parts));
  }

  /// Bytes as protocol 2 writes them: _codecs.encode(text, "latin1").
  bool encoded_bytes(NodeId node, std::string* content) const {
    const auto args = elements(tree_, tree_.args(node));
    if (args.empty() || !tree_.is_global(tree_.callable(node), "_codecs", "encode") ||
        tree_.kind(args[0]) != Kind::text)
      return false;
    const std::string_view text = tree_.text(args[0]);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto lead = static_cast<std::uint8_t>(text[i]);
      if (lead < 0x80 || i + 1 == text.size()) {
        content->push_back(text[i]);
        continue;
      }
      const auto next = static_cast<std::uint8_t>(text[++i]);
      content->push_back(static_cast<char>(((lead & 0x03U) << 6U) | (next & 0x3fU)));
    }
    return true;
  }

  std::string object(NodeId node, const std::string& path, int depth) {
    std::string content;
    if (encoded_bytes(node, &content)) return bytes("bytes", content);
    if (is_mapping(tree_, node))
      return "dict " + class_of(tree_, node) + mapping(node, path, depth);
    std::string all = "object " + text(tree_.callable(node), path, depth + 1) +
                      text(tree_.args(node), path, depth + 1) +
                      text(tree_.kwargs(node), path, depth + 1);
    for (const NodeId state : tree_.states(node)) all += text(state, path, depth + 1);
    return all + sequence(tree_.items(node), path, depth);
  }

  const Tree& tree_;
  TreeDigest out_;
  std::size_t values_ = 0, bytes_ = 0;
};

}  // namespace

TreeDigest digest_of_tree(const Tree& tree, NodeId node) {
  DigestWalk walk(tree);
  const std::string text = walk.text(node, "", 0);
  return walk.result(text);
}

}  // namespace samebits
