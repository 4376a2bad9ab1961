#include "samebits/compare/attribute_values.h"

#include <unordered_map>

#include <fmt/format.h>

#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

constexpr std::size_t kMostLeaves = 16;
constexpr std::size_t kReadable = 80;
constexpr std::uint32_t kMostLevels = 100;

const Json* tag(const Json& value, const char* name) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(name);
  return found == value.end() ? nullptr : &*found;
}

std::string text(const Json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_tagged(const Json& value) {
  return value.is_object() && !value.empty() && value.begin().key().starts_with('$');
}

/// Its members may be named one by one: a dict, or an object of a class that is no array.
bool has_members(const Json& value) {
  if (!value.is_object()) return false;
  if (!is_tagged(value)) return true;
  const Json* type = tag(value, "$class");
  return type != nullptr && !text(*type).starts_with("numpy.") && tag(value, "$call") == nullptr;
}

class Values {
 public:
  explicit Values(const ValueSides& sides) : sides_(sides) {}

  void compare(const Json* a, const Json* b, const std::string& path, std::uint32_t level) {
    if (found_.size() >= kMostLeaves) return;
    if (a != nullptr && b != nullptr) {
      const Outcome outcome = equal(*a, *b, level);
      if (outcome == Outcome::same) return;
      if (descend(*a, *b, path, level)) return;
      return add(a, b, path, outcome == Outcome::different);
    }
    if (a != nullptr || b != nullptr) add(a, b, path, true);
  }

  std::vector<ValueDifference> take() { return std::move(found_); }

 private:
  enum class Outcome { same, different, unknown };
  using Members = std::unordered_map<std::string_view, const Json*>;

  static Members members(const Json& object) {
    Members result;
    for (const auto& [name, value] : object.get_ref<const Json::object_t&>())
      result.emplace(name, &value);
    return result;
  }

  void add(const Json* a, const Json* b, const std::string& path, bool comparable) {
    Json left = a == nullptr ? Json() : shown(*a, sides_.a);
    Json right = b == nullptr ? Json() : shown(*b, sides_.b);
    if (a != nullptr && b != nullptr && comparable && left == right && left.is_string())
      right = right.get<std::string>() + " of other values";
    found_.push_back({path, std::move(left), std::move(right), comparable});
  }

  bool descend(const Json& a, const Json& b, const std::string& path, std::uint32_t level) {
    if (level >= kMostLevels) return false;
    if (has_members(a) && has_members(b)) {
      if (is_tagged(a) != is_tagged(b)) return false;
      const Json* type_a = tag(a, "$class");
      const Json* type_b = tag(b, "$class");
      if (type_a != nullptr && type_b != nullptr && *type_a != *type_b) return false;
      descend_members(a, b, path, level);
      return true;
    }
    const bool lists = a.is_array() && b.is_array() && a.size() == b.size();
    if (!lists || (text(a).size() <= kReadable && !a.empty() && a[0].is_primitive())) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
      compare(&a[i], &b[i], fmt::format("{}[{}]", path, i), level + 1);
    return true;
  }

  void descend_members(const Json& a, const Json& b, const std::string& path, std::uint32_t level) {
    const Members left = members(a);
    const Members right = members(b);
    const auto below = [&](std::string_view name) {
      if (name == "$items") return path;  // of a mapping that is an object
      return path + "." + std::string(name.starts_with('$') ? name.substr(1) : name);
    };
    for (const auto& [name, value] : a.get_ref<const Json::object_t&>()) {
      const auto other = right.find(name);
      compare(&value, other == right.end() ? nullptr : other->second, below(name), level + 1);
    }
    for (const auto& [name, value] : b.get_ref<const Json::object_t&>()) {
      if (!left.contains(name)) compare(nullptr, &value, below(name), level + 1);
    }
  }

  Outcome equal(const Json& a, const Json& b, std::uint32_t level) {
    if (level >= kMostLevels) return Outcome::unknown;
    if (tag(a, "$opaque") != nullptr || tag(b, "$opaque") != nullptr) return Outcome::unknown;
    if (tag(a, "$data") != nullptr && tag(b, "$data") != nullptr) return equal_data(a, b);
    for (const char* place : {"$module", "$registered"}) {
      const Json* left = tag(a, place);
      const Json* right = tag(b, place);
      if (left != nullptr && right != nullptr)
        return sides_.same_place(text(*left), text(*right)) ? Outcome::same : Outcome::different;
    }
    if (a.is_array() && b.is_array()) {
      if (a.size() != b.size()) return Outcome::different;
      Outcome all = Outcome::same;
      for (std::size_t i = 0; i < a.size() && all != Outcome::different; ++i)
        all = worse(all, equal(a[i], b[i], level + 1));
      return all;
    }
    if (a.is_object() && b.is_object()) return equal_objects(a, b, level);
    return a == b ? Outcome::same : Outcome::different;
  }

  Outcome equal_objects(const Json& a, const Json& b, std::uint32_t level) {
    if (a.size() != b.size()) return Outcome::different;
    const Members right = members(b);
    Outcome all = Outcome::same;
    for (const auto& [name, value] : a.get_ref<const Json::object_t&>()) {
      const auto other = right.find(name);
      if (other == right.end()) return Outcome::different;
      all = worse(all, equal(value, *other->second, level + 1));
      if (all == Outcome::different) break;
    }
    return all;
  }

  static Outcome worse(Outcome a, Outcome b) {
    if (a == Outcome::different || b == Outcome::different) return Outcome::different;
    return a == Outcome::unknown ? a : b;
  }

  const TensorView& data(const Json& value, const Checkpoint& side) const {
    return side.attribute_data.at(value["$data"].get<std::size_t>());
  }

  Outcome equal_data(const Json& a, const Json& b) const {
    if (text(a["$is"]) != text(b["$is"])) return Outcome::different;
    const bool same = fast_digest(data(a, sides_.a)) == fast_digest(data(b, sides_.b));
    return same ? Outcome::same : Outcome::different;
  }

  Json shown(const Json& value, const Checkpoint& side) const {
    if (const Json* name = tag(value, "$name")) return *name;
    if (const Json* is = tag(value, "$is")) {
      if (tag(value, "$data") == nullptr) return *is;
      const std::uint64_t digest = fast_digest(data(value, side)).high;
      return fmt::format("{} ({:08x}...)", text(*is), digest >> 32);
    }
    if (const Json* why = tag(value, "$opaque")) return *why;
    if (const Json* module = tag(value, "$module")) return "the module " + text(*module);
    if (const Json* tensor = tag(value, "$registered")) return "the tensor " + text(*tensor);
    if (const Json* type = tag(value, "$class")) {
      const std::string name = text(*type);
      const bool array = name.starts_with("numpy.") && name.ends_with("_reconstruct");
      if (array) return "numpy array";
      const Json* args = tag(value, "$args");
      const std::string given = args == nullptr ? "" : text(*args);
      return given.size() > 2 && given.size() <= kReadable && given.find('$') == std::string::npos
                 ? name + "(" + given.substr(1, given.size() - 2) + ")"
                 : name;
    }
    if (value.is_structured() && text(value).size() > kReadable)
      return fmt::format("{} entries", value.size());
    return value.is_string() && text(value).size() > kReadable
               ? Json(fmt::format("{} characters", text(value).size()))
               : value;
  }

  const ValueSides& sides_;
  std::vector<ValueDifference> found_;
};

}  // namespace

std::vector<ValueDifference> compare_values(const Json* a, const Json* b, const ValueSides& sides) {
  Values values(sides);
  values.compare(a, b, "", 0);
  return values.take();
}

}  // namespace samebits
