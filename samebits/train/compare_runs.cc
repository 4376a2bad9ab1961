#include "samebits/train/compare_runs.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/checkpoint/open.h"
#include "samebits/container/safetensors.h"
#include "samebits/family/points.h"
#include "samebits/train/run_folder.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<const char*, StepPart> kTraceParts[] = {
    {"images", StepPart::batch},        {"noise", StepPart::noise},
    {"activation.", StepPart::forward}, {"activation_gradient.", StepPart::backward},
    {"gradient.", StepPart::gradient},  {"update.", StepPart::update}};

/// Bytes of an array, and where it stands in the order of a step.
struct StepArray {
  StepPart part = StepPart::batch;
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  Bytes bytes;
};

/// The number of a pass in front of a name ("1.images"), and what follows.
std::pair<std::uint64_t, std::string> pass_of(const std::string& name) {
  std::uint64_t pass = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pass);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return {0, name};
  return {pass, std::string(end + 1, name.data() + name.size())};
}

std::optional<StepPart> part_of_array(const std::string& name) {
  const std::string own = pass_of(name).second;
  for (const auto& [start, part] : kTraceParts) {
    const bool whole = std::string_view(start).back() != '.';
    if (whole ? own == start : own.starts_with(start)) return part;
  }
  return std::nullopt;
}

/// As a step computes them: passes one after the other, then what belongs to the whole step.
bool comes_before(const StepArray& x, const StepArray& y) {
  const auto place = [](const StepArray& each) {
    const auto [pass, own] = pass_of(each.name);
    const bool whole_step = each.part >= StepPart::gradient;
    return std::tuple(whole_step, pass, each.part);
  };
  if (place(x) != place(y)) return place(x) < place(y);
  const auto point = [](const StepArray& each) {
    const std::string own = pass_of(each.name).second;
    return place_of_point(canonical_point(own.substr(own.find('.') + 1)));
  };
  const PointPlace px = point(x);
  const PointPlace py = point(y);
  if (px != py && px.is_known() && py.is_known())
    return x.part == StepPart::backward ? py < px : px < py;
  return x.name < y.name;
}

double relative_difference(const StepArray& a, const StepArray& b) {
  const FloatMode contract;
  if (a.dtype != DType::float32 || a.shape != b.shape) return 0;
  double difference = 0;
  double size = 0;
  for (std::size_t at = 0; at + sizeof(float) <= a.bytes.size(); at += sizeof(float)) {
    float x = 0;
    float y = 0;
    std::memcpy(&x, a.bytes.data() + at, sizeof(x));
    std::memcpy(&y, b.bytes.data() + at, sizeof(y));
    const double each = static_cast<double>(x) - static_cast<double>(y);
    difference += each * each;
    size += static_cast<double>(x) * static_cast<double>(x);
  }
  return size > 0 ? std::sqrt(difference / size) : 0;
}

bool same_array(const StepArray& a, const StepArray& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.bytes.size() == b.bytes.size() &&
         std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0;
}

/// The first of A's arrays, which are in order, that is another one in B.
Result<std::optional<StepDifference>> first_difference(const std::vector<StepArray>& a,
                                                       const std::vector<StepArray>& b,
                                                       const std::string& file) {
  std::map<std::string, const StepArray*> in_b;
  for (const StepArray& each : b) in_b[each.name] = &each;
  std::optional<StepDifference> found;
  std::size_t differing = 0;
  for (const StepArray& each : a) {
    const auto other = in_b.find(each.name);
    if (other == in_b.end() || a.size() != b.size())
      return fail({.code = ErrorCode::inconsistent,
                   .what = "the two do not hold the same arrays: " + each.name,
                   .file = file,
                   .expected = std::to_string(a.size()),
                   .found = std::to_string(b.size())});
    if (same_array(each, *other->second)) continue;
    ++differing;
    if (!found)
      found = {.part = each.part,
               .name = each.name,
               .relative = relative_difference(each, *other->second)};
  }
  if (found) {
    found->differing = differing;
    found->arrays = a.size();
  }
  return found;
}

/// The files of one saved step, mapped.
class SavedState {
 public:
  static Result<SavedState> open(const std::string& directory) {
    SavedState state;
    SAMEBITS_TRY_VOID(state.add(directory + "/optimizer.safetensors", true));
    SAMEBITS_TRY_VOID(state.add(directory + "/model.safetensors", false));
    const std::string path = directory + "/training.json";
    SAMEBITS_TRY(const auto file, MappedFile::open(path));
    SAMEBITS_TRY(state.json_, parse_json(file->bytes(), path));
    // Where the order of samples stands, as an array like the others.
    state.position_ =
        fmt::format("{} {}", short_of("epoch", state.json_), short_of("position", state.json_));
    return state;
  }

  const Json& json() const { return json_; }
  std::vector<StepArray> arrays() const {
    std::vector<StepArray> all = arrays_;
    all.push_back({.part = StepPart::batch,
                   .name = "position",
                   .dtype = DType::uint8,
                   .bytes = Bytes(reinterpret_cast<const std::uint8_t*>(position_.data()),
                                  position_.size())});
    std::ranges::stable_sort(all, {}, &StepArray::part);
    return all;
  }

 private:
  static std::string short_of(const char* field, const Json& json) {
    return json.is_object() && json.contains(field) ? json[field].dump() : "";
  }

  Result<void> add(const std::string& path, bool optimizer) {
    SAMEBITS_TRY(auto map, MappedFile::open(path));
    SAMEBITS_TRY(const SafetensorsFile file, SafetensorsFile::open(map->bytes(), path));
    for (const SafetensorsEntry& entry : file.entries)
      arrays_.push_back({.part = optimizer ? part_of(entry.name) : StepPart::update,
                         .name = entry.name,
                         .dtype = entry.dtype,
                         .shape = entry.shape,
                         .bytes = map->bytes().subspan(entry.begin, entry.end - entry.begin)});
    maps_.push_back(std::move(map));
    return {};
  }

  static StepPart part_of(const std::string& name) {
    if (name == "generator.order") return StepPart::batch;
    if (name == "generator.noise") return StepPart::noise;
    // The first moments take the gradient as it is.
    return name.starts_with("exp_avg.") ? StepPart::gradient : StepPart::moment;
  }

  std::vector<std::shared_ptr<const MappedFile>> maps_;
  std::vector<StepArray> arrays_;
  Json json_;
  std::string position_;
};

/// Losses as they are written, by step from 1.
std::map<std::uint64_t, std::string> losses_of(const std::string& run) {
  std::map<std::uint64_t, std::string> losses;
  std::ifstream file(run + "/metrics.csv", std::ios::binary);
  std::string row;
  while (std::getline(file, row)) {
    const std::size_t first = row.find(',');
    const std::size_t second = row.find(',', first + 1);
    std::uint64_t step = 0;
    if (second == std::string::npos) continue;
    const auto [end, error] = std::from_chars(row.data() + first + 1, row.data() + second, step);
    if (error != std::errc() || end != row.data() + second) continue;
    const std::string loss =
        row.substr(second + 1, row.find_first_of(",\r", second + 1) - second - 1);
    if (!loss.empty()) losses[step + 1] = loss;
  }
  return losses;
}

/// Steps that both directories have under such a name.
std::vector<std::uint64_t> steps_of_both(const std::string& a, const std::string& b,
                                         const std::string& start, const std::string& end) {
  const auto steps = [&](const std::string& run) {
    std::set<std::uint64_t> found;
    std::error_code error;
    for (fs::directory_iterator at(run, error), last; !error && at != last; at.increment(error)) {
      const std::string name = at->path().filename().string();
      if (!name.starts_with(start) || !name.ends_with(end)) continue;
      const std::string digits = name.substr(start.size(), name.size() - start.size() - end.size());
      std::uint64_t step = 0;
      const auto [stop, wrong] =
          std::from_chars(digits.data(), digits.data() + digits.size(), step);
      if (wrong == std::errc() && stop == digits.data() + digits.size()) found.insert(step);
    }
    return found;
  };
  const std::set<std::uint64_t> in_b = steps(b);
  std::vector<std::uint64_t> both;
  for (const std::uint64_t step : steps(a)) {
    if (in_b.contains(step)) both.push_back(step);
  }
  return both;
}

/// Options that move bits and differ, in words.
std::vector<std::string> other_options(const Json& a, const Json& b) {
  std::vector<std::string> words;
  const Json own = a.value("options", Json::object());
  const Json other = b.value("options", Json::object());
  for (const char* side : {"a", "b"}) {
    for (const auto& [name, value] : (side[0] == 'a' ? own : other).items()) {
      const bool moves_none = name == "data" || name == "validation" || name == "save_every" ||
                              name == "keep" || name == "steps";
      const bool in_both = own.contains(name) && other.contains(name);
      if (moves_none || (side[0] == 'b' && in_both)) continue;
      if (in_both && own[name] == other[name]) continue;
      const auto text = [&](const Json& options) {
        return options.contains(name) ? options[name].dump() : std::string("nothing");
      };
      words.push_back(fmt::format("{}: {} against {}", name, text(own), text(other)));
    }
  }
  return words;
}

std::string text_of_field(const Json& json, const char* field) {
  return json.is_object() && json.contains(field) ? json[field].dump() : "";
}

void compare_losses(const std::string& a, const std::string& b, RunsCompared* compared) {
  const std::map<std::uint64_t, std::string> in_b = losses_of(b);
  for (const auto& [step, loss] : losses_of(a)) {
    const auto other = in_b.find(step);
    if (other == in_b.end()) continue;
    ++compared->losses;
    if (loss == other->second || compared->loss_step) continue;
    compared->loss_step = step;
    compared->loss_a = loss;
    compared->loss_b = other->second;
  }
}

Result<void> compare_states(const std::string& a, const std::string& b, RunsCompared* compared) {
  for (const std::uint64_t step : compared->saved) {
    const std::string name = "/step-" + std::to_string(step);
    SAMEBITS_TRY(const SavedState in_a, SavedState::open(a + name));
    SAMEBITS_TRY(const SavedState in_b, SavedState::open(b + name));
    if (step == compared->saved.front()) {
      const std::string begun = text_of_field(in_a.json(), "begun_xxh3_128");
      const Json at = in_a.json().value("begun_step", Json());
      if (!begun.empty() && begun == text_of_field(in_b.json(), "begun_xxh3_128") &&
          at.is_number_unsigned())
        compared->same_beginning = at.get<std::uint64_t>();
      compared->options = other_options(in_a.json(), in_b.json());
      compared->other_data = text_of_field(in_a.json(), "data_xxh3_128") !=
                             text_of_field(in_b.json(), "data_xxh3_128");
    }
    SAMEBITS_TRY(const auto found, first_difference(in_a.arrays(), in_b.arrays(), b + name));
    if (found) {
      compared->other_state = step;
      compared->state = *found;
      return {};
    }
    compared->same_before = step;
  }
  return {};
}

Result<void> compare_traces_of(const std::string& a, const std::string& b, RunsCompared* compared) {
  for (const std::uint64_t step : compared->recorded) {
    const std::string name = fmt::format("/trace-step-{}.safetensors", step);
    SAMEBITS_TRY(const Checkpoint in_a, open_checkpoint(a + name));
    SAMEBITS_TRY(const Checkpoint in_b, open_checkpoint(b + name));
    SAMEBITS_TRY(const auto found, compare_step_traces(in_a, in_b));
    if (!found) continue;
    compared->other_trace = step;
    compared->trace = *found;
    return {};
  }
  return {};
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::vector<StepArray> arrays_of(const Checkpoint& trace) {
  std::vector<StepArray> arrays;
  for (const StoredTensor& entry : trace.entries) {
    const auto part = part_of_array(entry.path);
    if (!part || !entry.readable) continue;
    std::vector<std::uint8_t> none;  // safetensors are contiguous
    arrays.push_back({*part, entry.path, entry.view.dtype(), entry.view.shape(),
                      entry.view.row_major_bytes(none)});
  }
  std::ranges::sort(arrays, comes_before);
  return arrays;
}

}  // namespace

const char* step_part_name(StepPart part) {
  switch (part) {
    case StepPart::batch: return "batch";
    case StepPart::noise: return "noise";
    case StepPart::forward: return "forward";
    case StepPart::backward: return "backward";
    case StepPart::gradient: return "gradient";
    case StepPart::moment: return "moment";
    case StepPart::update: break;
  }
  return "update";
}

bool is_step_trace(const Checkpoint& checkpoint) {
  if (checkpoint.files.empty() || checkpoint.files[0].container != "safetensors") return false;
  bool batch = false;
  bool gradient = false;
  for (const StoredTensor& entry : checkpoint.entries) {
    const auto part = part_of_array(entry.path);
    if (!part) return false;
    batch = batch || *part == StepPart::batch;
    gradient = gradient || *part == StepPart::gradient;
  }
  return batch && gradient;
}

Result<std::optional<StepDifference>> compare_step_traces(const Checkpoint& a,
                                                          const Checkpoint& b) {
  return first_difference(arrays_of(a), arrays_of(b), b.path);
}

bool is_training_run(const std::string& path) { return newest_checkpoint(path) != path; }

std::optional<std::uint64_t> RunsCompared::first_step() const {
  std::optional<std::uint64_t> first;
  for (const auto& each : {loss_step, other_state, other_trace}) {
    if (each && (!first || *each < *first)) first = each;
  }
  return first;
}

Result<RunsCompared> compare_training_runs(const std::string& a, const std::string& b) {
  const std::string in_a = without_slash(a);
  const std::string in_b = without_slash(b);
  RunsCompared compared;
  compared.saved = steps_of_both(in_a, in_b, "step-", "");
  compared.recorded = steps_of_both(in_a, in_b, "trace-step-", ".safetensors");
  compare_losses(in_a, in_b, &compared);
  SAMEBITS_TRY_VOID(compare_states(in_a, in_b, &compared));
  SAMEBITS_TRY_VOID(compare_traces_of(in_a, in_b, &compared));
  return compared;
}

}  // namespace samebits
