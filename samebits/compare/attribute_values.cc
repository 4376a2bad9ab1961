#include "samebits/compare/attribute_values.h"

#include <cmath>
#include <unordered_map>

#include <fmt/format.h>

#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

constexpr std::size_t kMostLeaves = 256;
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

bool is_long(const Json& value) {
  const std::string written = text(value);
  return written.size() > kReadable || written.find("{\"$") != std::string::npos;
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
    if (found_.size() > kMostLeaves) return;
    if (a != nullptr) a = &whole(*a, sides_.a);
    if (b != nullptr) b = &whole(*b, sides_.b);
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
  using Outcome = ValueOutcome;
  using Members = std::unordered_map<std::string_view, const Json*>;

  /// A value that stands in many places, in the place of its number.
  static const Json& whole(const Json& value, const Checkpoint& side) {
    const Json* number = tag(value, "$shared");
    return number == nullptr ? value : side.attribute_shared.at(number->get<std::size_t>());
  }

  static Members members(const Json& object) {
    Members result;
    for (const auto& [name, value] : object.get_ref<const Json::object_t&>())
      result.emplace(name, &value);
    return result;
  }

  void add(const Json* a, const Json* b, const std::string& path, bool comparable) {
    if (found_.size() == kMostLeaves) {
      found_.push_back({"", "more values that differ", "more values that differ", false});
      return;
    }
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
    if (descend_pairs(a, b, path, level)) return true;
    const bool lists = a.is_array() && b.is_array() && a.size() == b.size();
    if (!lists || (text(a).size() <= kReadable && !a.empty() && a[0].is_primitive())) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
      compare(&a[i], &b[i], fmt::format("{}[{}]", path, i), level + 1);
    return true;
  }

  /// Dicts whose keys are not all texts: where the keys are the same numbers and texts.
  bool descend_pairs(const Json& a, const Json& b, const std::string& path, std::uint32_t level) {
    const Json* left = tag(a, "$pairs");
    const Json* right = tag(b, "$pairs");
    if (left == nullptr || right == nullptr || left->size() != right->size()) return false;
    for (std::size_t i = 0; i < left->size(); ++i) {
      const Json& key = (*left)[i][0];
      if (!key.is_primitive() || key != (*right)[i][0]) return false;
    }
    for (std::size_t i = 0; i < left->size(); ++i)
      compare(&(*left)[i][1], &(*right)[i][1], fmt::format("{}[{}]", path, text((*left)[i][0])),
              level + 1);
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
    if (!is_tagged(a) && !has_one_order(a, b)) add_order(a, b, path);
  }

  /// Of the names that both have.
  static bool has_one_order(const Json& a, const Json& b) {
    const Members left = members(a);
    const Members right = members(b);
    const auto& others = b.get_ref<const Json::object_t&>();
    auto next = others.begin();
    for (const auto& [name, value] : a.get_ref<const Json::object_t&>()) {
      if (!right.contains(name)) continue;
      while (next != others.end() && !left.contains(next->first)) ++next;
      if (next == others.end() || next->first != name) return false;
      ++next;
    }
    return true;
  }

  void add_order(const Json& a, const Json& b, const std::string& path) {
    const auto names = [](const Json& object) {
      Json list = Json::array();
      for (const auto& [name, value] : object.get_ref<const Json::object_t&>())
        list.push_back(name);
      return list;
    };
    const Json left = names(a);
    const Json right = names(b);
    add(&left, &right, path + ".order", true);
  }

  Outcome equal(const Json& a, const Json& b, std::uint32_t level) {
    if (level >= kMostLevels) return Outcome::unknown;
    if (tag(a, "$shared") != nullptr || tag(b, "$shared") != nullptr)
      return equal_shared(a, b, level);
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
    const bool one_sign = !a.is_number_float() || !b.is_number_float() ||
                          std::signbit(a.get<double>()) == std::signbit(b.get<double>());
    return a == b && one_sign ? Outcome::same : Outcome::different;
  }

  Outcome equal_shared(const Json& a, const Json& b, std::uint32_t level) {
    const Json* left = tag(a, "$shared");
    const Json* right = tag(b, "$shared");
    if (left == nullptr || right == nullptr)
      return equal(whole(a, sides_.a), whole(b, sides_.b), level);
    const std::pair numbers(left->get<std::size_t>(), right->get<std::size_t>());
    if (const auto known = sides_.shared.find(numbers); known != sides_.shared.end())
      return known->second;
    const Outcome outcome = equal(whole(a, sides_.a), whole(b, sides_.b), level);
    sides_.shared.emplace(numbers, outcome);
    return outcome;
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
    if (!is_tagged(a) && !has_one_order(a, b)) return Outcome::different;
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

  Json shown(const Json& stored, const Checkpoint& side) const {
    const Json& value = whole(stored, side);
    if (value.is_null()) return "None";  // null is for what is not there
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
      if (const Json* call = tag(value, "$call"))
        return "what a call gives of " + text(shown(*call, side));
      const std::string name = text(*type);
      const bool array = name.starts_with("numpy.") && name.ends_with("_reconstruct");
      if (array) return "numpy array";
      const Json* args = tag(value, "$args");
      const std::string given = args == nullptr ? "" : text(*args);
      return given.size() > 2 && given.size() <= kReadable && given.find('$') == std::string::npos
                 ? name + "(" + given.substr(1, given.size() - 2) + ")"
                 : name;
    }
    if (const Json* pairs = tag(value, "$pairs")) return shown_pairs(*pairs, side);
    if (value.is_structured() && is_long(value)) return fmt::format("{} entries", value.size());
    return value.is_string() && text(value).size() > kReadable
               ? Json(fmt::format("{} characters", text(value).size()))
               : value;
  }

  Json shown_pairs(const Json& pairs, const Checkpoint& side) const {
    std::string written;
    for (const Json& pair : pairs) {
      if (written.size() > kReadable) return fmt::format("{} entries", pairs.size());
      written += fmt::format("{}{}: {}", written.empty() ? "" : ", ",
                             shown(pair[0], side).dump(-1, ' ', false, kReplace),
                             shown(pair[1], side).dump(-1, ' ', false, kReplace));
    }
    return "{" + written + "}";
  }

  static constexpr auto kReplace = Json::error_handler_t::replace;
  const ValueSides& sides_;
  std::vector<ValueDifference> found_;
};

}  // namespace

std::vector<ValueDifference> compare_values(const Json* a, const Json* b, const ValueSides& sides) {
  Values values(sides);
  values.compare(a, b, "", 0);
  return values.take();
}

bool is_one_size(const Json& left, const Json& right) {
  if (left.is_array() == right.is_array()) return false;
  const Json& one = left.is_array() ? right : left;
  const Json& both = left.is_array() ? left : right;
  return one.is_number() && !both.empty() &&
         std::ranges::all_of(both, [&](const Json& value) { return value == one; });
}

}  // namespace samebits
