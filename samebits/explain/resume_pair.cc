#include "samebits/explain/resume_pair.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/subjects.h"
#include "samebits/rng/cpu_generator.h"

namespace samebits {
namespace {

// Of settings that may differ from run to run of one training.
constexpr std::array kFreeSettings = std::to_array<std::string_view>(
    {"dir",   "path",       "resume", "name",   "log",    "save",  "device",
     "rank",  "world",      "port",   "host",   "worker", "time",  "date",
     "print", "checkpoint", "start_", "output", "wandb",  "report"});
// Of schedules: what moves as they are stepped.
constexpr std::array kMovingFields = std::to_array<std::string_view>(
    {"last_epoch", "_step_count", "_last_lr", "best", "num_bad_epochs", "cooldown_counter", "T_cur",
     "T_i", "_get_lr_called_within_step", "_get_lr_called_within", "_is_initial",
     "total_steps_done"});

bool may_differ(const std::string& key) {
  return std::ranges::any_of(
      kFreeSettings, [&](std::string_view part) { return key.find(part) != std::string::npos; });
}

Finding mixup(std::string summary) {
  return {.cause = "file.mixup",
          .role = Role::risk,
          .proof = Proof::observed,
          .subjects = {"A", "B"},
          .summary = std::move(summary)};
}

struct FieldChanges {
  Json fields = Json::object();
  void add(const std::string& name, const Json& a, const Json& b) {
    if (a != b) fields[name] = Json::array({a, b});
  }
  void add_object(const std::string& path, const Json& a, const Json& b,
                  bool (*is_free)(const std::string&)) {
    std::set<std::string> keys;
    for (const Json* side : {&a, &b})
      for (const auto& [key, value] : side->items()) keys.insert(key);
    for (const std::string& key : keys) {
      const Json left = a.contains(key) ? a[key] : Json();
      const Json right = b.contains(key) ? b[key] : Json();
      const std::string name = path.empty() ? key : path + "." + key;
      if (is_free(key)) continue;
      if (left.is_object() && right.is_object())
        add_object(name, left, right, is_free);
      else
        add(name, left, right);
    }
  }
};

bool is_moving_field(const std::string& key) {
  return std::ranges::find(kMovingFields, key) != kMovingFields.end();
}
bool is_rate(const std::string& key) { return key == "lr" || key == "d" || key == "k"; }

/// None and what is not there are not told apart.
std::string value_text(const Json& value) { return value.is_null() ? "none" : json_text(value); }

void find_changed_fields(Report& report, const FieldChanges& changes, const char* what,
                         const char* remedy) {
  if (changes.fields.empty()) return;
  Finding finding{.cause = "config.changed",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {"A", "B"}};
  std::vector<std::string> names;
  for (const auto& [name, values] : changes.fields.items()) {
    names.push_back(name);
    finding.details.push_back(
        fmt::format("{}: A {}, B {}", name, value_text(values[0]), value_text(values[1])));
  }
  finding.summary = fmt::format("A and B have other {}: {}", what, some_of(names));
  finding.evidence = {{"fields", changes.fields}};
  finding.remedy = remedy;
  add_finding(report, std::move(finding));
}

std::map<std::string, const StoredTensor*> weights_by_name(const Checkpoint& checkpoint) {
  std::map<std::string, const StoredTensor*> weights;
  if (!checkpoint.has_weights()) return weights;
  for (const std::uint32_t index : checkpoint.weights().weights)
    weights[checkpoint.entries[index].name] = &checkpoint.entries[index];
  return weights;
}

bool equal_bytes(const StoredTensor& a, const StoredTensor& b) {
  constexpr std::uint64_t kBlock = 1u << 16;
  std::vector<std::uint8_t> left;
  std::vector<std::uint8_t> right;
  for (std::uint64_t first = 0; first < a.view.numel(); first += kBlock) {
    const std::uint64_t count = std::min(kBlock, a.view.numel() - first);
    if (!std::ranges::equal(a.view.row_major_range(first, count, left),
                            b.view.row_major_range(first, count, right)))
      return false;
  }
  return true;
}

struct WeightRelation {
  std::vector<std::string> unlike;  // in one only, or of another shape or type
  bool comparable = false, identical = true;
};

WeightRelation relate_weights(const Checkpoint& a, const Checkpoint& b) {
  WeightRelation relation;
  const auto left = weights_by_name(a);
  const auto right = weights_by_name(b);
  relation.comparable = !left.empty() && !right.empty();
  for (const auto& [name, tensor] : left) {
    const auto other = right.find(name);
    const bool alike = other != right.end() &&
                       tensor->view.shape() == other->second->view.shape() &&
                       tensor->view.dtype() == other->second->view.dtype();
    if (!alike) {
      relation.unlike.push_back(name);
    } else if (!tensor->readable || !other->second->readable) {
      relation.comparable = false;
    } else if (relation.identical) {
      relation.identical = equal_bytes(*tensor, *other->second);
    }
  }
  for (const auto& [name, tensor] : right) {
    if (!left.contains(name)) relation.unlike.push_back(name);
  }
  return relation;
}

void find_other_parameters(Report& report, const WeightRelation& weights) {
  if (weights.unlike.empty() || !weights.comparable) return;
  Finding finding = mixup(
      fmt::format("B is no continuation of A: {} in one of them only, or of another shape or type",
                  counted(weights.unlike.size(), "parameter", "is", "are")));
  finding.details.push_back(some_of(weights.unlike));
  finding.evidence = {{"parameters", name_list(weights.unlike)}};
  add_finding(report, std::move(finding));
}

void find_count_faults(Report& report, const ResumeFacts& a, const ResumeFacts& b,
                       const WeightRelation& weights) {
  const bool use_steps = a.step && b.step;
  const std::optional<double> from = use_steps ? a.step : a.epoch;
  const std::optional<double> to = use_steps ? b.step : b.epoch;
  if (!from || !to) {
    const bool counted = a.optimizer_step() && b.optimizer_step();
    add_gap(report, "whether B stands after A: one of them counts no steps",
            counted ? Gap::aside : Gap::blocking);
    return;
  }
  const std::string counts = fmt::format("A says {}, B {}", use_steps ? a.step_text : a.epoch_text,
                                         use_steps ? b.step_text : b.epoch_text);
  if (*to == *from && weights.comparable && weights.identical && weights.unlike.empty()) {
    Finding same{.cause = "file.mixup",
                 .role = Role::note,
                 .proof = Proof::observed,
                 .subjects = {"A", "B"},
                 .summary = "A and B stand at one step, " + counts +
                            ", and every bit of their weights is equal"};
    same.evidence = {{"from", *from}, {"to", *to}};
    return add_finding(report, std::move(same));
  }
  std::string summary;
  if (*to < *from) {
    summary = "B stands before A: " + counts;
  } else if (use_steps && *to == *from && !weights.identical) {
    summary = "A and B are two states of one step: " + counts + ", and their weights differ";
  } else if (*to > *from && weights.identical && weights.unlike.empty() && weights.comparable) {
    summary = "the count went on, and not one bit of the weights changed: " + counts;
  }
  if (summary.empty()) return;
  Finding finding = mixup(std::move(summary));
  finding.evidence = {{"from", *from}, {"to", *to}};
  add_finding(report, std::move(finding));
}

/// What an optimizer keeps of its parameters, by name.
std::set<std::string> kept_state(const OptimizerState& optimizer) {
  std::set<std::string> names;
  for (const ParameterState& parameter : optimizer.parameters)
    for (const auto& [name, entry] : parameter.tensors)
      if (name != "step") names.insert(name);
  return names;
}

/// The state of one is nothing to the other. True where it was said.
bool find_other_optimizer(Report& report, const ResumeFacts& a, const ResumeFacts& b) {
  if (a.state.optimizers.empty() || b.state.optimizers.empty()) return false;
  const OptimizerState &left = a.state.optimizers[0], &right = b.state.optimizers[0];
  const std::set<std::string> kept_a = kept_state(left), kept_b = kept_state(right);
  if (kept_a.empty() || kept_b.empty() || kept_a == kept_b) return false;
  const auto described = [](const OptimizerState& optimizer, const std::set<std::string>& kept) {
    return fmt::format("{}{} of each parameter",
                       optimizer.kind().empty() ? "" : optimizer.kind() + ", ",
                       fmt::join(kept, ", "));
  };
  Finding finding{.cause = "config.changed",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {"A", "B"}};
  finding.summary =
      "A and B have two kinds of optimizers, and the state of one is of no use to the other";
  finding.details = {"A: " + described(left, kept_a), "B: " + described(right, kept_b)};
  finding.evidence = {
      {"fields",
       {{left.place + ".state", Json::array({name_list({kept_a.begin(), kept_a.end()}),
                                             name_list({kept_b.begin(), kept_b.end()})})}}}};
  add_finding(report, std::move(finding));
  return true;
}

/// How often the first schedule was stepped.
std::optional<double> schedule_count(const ResumeFacts& facts) {
  if (facts.state.schedulers.empty() || !facts.state.schedulers[0].values.is_object())
    return std::nullopt;
  const Json& values = facts.state.schedulers[0].values;
  const auto found = values.find("last_epoch");
  return found != values.end() && found->is_number() ? std::optional(found->get<double>())
                                                     : std::nullopt;
}

std::optional<std::string> loop_counts(const ResumeFacts& a, const ResumeFacts& b) {
  if (a.step && b.step) return fmt::format("the loops count {} and {}", a.step_text, b.step_text);
  if (a.epoch && b.epoch)
    return fmt::format("the loops count {} and {}", a.epoch_text, b.epoch_text);
  return std::nullopt;
}

/// Whether B's count is above A's.
bool grew(const std::optional<double>& from, const std::optional<double>& to) {
  return from && to && *to > *from;
}

/// The optimizer's own steps must go on as the loop's do.
void find_new_moments(Report& report, const ResumeFacts& a, const ResumeFacts& b, NewStart start) {
  if (start == NewStart::none || find_other_optimizer(report, a, b)) return;
  const double from = *a.optimizer_step();
  const auto to = b.optimizer_step();
  Finding finding{.cause = "resume.missing",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {"A", "B"}};
  const bool with_schedule = start == NewStart::optimizer_and_schedule;
  if (to)
    finding.summary = fmt::format(
        "B's optimizer {} go on from A's: it stands at step {}, A's at {}",
        with_schedule ? "and schedule did not" : "did not", count_text(*to), count_text(from));
  else
    finding.summary = "B has no optimizer steps, and A's optimizer made " + count_text(from);
  if (const auto loops = loop_counts(a, b)) finding.details.push_back(*loops);
  if (with_schedule)
    finding.details.push_back(fmt::format("the schedules stand at {} and {}",
                                          count_text(*schedule_count(a)),
                                          count_text(*schedule_count(b))));
  finding.evidence = {{"missing", {"optimizer moments"}},
                      {"present", Json::array()},
                      {"from", from},
                      {"to", to ? Json(*to) : Json()}};
  if (with_schedule) finding.evidence["missing"].push_back("scheduler");
  finding.remedy = with_schedule
                       ? "Load A's states of optimizer and schedule when B is started from it"
                       : "Load A's optimizer state when B is started from it";
  add_finding(report, std::move(finding));
}

/// What tells a group from the others: its options but for rates, and how many parameters it has.
std::string group_identity(const ParameterGroup& group) {
  Json options = Json::object();
  for (const auto& [name, value] : group.options.items())
    if (!is_rate(name) && name != "initial_lr") options[name] = value;
  return fmt::format("{} {}", group.keys.size(), options.dump());
}

/// Place in A of each group of B, where B has the same groups in another order.
std::optional<std::vector<std::size_t>> other_order(const OptimizerState& a,
                                                    const OptimizerState& b) {
  if (a.groups.size() != b.groups.size()) return std::nullopt;
  std::map<std::string, std::vector<std::size_t>> places;
  for (std::size_t g = a.groups.size(); g-- > 0;) places[group_identity(a.groups[g])].push_back(g);
  std::vector<std::size_t> order;
  bool moved = false;
  for (std::size_t g = 0; g < b.groups.size(); ++g) {
    std::vector<std::size_t>& left = places[group_identity(b.groups[g])];
    if (left.empty()) return std::nullopt;
    order.push_back(left.back());
    left.pop_back();
    moved = moved || order.back() != g;
  }
  return moved ? std::optional(order) : std::nullopt;
}

bool find_moved_groups(Report& report, const OptimizerState& a, const OptimizerState& b) {
  const auto order = other_order(a, b);
  if (!order) return false;
  Finding finding =
      mixup(fmt::format("the groups of the optimizer ({}) stand in another order in B", a.place));
  for (std::size_t g = 0; g < order->size(); ++g) {
    if ((*order)[g] != g && finding.details.size() < 5)
      finding.details.push_back(fmt::format("group {} of B is group {} of A", g, (*order)[g]));
  }
  finding.details.emplace_back(
      "load_state_dict assigns moments and rates by place: with A's state parameters get those of "
      "others (torch 2.13.0)");
  finding.evidence = {{"optimizer", a.place}, {"order", *order}};
  finding.remedy = "Build the optimizer with its groups in A's order";
  add_finding(report, std::move(finding));
  return true;
}

/// Rates move with a schedule; without one in the files something else moved them.
void note_rates(Report& report, const ResumeFacts& a, const ResumeFacts& b,
                const OptimizerState& left, const OptimizerState& right) {
  if (!a.state.schedulers.empty() || !b.state.schedulers.empty()) return;
  Finding finding{.cause = "config.changed",
                  .role = Role::note,
                  .proof = Proof::observed,
                  .subjects = {"A", "B"}};
  Json fields = Json::object();
  for (std::size_t g = 0; g < std::min(left.groups.size(), right.groups.size()); ++g) {
    const Json from = left.groups[g].options.value("lr", Json());
    const Json to = right.groups[g].options.value("lr", Json());
    if (from == to) continue;
    fields[fmt::format("{}.param_groups.{}.lr", left.place, g)] = Json::array({from, to});
    if (finding.details.size() < 5)
      finding.details.push_back(
          fmt::format("group {}: A {}, B {}", g, value_text(from), value_text(to)));
  }
  if (fields.empty()) return;
  finding.summary = fmt::format(
      "other learning rates in {}, and no schedule stands in the files that would move them",
      counted(fields.size(), "group"));
  finding.evidence = {{"fields", std::move(fields)}};
  add_finding(report, std::move(finding));
}

/// torch's schedules leave initial_lr in the groups that they drive: where one side has none, that
/// is no hyper-parameter but the trace of a schedule.
Json without_trace(const ParameterGroup& own, const ParameterGroup& other) {
  Json options = own.options;
  if (!other.options.contains("initial_lr")) options.erase("initial_lr");
  return options;
}

bool has_trace_of_schedule(const ResumeFacts& facts) {
  return std::ranges::any_of(facts.state.optimizers, &OptimizerState::shows_a_schedule);
}

/// A schedule drove the optimizer of one side alone.
bool find_lone_schedule(Report& report, const ResumeFacts& a, const ResumeFacts& b) {
  const bool of_a = has_trace_of_schedule(a);
  const bool both_known = !a.state.optimizers.empty() && !b.state.optimizers.empty();
  if (!both_known || of_a == has_trace_of_schedule(b)) return false;
  const bool other_has = !(of_a ? b : a).state.schedulers.empty();
  if (other_has) return false;  // ReduceLROnPlateau leaves no trace
  Finding finding{.cause = "config.changed",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {"A", "B"}};
  finding.summary = fmt::format("a schedule drove {}'s optimizer, and none drove {}'s",
                                of_a ? "A" : "B", of_a ? "B" : "A");
  finding.details.emplace_back(
      "the groups of one side have initial_lr, which torch's schedules leave, but for "
      "ReduceLROnPlateau");
  finding.evidence = {
      {"fields", {{"schedules", {a.state.schedulers.size(), b.state.schedulers.size()}}}}};
  finding.remedy = of_a ? "Build B's schedule as A's was built, and load A's state into it"
                        : "Look whether B was meant to have a schedule that A had not";
  add_finding(report, std::move(finding));
  return true;
}

void find_optimizer_changes(Report& report, const ResumeFacts& a, const ResumeFacts& b) {
  const auto& left = a.state.optimizers;
  const auto& right = b.state.optimizers;
  if (left.empty() || right.empty()) return;
  FieldChanges changes;
  changes.add("optimizers", left.size(), right.size());
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    const std::string place = left[i].place;
    changes.add(place + ".groups", left[i].groups.size(), right[i].groups.size());
    changes.add(place + ".parameters", left[i].listed(), right[i].listed());
    if (find_moved_groups(report, left[i], right[i])) continue;
    note_rates(report, a, b, left[i], right[i]);
    for (std::size_t g = 0; g < std::min(left[i].groups.size(), right[i].groups.size()); ++g)
      changes.add_object(fmt::format("{}.param_groups.{}", place, g),
                         without_trace(left[i].groups[g], right[i].groups[g]),
                         without_trace(right[i].groups[g], left[i].groups[g]), is_rate);
  }
  find_changed_fields(report, changes, "hyper-parameters",
                      "Build B's optimizer with A's values before its state is loaded, unless they "
                      "were meant to change");
}

void find_schedule_changes(Report& report, const ResumeFacts& a, const ResumeFacts& b,
                           NewStart start) {
  const auto& left = a.state.schedulers;
  const auto& right = b.state.schedulers;
  const bool is_said = find_lone_schedule(report, a, b);
  if (left.empty() && right.empty()) return;
  FieldChanges changes;
  if (!is_said) changes.add("schedules", left.size(), right.size());
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    if (!left[i].values.is_object() || !right[i].values.is_object()) continue;
    changes.add_object(left[i].place, left[i].values, right[i].values, is_moving_field);
    const Json from = left[i].values.value("last_epoch", Json());
    const Json to = right[i].values.value("last_epoch", Json());
    // Of a B that stands before A it is said already, and its schedule is where it should be.
    if (grew(b.step, a.step) || start == NewStart::optimizer_and_schedule) continue;
    if (from.is_number() && to.is_number() && to.get<double>() < from.get<double>())
      changes.add(left[i].place + ".last_epoch", from, to);
  }
  find_changed_fields(report, changes, "schedules",
                      "Build B's schedule as A's was built, and load A's state into it");
}

void find_setting_changes(Report& report, const ResumeFacts& a, const ResumeFacts& b) {
  FieldChanges changes;
  for (const PlacedValues& left : a.state.settings) {
    for (const PlacedValues& right : b.state.settings) {
      if (left.place == right.place && left.values.is_object() && right.values.is_object())
        changes.add_object(left.place, left.values, right.values, may_differ);
    }
  }
  find_changed_fields(report, changes, "settings",
                      "Start B with A's settings, unless they were meant to change");
}

std::optional<std::uint64_t> torch_seed(const ResumeFacts& facts) {
  for (const GeneratorState& state : facts.state.generators) {
    if (state.kind != GeneratorKind::torch || state.is_own || !state.entry) continue;
    std::vector<std::uint8_t> buffer;
    CpuGenerator generator;
    if (generator.set_state(facts.state.source.entries[*state.entry].view.row_major_bytes(buffer)))
      return generator.initial_seed();
  }
  return std::nullopt;
}

void find_other_seed(Report& report, const ResumeFacts& a, const ResumeFacts& b) {
  const auto left = torch_seed(a);
  const auto right = torch_seed(b);
  if (!left || !right || *left == *right) return;
  Finding finding{
      .cause = "rng.seed", .role = Role::risk, .proof = Proof::observed, .subjects = {"A", "B"}};
  finding.summary = fmt::format(
      "torch's generator was seeded with {} in A and with {} in B: its state was not carried on",
      *left, *right);
  finding.evidence = {{"seeds", {*left, *right}}};
  finding.remedy = "torch.set_rng_state() with A's state when B is started from it";
  add_finding(report, std::move(finding));
}

}  // namespace

NewStart new_start(const ResumeFacts& a, const ResumeFacts& b) {
  const auto from = a.optimizer_step();
  const auto to = b.optimizer_step();
  if (!from || *from == 0 || grew(b.step, a.step)) return NewStart::none;
  if (!to) return b.state.not_read.empty() ? NewStart::optimizer : NewStart::none;
  const bool went_on = grew(a.step, b.step) || grew(a.epoch, b.epoch);
  // A scaler skips some steps, but hardly as many as make a new start.
  const bool as_many_as_since =
      a.step && b.step && *from * (*b.step - *a.step) == *to * *a.step && *a.step > 0;
  const bool far_behind =
      a.step && b.step && *a.step == *from && *b.step > *to + 1 && b.state.scalers.empty();
  if (*to >= *from && !(went_on && (*to == *from || as_many_as_since || far_behind)))
    return NewStart::none;
  const auto schedule_from = schedule_count(a);
  const auto schedule_to = schedule_count(b);
  if (!schedule_from || !schedule_to || *schedule_from == 0) return NewStart::optimizer;
  // In step with the optimizer: as many of its counts a step as in A.
  const bool with_it = *schedule_to * *from == *schedule_from * *to;
  return with_it ? NewStart::optimizer_and_schedule : NewStart::optimizer;
}

void find_contradictions(Report& report, const ResumeFacts& a, const ResumeFacts& b) {
  const WeightRelation weights = relate_weights(*a.checkpoint, *b.checkpoint);
  const bool unmoved = weights.comparable && weights.identical && weights.unlike.empty();
  const NewStart start = unmoved ? NewStart::none : new_start(a, b);
  if (!weights.comparable) {
    add_gap(report, "the weights of A against those of B: one of them has none", Gap::blocking);
  }
  find_other_parameters(report, weights);
  find_count_faults(report, a, b, weights);
  find_new_moments(report, a, b, start);
  find_optimizer_changes(report, a, b);
  find_schedule_changes(report, a, b, start);
  find_setting_changes(report, a, b);
  find_other_seed(report, a, b);
}

}  // namespace samebits
