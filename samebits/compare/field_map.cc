#include "samebits/compare/field_map.h"

#include <algorithm>
#include <utility>

#include "samebits/base/limits.h"

namespace samebits {
namespace {

constexpr std::size_t kShownMembers = 16;
constexpr std::size_t kShownCharacters = 200;

using Members = std::map<std::string_view, const Json*>;

Members members_of(const Json& object) {
  Members members;
  for (const auto& [name, value] : object.items()) members[name] = &value;
  return members;
}

bool same_at(const Json& a, const Json& b, std::uint32_t depth) {
  if (depth > kLimits.json_depth) return false;
  if (a.is_array() && b.is_array()) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](const Json& x, const Json& y) { return same_at(x, y, depth + 1); });
  }
  if (a.is_object() && b.is_object()) {
    const Members left = members_of(a);
    const Members right = members_of(b);
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](const auto& x, const auto& y) {
                        return x.first == y.first && same_at(*x.second, *y.second, depth + 1);
                      });
  }
  return a == b;
}

/// Leaves under dotted names. An empty object has none, which is what an absent one means too.
FieldMap flatten(const FieldMap& fields) {
  struct Pending {
    std::string name;
    const Json* value;
    bool assumed;
    std::uint32_t depth;
  };
  std::vector<Pending> pending;
  for (const auto& [name, field] : fields)
    pending.push_back({name, &field.value, field.assumed, 0});
  FieldMap flat;
  while (!pending.empty()) {
    Pending item = std::move(pending.back());
    pending.pop_back();
    if (!item.value->is_object() || item.depth >= kLimits.json_depth) {
      flat.insert_or_assign(std::move(item.name), FieldValue{*item.value, item.assumed});
      continue;
    }
    for (const auto& [name, value] : item.value->items()) {
      if (!value.is_null())
        pending.push_back({item.name + "." + name, &value, item.assumed, item.depth + 1});
    }
  }
  return flat;
}

/// A default of null, on a side that does not state the field, is what the other side's silence
/// means.
bool is_silence(const FieldValue& value) { return value.assumed && value.value.is_null(); }

Json shown(const Json& value) {
  if (value.is_structured() && value.size() > kShownMembers)
    return std::to_string(value.size()) + " entries";
  if (value.is_string() && value.get_ref<const std::string&>().size() > kShownCharacters)
    return std::to_string(value.get_ref<const std::string&>().size()) + " characters";
  return value;
}

void show_side(const FieldValue* field, Json& value, bool& missing, std::string& why) {
  missing = field == nullptr || field->assumed;
  if (!missing) value = shown(field->value);
  if (field != nullptr && field->assumed)
    why += (why.empty() ? "absent means " : "; absent means ") + json_text(shown(field->value));
}

FieldDifference difference(const std::string& name, const FieldValue* a, const FieldValue* b,
                           const FieldJudge& judge) {
  FieldJudgement judgement = judge(name);
  FieldDifference result{.field = name, .effect = judgement.effect};
  result.why = std::move(judgement.why);
  show_side(a, result.a, result.missing_a, result.why);
  show_side(b, result.b, result.missing_b, result.why);
  return result;
}

}  // namespace

FieldMap fields_of(const Json& object) {
  FieldMap fields;
  if (!object.is_object()) return fields;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_null()) fields.insert_or_assign(name, FieldValue{value, false});
  }
  return fields;
}

const Json* find_value(const FieldMap& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? nullptr : &found->second.value;
}

std::string text_of(const FieldMap& fields, std::string_view name) {
  const Json* value = find_value(fields, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

void assume(FieldMap& fields, std::string_view name, Json value) {
  fields.try_emplace(std::string(name), FieldValue{std::move(value), true});
}

void rename_field(FieldMap& fields, std::string_view from, std::string_view to) {
  const auto found = fields.find(from);
  if (found == fields.end()) return;
  FieldValue value = std::move(found->second);
  fields.erase(found);
  fields.try_emplace(std::string(to), std::move(value));
}

bool same_value(const Json& a, const Json& b) { return same_at(a, b, 0); }

std::vector<FieldDifference> compare_fields(const FieldMap& a, const FieldMap& b,
                                            const FieldJudge& judge) {
  const FieldMap left = flatten(a);
  const FieldMap right = flatten(b);
  std::vector<FieldDifference> differences;
  for (const auto& [name, value] : left) {
    const auto other = right.find(name);
    if (other == right.end()) {
      if (!is_silence(value)) differences.push_back(difference(name, &value, nullptr, judge));
    } else if (!same_value(value.value, other->second.value)) {
      differences.push_back(difference(name, &value, &other->second, judge));
    }
  }
  for (const auto& [name, value] : right) {
    if (left.find(name) == left.end() && !is_silence(value))
      differences.push_back(difference(name, nullptr, &value, judge));
  }
  std::sort(differences.begin(), differences.end(),
            [](const FieldDifference& x, const FieldDifference& y) {
              return std::pair(x.effect != FieldEffect::outputs, std::string_view(x.field)) <
                     std::pair(y.effect != FieldEffect::outputs, std::string_view(y.field));
            });
  return differences;
}

}  // namespace samebits
