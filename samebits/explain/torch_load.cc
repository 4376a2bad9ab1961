#include "samebits/explain/torch_load.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/base/json.h"
#include "samebits/explain/load_list.h"
#include "samebits/explain/running_statistics.h"

namespace samebits {
namespace {

constexpr const char* kLoadDocument = "samebits.torch_load/1";

using Strings = std::vector<std::string>;

/// A document whose JSON was parsed. Its reading throws where a field is absent or of another type.
class LoadReading {
 public:
  explicit LoadReading(const Json& json) : json_(json) {}

  LoadReport read(const std::vector<model::StoredShape>& tensors) const {
    LoadReport load;
    load.run_by = "transformers " + json_.at("version").get<std::string>();
    load.target = fmt::format("{}:{}", load.run_by, json_.at("class").get<std::string>());
    load.way = model::way_name(model::Way::from_pretrained);
    const LoadList target = names();
    load.target_tensors = target.names.size();
    const Strings missing = json_.at("missing").get<Strings>();
    for (const std::string& each : missing)
      (is_counter(each) ? load.counters : load.random).push_back(each);
    load.tables = json_.at("computed").get<Strings>();
    for (const Json& each : json_.at("changed")) {
      load.changed.push_back(each.at(0).get<std::string>());
      if (!each.at(1).is_null()) load.factors.insert(each.at(1).get<double>());
    }
    load.dropped = json_.at("unexpected").get<Strings>();
    for (const Json& each : json_.at("mismatched")) {
      load.mismatched.push_back(each.at(0).get<std::string>());
      load.mismatches.push_back({each.at(1).get<Shape>(), each.at(2).get<Shape>()});
    }
    load.loaded =
        load.target_tensors - missing.size() - load.tables.size() - load.mismatched.size();
    if (!json_.at("raises").is_null()) load.raises = json_.at("raises").get<std::string>();
    const bool tells_missing = json_.at("said").at("missing").get<bool>();
    load.dropped_silently = !load.dropped.empty() && !json_.at("said").at("unexpected").get<bool>();
    load.silent =
        load.raises.empty() && (load.random.empty() ? load.dropped_silently : !tells_missing);
    search(target, tensors, load);
    return load;
  }

 private:
  LoadList names() const {
    LoadList list;
    std::map<std::string, std::size_t> places;
    for (const Json& row : json_.at("names")) {
      const std::size_t i = list.names.size();
      list.names.push_back({row.at(0).get<std::string>(), row.at(1).get<Shape>()});
      places.emplace(list.names.back().name, i);
      const auto first = places.find(row.at(2).get<std::string>());
      list.one.push_back(first == places.end() ? i : first->second);
    }
    return list;
  }

  /// Counts of batches, which start at 0.
  static bool is_counter(const std::string& name) {
    return is_lone_counter(name, [](const std::string&) { return true; });
  }

  static void search(const LoadList& target, const std::vector<model::StoredShape>& tensors,
                     LoadReport& load) {
    std::set<std::string> open(load.random.begin(), load.random.end());
    open.insert(load.mismatched.begin(), load.mismatched.end());
    std::vector<bool> unfilled;
    for (const model::StoredShape& each : target.names)
      unfilled.push_back(open.contains(each.name));
    search_repair(target, unfilled, tensors, load);
  }

  const Json& json_;
};

Error no_load_document(const std::string& found) {
  return {.code = ErrorCode::malformed,
          .what = "what transformers' side answered cannot be read",
          .expected = kLoadDocument,
          .found = found,
          .hint = "Give it the samebits of this version"};
}

}  // namespace

Result<LoadReport> load_in_torch(const TorchLoad& run,
                                 const std::vector<model::StoredShape>& tensors) {
  SAMEBITS_TRY(const std::vector<std::uint8_t> document, run());
  SAMEBITS_TRY(const Json json, parse_json(document, ""));
  try {
    if (json.at("document") != kLoadDocument)
      return fail(no_load_document(json_text(json.at("document"))));
    if (!json.at("error").is_null())
      return fail({.code = ErrorCode::unsupported,
                   .what = "not loaded: " + json.at("error").get<std::string>()});
    return LoadReading(json).read(tensors);
  } catch (const Json::exception& error) {
    return fail(no_load_document(error.what()));
  }
}

}  // namespace samebits
