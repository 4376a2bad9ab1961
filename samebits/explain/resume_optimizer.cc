#include "samebits/explain/resume_optimizer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/checkpoint/deep.h"
#include "samebits/explain/resume_partitions.h"
#include "samebits/explain/resume_shapes.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr std::uint64_t kZeroBytes = 256u << 20;  // of zeros that are read, of one optimizer
constexpr std::uint64_t kZeroBlock = 1u << 16;    // elements
constexpr std::uint64_t kFiniteBytes = 1u << 30;  // of moments that are looked through for NaN

constexpr const char* kOptimizerPart = "optimizer moments";

/// True where every element was read and is zero; false where one is not, or the budget ran out.
bool is_all_zero(const TensorView& view, std::uint64_t* budget) {
  std::vector<std::uint8_t> buffer;
  for (std::uint64_t first = 0; first < view.numel(); first += kZeroBlock) {
    const std::uint64_t count = std::min(kZeroBlock, view.numel() - first);
    const std::uint64_t bytes = count * itemsize(view.dtype());
    if (bytes > *budget) return false;
    const Bytes block = view.row_major_range(first, count, buffer);
    if (!std::ranges::all_of(block, [](std::uint8_t byte) { return byte == 0; })) return false;
    *budget -= bytes;
  }
  return true;
}

/// True where a value was read that is NaN or infinite.
bool shows_no_number(const TensorView& view, std::uint64_t* budget) {
  if (view.nbytes() > *budget) return false;
  *budget -= view.nbytes();
  const NotFinite count = count_not_finite(view);
  return count.nan + count.inf > 0;
}

/// What the tensors of an optimizer's state show.
struct MomentFacts {
  std::size_t with_state = 0, with_moments = 0, zero = 0;
  std::vector<std::string> unlisted;    // keys that no group lists
  std::vector<std::string> without;     // listed keys without state, but for frozen ones
  std::size_t frozen = 0;               // listed, without state, and frozen in the file
  std::vector<std::string> not_finite;  // keys whose moments hold NaN or infinite values
  std::map<double, std::size_t> steps;
};

bool is_moment(const Checkpoint& source, std::uint32_t entry) {
  const StoredTensor& tensor = source.entries[entry];
  return tensor.readable && is_floating(tensor.view.dtype()) && tensor.view.numel() > 0;
}

MomentFacts moment_facts(const ResumeFacts& resumed, const OptimizerState& optimizer) {
  const Checkpoint& source = resumed.state.source;
  MomentFacts facts;
  std::set<std::string> listed;
  std::set<std::string> held;
  for (const ParameterGroup& group : optimizer.groups)
    listed.insert(group.keys.begin(), group.keys.end());
  std::uint64_t budget = kZeroBytes;
  std::uint64_t finite_budget = kFiniteBytes;
  for (const ParameterState& parameter : optimizer.parameters) {
    ++facts.with_state;
    held.insert(parameter.key);
    if (!listed.contains(parameter.key)) facts.unlisted.push_back(parameter.key);
    if (parameter.step) ++facts.steps[*parameter.step];
    std::size_t moments = 0;
    bool zero = true;
    bool finite = true;
    for (const auto& [name, entry] : parameter.tensors) {
      if (!is_moment(source, entry)) continue;
      ++moments;
      zero = zero && is_all_zero(source.entries[entry].view, &budget);
      finite = finite && !shows_no_number(source.entries[entry].view, &finite_budget);
    }
    if (!finite) facts.not_finite.push_back(parameter.key);
    if (moments > 0) ++facts.with_moments;
    if (moments > 0 && zero) ++facts.zero;
  }
  for (const ParameterGroup& group : optimizer.groups) {
    for (const std::string& key : group.keys) {
      if (!held.contains(key)) facts.without.push_back(key);
    }
  }
  const std::vector<std::string> frozen = frozen_keys(resumed, optimizer, facts.without, held);
  facts.frozen = std::erase_if(facts.without, [&](const std::string& key) {
    return std::ranges::find(frozen, key) != frozen.end();
  });
  return facts;
}

std::string steps_text(const std::map<double, std::size_t>& steps) {
  std::vector<std::string> texts;
  for (auto each = steps.rbegin(); each != steps.rend(); ++each)
    texts.push_back(
        fmt::format("{} at step {}", counted(each->second, "parameter"), count_text(each->first)));
  return some_of(texts);
}

ResumeIssue fresh_issue(const ResumeFacts& facts, const OptimizerState& optimizer,
                        const MomentFacts& moments, const std::string& why) {
  ResumeIssue issue{.missing = {kOptimizerPart}};
  issue.summary = fmt::format("the optimizer ({}) is fresh: {}", optimizer.place, why);
  if (!moments.steps.empty())
    issue.details.push_back("its own step is " + count_text(moments.steps.rbegin()->first));
  if (facts.has_gone_on())
    issue.details.push_back("the file says " + facts.progress());
  else
    issue.role = Role::note;
  issue.evidence["optimizer"] = optimizer.place;
  issue.remedy = fmt::format(
      "The file has a state ({}), of an optimizer that made no step: save that of the optimizer "
      "that made them, and load it once the optimizer is built anew",
      optimizer.place);
  return issue;
}

/// Moments that were kept beside a count that was not.
void judge_step_zero(const ResumeFacts& facts, const OptimizerState& optimizer,
                     const MomentFacts& moments, ResumeRow& row) {
  const bool at_zero = moments.steps.size() == 1 && moments.steps.begin()->first == 0;
  if (!at_zero || !facts.has_gone_on()) return;
  ResumeIssue issue{.missing = {kOptimizerPart}};
  issue.summary = fmt::format("the optimizer ({}) stands at step 0, and its moments are not zero",
                              optimizer.place);
  issue.details = {"the file says " + facts.progress(),
                   "the moments go on, and the count of their steps starts anew: Adam's bias "
                   "correction takes them for those of the first step (torch 2.13.0)"};
  issue.evidence = {{"optimizer", optimizer.place}};
  issue.remedy =
      "Take the optimizer's state from another save, or set the step of every parameter's state to "
      "the count of steps that were made";
  row.issues.push_back(std::move(issue));
}

/// "" where it is not fresh.
std::string why_fresh(const ResumeFacts& facts, const OptimizerState& optimizer,
                      const MomentFacts& moments) {
  if (moments.with_state == 0 && optimizer.keeps_moments())
    return "it has no moments: no step was made since it was built";
  if (moments.with_state > 0 && moments.with_moments == 0 && optimizer.keeps_moments())
    return "its state holds no moments";
  if (moments.with_moments > 0 && moments.zero == moments.with_moments)
    return "its moments are all zero";
  const bool at_zero = moments.steps.size() == 1 && moments.steps.begin()->first == 0;
  return at_zero && facts.has_gone_on() && moments.with_moments == 0 ? "it stands at step 0" : "";
}

void judge_lacking(const OptimizerState& optimizer, const MomentFacts& moments, ResumeRow& row) {
  const auto lacking = optimizer.lacking();
  if (lacking.empty()) return;
  std::vector<std::string> names;
  std::size_t most = 0;
  for (const auto& [name, count] : lacking) {
    names.push_back(name);
    most = std::max(most, count);
  }
  ResumeIssue issue{.missing = {kOptimizerPart}};
  issue.summary =
      fmt::format("the state of {} of {} in the optimizer ({}) lacks {}", most,
                  counted(moments.with_state, "parameter"), optimizer.place, some_of(names));
  issue.details.emplace_back("load_state_dict or the next step raises without it (torch 2.13.0)");
  issue.evidence = {{"optimizer", optimizer.place}, {"lacking", name_list(names)}};
  issue.remedy = "Take the optimizer's state from another save, as state_dict() gives it";
  row.issues.push_back(std::move(issue));
}

void judge_keys(const OptimizerState& optimizer, const MomentFacts& moments, ResumeRow& row) {
  if (moments.unlisted.empty() || optimizer.listed() == 0) return;
  const std::string& key = moments.unlisted[0];
  const bool text = key.starts_with('\'');
  const bool numbers = std::ranges::any_of(optimizer.groups, [](const ParameterGroup& group) {
    return !group.keys.empty() && !group.keys[0].starts_with('\'');
  });
  ResumeIssue issue{.missing = {kOptimizerPart}};
  issue.summary = fmt::format(
      "{} of {} parameters' states of the optimizer ({}) stand under keys that its param_groups do "
      "not list",
      moments.unlisted.size(), moments.with_state, optimizer.place);
  issue.details = {fmt::format("the key is {}{}", key,
                               text && numbers ? ", a string; param_groups list integers" : ""),
                   "load_state_dict takes it without a word, and these moments reach no parameter "
                   "(torch 2.13.0)"};
  issue.evidence = {
      {"optimizer", optimizer.place}, {"unlisted", moments.unlisted.size()}, {"key", key}};
  issue.lost = true;
  issue.remedy = text && numbers ? "Before loading: optimizer[\"state\"] = {int(k): v for k, v in "
                                   "optimizer[\"state\"].items()}"
                                 : "Load it with the library that wrote it, which knows its names";
  row.issues.push_back(std::move(issue));
}

/// state_dict() numbers parameters in the order of its groups.
void judge_numbers(const OptimizerState& optimizer, ResumeRow& row) {
  std::int64_t last = -1;
  bool ascending = true;
  for (const ParameterGroup& group : optimizer.groups) {
    for (const std::string& key : group.keys) {
      if (key.empty() || key[0] < '0' || key[0] > '9' || key.size() > 15) return;
      const std::int64_t number = std::stoll(key);
      ascending = ascending && number > last;
      last = number;
    }
  }
  if (ascending) return;
  ResumeIssue issue{.missing = {kOptimizerPart}};
  issue.summary = fmt::format(
      "the optimizer ({}) lists its parameters in no order that torch writes", optimizer.place);
  issue.details.emplace_back(
      "state_dict() numbers them as they come; load_state_dict goes by place, so that parameters "
      "get one another's moments (torch 2.13.0)");
  issue.evidence["optimizer"] = optimizer.place;
  issue.remedy = "Take the optimizer's state as it was saved";
  row.issues.push_back(std::move(issue));
}

void judge_without_state(const ResumeFacts& facts, const OptimizerState& optimizer,
                         const MomentFacts& moments, ResumeRow& row) {
  const bool some = !moments.without.empty() && moments.with_state > moments.unlisted.size();
  if (!some || !optimizer.keeps_moments() || optimizer.keeps_one_state()) return;
  ResumeIssue issue{.missing = {kOptimizerPart}};
  issue.summary = fmt::format(
      "{} no state in the optimizer ({}): no gradient came to {} yet, or {} moments are lost",
      counted_of(moments.without.size(), optimizer.listed(), "parameter", "has", "have"),
      optimizer.place, moments.without.size() == 1 ? "it" : "them",
      moments.without.size() == 1 ? "its" : "their");
  issue.details.push_back("without: " + some_of(names_of_keys(facts, optimizer, moments.without)));
  issue.evidence = {{"optimizer", optimizer.place}, {"without", name_list(moments.without)}};
  issue.remedy =
      "Nothing, where these parameters are frozen or unused; else take the optimizer's state from "
      "another save";
  row.issues.push_back(std::move(issue));
}

void judge_finite(const ResumeFacts& facts, const OptimizerState& optimizer,
                  const MomentFacts& moments, ResumeRow& row) {
  if (moments.not_finite.empty()) return;
  ResumeIssue issue{.missing = {kOptimizerPart}};
  issue.summary = fmt::format("moments of {} in the optimizer ({}) hold NaN or infinite values",
                              counted(moments.not_finite.size(), "parameter"), optimizer.place);
  issue.details.push_back("they are those of " +
                          some_of(names_of_keys(facts, optimizer, moments.not_finite)));
  issue.details.emplace_back("a step that is made of them is NaN, or none at all");
  issue.evidence = {{"optimizer", optimizer.place}, {"not_finite", name_list(moments.not_finite)}};
  issue.remedy = "Go back to a checkpoint from before the training diverged";
  row.issues.push_back(std::move(issue));
}

/// Groups whose parameters all stand at one step each: a group that was added later has fewer.
bool differ_by_group(const OptimizerState& optimizer) {
  std::map<std::string, double> step_of;
  for (const ParameterState& parameter : optimizer.parameters) {
    if (parameter.step) step_of[parameter.key] = *parameter.step;
  }
  return std::ranges::all_of(optimizer.groups, [&](const ParameterGroup& group) {
    std::set<double> steps;
    for (const std::string& key : group.keys) {
      if (const auto found = step_of.find(key); found != step_of.end()) steps.insert(found->second);
    }
    return steps.size() <= 1;
  });
}

void judge_own_steps(const OptimizerState& optimizer, const MomentFacts& moments, ResumeRow& row) {
  if (moments.steps.size() < 2) return;
  ResumeIssue issue{.missing = {kOptimizerPart}};
  const bool by_group = differ_by_group(optimizer);
  issue.summary = fmt::format("the parameters of the optimizer ({}) stand at {} steps: {}",
                              optimizer.place, moments.steps.size(), steps_text(moments.steps));
  issue.details.push_back(by_group
                              ? "each of its groups stands at one step: groups that were added "
                                "later have made fewer"
                              : "some had no gradient in some steps, or the states come from two "
                                "saves");
  Json steps = Json::array();
  for (const auto& [step, count] : moments.steps) steps.push_back(Json::array({step, count}));
  issue.evidence = {{"optimizer", optimizer.place}, {"steps", std::move(steps)}};
  issue.remedy =
      "Nothing, where these parameters were trained in fewer steps; else take the "
      "optimizer's state from another save";
  issue.role = by_group ? Role::note : Role::risk;
  row.issues.push_back(std::move(issue));
}

/// The loop's count against the optimizer's. Fewer steps are explained by accumulation, by steps
/// that a scaler skipped, and, where several optimizers share the count, by their sum.
void judge_loop_step(const ResumeFacts& facts, const OptimizerState& optimizer,
                     const MomentFacts& moments, ResumeRow& row) {
  if (!facts.step || moments.steps.empty()) return;
  const double loop = *facts.step;
  const double own = moments.steps.rbegin()->first;
  const bool off_by_one = std::abs(own - loop) <= 1;  // saved before or after the count went up
  if (off_by_one || own == 0 || loop == 0) return;
  const bool accumulates = own < loop && std::fmod(loop, own) == 0;
  const bool skips = own < loop && !facts.state.scalers.empty();
  const bool is_sure = facts.step_text.find("global_step") != std::string::npos;
  const bool several = facts.state.optimizers.size() > 1 && !facts.state.zero;
  if (accumulates || skips || several || !is_sure) return;
  ResumeIssue issue{.missing = {kOptimizerPart}};
  issue.summary = fmt::format("the optimizer ({}) made {} steps, and the loop counts {}",
                              optimizer.place, count_text(own), facts.step_text);
  issue.details.push_back(own > loop ? "the moments are those of a later state, or the count is of "
                                       "another run"
                                     : "accumulated gradients would make one a multiple of the "
                                       "other: the optimizer was started anew on the way, or its "
                                       "state is of another save");
  issue.evidence = {{"optimizer", optimizer.place}, {"optimizer_step", own}, {"loop_step", loop}};
  issue.remedy = "Take optimizer and counts from one save";
  row.issues.push_back(std::move(issue));
}

/// What torch.distributed.checkpoint.load() does with the state dict of a new optimizer.
void note_empty_target(const ResumeFacts& facts, const OptimizerState& optimizer, ResumeRow& row) {
  if (!facts.is(TrainingFramework::dcp) || optimizer.parameters.empty()) return;
  ResumeIssue issue{.missing = {"a state to load into"}};
  issue.summary = fmt::format(
      "dcp.load() fills the tensors of the state dict that it is given: that of a new optimizer "
      "has "
      "no state, and takes none of these moments ({})",
      optimizer.place);
  issue.details.emplace_back("it says no word (torch 2.13.0)");
  issue.evidence["optimizer"] = optimizer.place;
  issue.remedy =
      "Take the state dicts from torch.distributed.checkpoint.state_dict.get_state_dict(), which "
      "makes the optimizer's state first, and give them to set_state_dict() after dcp.load()";
  issue.role = Role::note;
  row.issues.push_back(std::move(issue));
}

ResumeRow judge_optimizer(const ResumeFacts& facts, const OptimizerState& optimizer) {
  const MomentFacts moments = moment_facts(facts, optimizer);
  const std::string kind = optimizer.kind();
  std::string detail = kind.empty() ? "" : kind + ", ";
  detail += optimizer.keeps_one_state() && moments.with_state == 1
                ? fmt::format("one state for {}", counted(optimizer.listed(), "parameter"))
                : fmt::format("state of {} of {}", moments.with_state,
                              counted(optimizer.listed(), "parameter"));
  detail += ", " + counted(optimizer.groups.size(), "group");
  if (moments.frozen > 0) detail += fmt::format(", {} frozen", moments.frozen);
  if (moments.steps.size() == 1) detail += ", step " + count_text(moments.steps.begin()->first);
  ResumeRow row = resume_row(kOptimizerPart, "present", optimizer.place, detail);
  const std::string why = why_fresh(facts, optimizer, moments);
  if (!why.empty()) row.issues.push_back(fresh_issue(facts, optimizer, moments, why));
  judge_keys(optimizer, moments, row);
  judge_numbers(optimizer, row);
  judge_finite(facts, optimizer, moments, row);
  if (why.empty()) {
    judge_lacking(optimizer, moments, row);
    judge_without_state(facts, optimizer, moments, row);
    judge_step_zero(facts, optimizer, moments, row);
    judge_own_steps(optimizer, moments, row);
    judge_loop_step(facts, optimizer, moments, row);
    if (!facts.state.zero) judge_shapes(facts, optimizer, row);  // partitions are flat
    judge_types(facts, optimizer, row);
    if (!facts.state.zero) note_untrained(facts, optimizer, row);
    note_empty_target(facts, optimizer, row);
  }
  const bool fresh = !why.empty() && row.issues[0].role == Role::risk;
  const bool doubt = std::ranges::any_of(
      row.issues, [](const ResumeIssue& issue) { return issue.role == Role::risk; });
  if (fresh || doubt) row.part.state = fresh ? "fresh" : "in doubt";
  return row;
}

}  // namespace

ResumeRows judge_optimizers(const ResumeFacts& facts) {
  ResumeRows rows;
  for (const OptimizerState& optimizer : facts.state.optimizers)
    rows.push_back(judge_optimizer(facts, optimizer));
  judge_models(facts, rows);
  if (facts.state.zero) rows = {join_partitions(facts, std::move(rows))};
  for (const std::string& place : facts.state.whole_objects) {
    rows.push_back(resume_row(kOptimizerPart, "not read", place, "an optimizer pickled whole"));
    rows.back().unread.push_back(place +
                                 ": an optimizer that was pickled whole: its state was not judged");
  }
  if (!rows.empty()) return rows;
  if (!facts.state.not_read.empty())
    return {resume_row(kOptimizerPart, "not read", "", facts.state.not_read[0])};
  ResumeRow row = resume_row(kOptimizerPart, "missing");
  row.issues.push_back({.missing = {kOptimizerPart},
                        .summary = "no optimizer's state is in it: no moments, no step"});
  return {row};
}

}  // namespace samebits
