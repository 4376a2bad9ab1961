#include "samebits/explain/recorded_inputs.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/base/json.h"

namespace samebits {
namespace {

constexpr const char* kRecord = "samebits.record";

/// The inputs of the first call that stands in no other one; null where the file says none.
Json recorded_inputs(const Subject& subject) {
  const Json& producer = subject.checkpoint->producer;
  if (!producer.is_object()) return {};
  const auto metadata = producer.find("metadata");
  if (metadata == producer.end() || !metadata->is_object()) return {};
  const auto text = metadata->find(kRecord);
  if (text == metadata->end() || !text->is_string()) return {};
  const std::string& written = text->get_ref<const std::string&>();
  const Result<Json> record =
      parse_json({reinterpret_cast<const std::uint8_t*>(written.data()), written.size()}, "");
  if (!record || !record->is_object() || !record->contains("calls") ||
      !(*record)["calls"].is_array())
    return {};
  for (const Json& call : (*record)["calls"]) {
    if (!call.is_object() || !call.contains("within") || !call["within"].is_null()) continue;
    const Json inputs = call.value("inputs", Json());
    return inputs.is_array() ? inputs : Json();
  }
  return {};
}

/// Type, shape and digest; null of what is no object.
Json input_part(const Json& input, const char* name) {
  return input.is_object() ? input.value(name, Json()) : Json();
}

}  // namespace

std::string unlike_recorded_inputs(const Subject& a, const Subject& b) {
  const Json left = recorded_inputs(a);
  const Json right = recorded_inputs(b);
  if (left.is_null() || right.is_null()) return "";
  if (left.size() != right.size())
    return fmt::format("{} inputs and {}", left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    const Json path = input_part(left[i], "path");
    const std::string name = path.is_string() && !path.get_ref<const std::string&>().empty()
                                 ? path.get<std::string>()
                                 : fmt::format("input {}", i);
    for (const char* kind : {"dtype", "shape"}) {
      const Json x = input_part(left[i], kind);
      const Json y = input_part(right[i], kind);
      if (x != y) return fmt::format("{}: {} {} and {}", name, kind, short_json(x), short_json(y));
    }
    if (input_part(left[i], "xxh3_128") != input_part(right[i], "xxh3_128"))
      return fmt::format("{}: other values of shape {}", name,
                         short_json(input_part(left[i], "shape")));
  }
  return "";
}

}  // namespace samebits
