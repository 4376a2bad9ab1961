#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/resume_optimizer.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr const char* kSchedulerPart = "scheduler";

std::vector<double> scheduled_numbers(const Json& list) {
  std::vector<double> numbers;
  if (!list.is_array()) return numbers;
  for (const Json& each : list) {
    if (!each.is_number()) return {};
    numbers.push_back(each.get<double>());
  }
  return numbers;
}

std::vector<double> group_rates(const OptimizerState& optimizer) {
  std::vector<double> rates;
  for (const ParameterGroup& group : optimizer.groups) {
    const auto rate = group.options.find("lr");
    if (rate == group.options.end() || !rate->is_number()) return {};
    rates.push_back(rate->get<double>());
  }
  return rates;
}

std::vector<double> last_rates(const PlacedValues& schedule) {
  const auto found = schedule.values.find("_last_lr");
  return found == schedule.values.end() ? std::vector<double>() : scheduled_numbers(*found);
}

std::string rates_text(const std::vector<double>& rates) {
  std::vector<std::string> texts;
  for (const double rate : rates) {
    std::string text = fmt::format("{}", rate);  // every digit: the last one may differ
    if (texts.empty() || texts.back() != text) texts.push_back(std::move(text));
  }
  return some_of(texts);
}

/// torch's SWALR counts from the start of the averaging, whatever the loop counts. Source: torch
/// 2.13.0 optim/swa_utils.py.
bool counts_for_itself(const PlacedValues& schedule) {
  return schedule.values.contains("anneal_epochs");
}

/// The schedule's last rates against those of the optimizer of its place; where there are several,
/// against any that has as many groups.
void judge_rates(const ResumeFacts& facts, const PlacedValues& schedule, ResumeRow& row) {
  const std::vector<double> last = last_rates(schedule);
  if (last.empty() || facts.state.optimizers.empty()) return;
  const OptimizerState* other = nullptr;
  for (const OptimizerState& optimizer : facts.state.optimizers) {
    const std::vector<double> rates = group_rates(optimizer);
    if (rates.empty() || rates == last) return;
    if (other == nullptr) other = &optimizer;
  }
  const std::vector<double> rates = group_rates(*other);
  ResumeIssue issue{.missing = {kSchedulerPart}};
  if (rates.size() != last.size()) {
    issue.summary =
        fmt::format("the schedule ({}) drives {}, and the optimizer ({}) has {}", schedule.place,
                    counted(last.size(), "parameter group"), other->place, rates.size());
    issue.details.emplace_back("they are not of one training, or groups were added on the way");
  } else {
    issue.summary = fmt::format(
        "the schedule ({}) last set the learning rate {}, and the optimizer ({}) has {}",
        schedule.place, rates_text(last), other->place, rates_text(rates));
    issue.details.emplace_back(
        "they were saved at different steps, or something else sets the rate, too: after "
        "the next steps it is that of the schedule, or goes on from the optimizer's");
  }
  issue.evidence = {{"scheduler", schedule.place},
                    {"optimizer", other->place},
                    {"scheduler_lr", last},
                    {"optimizer_lr", rates}};
  issue.remedy = "Take optimizer and schedule from one save";
  row.issues.push_back(std::move(issue));
}

/// Whether a schedule that was stepped `last` times may belong to a loop that counts `count`: once
/// a step or an epoch, saved before or after; where processes share it, once for each of them.
bool may_count(double last, double count, bool several) {
  if (std::abs(last - count) <= 1) return true;
  return several && count > 0 && std::fmod(last, count) == 0;
}

/// The schedule is behind the epochs as much as the optimizer is behind the steps.
bool began_with_optimizer(const ResumeFacts& facts, double last) {
  const std::optional<double> own = facts.optimizer_step();
  return own && facts.step && facts.epoch && last > 0 && *own > 0 && *own < *facts.step &&
         last * *facts.step == *own * *facts.epoch;
}

void judge_last_epoch(const ResumeFacts& facts, const PlacedValues& schedule, ResumeRow& row) {
  const auto found = schedule.values.find("last_epoch");
  if (found == schedule.values.end() || !found->is_number() || !facts.has_gone_on() ||
      counts_for_itself(schedule))
    return;
  const double last = found->get<double>();
  const bool several =
      facts.is(TrainingFramework::accelerate) || facts.is(TrainingFramework::trainer);
  const std::optional<double> own = facts.optimizer_step();
  std::vector<std::string> counts;
  for (const auto& [count, text] :
       {std::pair(facts.step, facts.step_text), std::pair(facts.epoch, facts.epoch_text),
        std::pair(own, "the optimizer's step " + count_text(own.value_or(0)))}) {
    if (!count) continue;
    if (may_count(last, *count, several)) return;
    // Without a count of epochs, a schedule that goes by epochs divides the steps.
    if (!facts.epoch && last > 0 && std::fmod(*count, last) == 0) return;
    counts.push_back(text);
  }
  for (const auto& [count, begun] :
       {std::pair(facts.step, facts.begun_at_step), std::pair(facts.epoch, facts.begun_at_epoch)}) {
    if (count && begun && may_count(last, *count - *begun, several)) return;
  }
  if (counts.empty() || facts.is(TrainingFramework::deepspeed)) return;
  // Stepped with every batch, beside a count of epochs alone: its rate is the optimizer's.
  if (!facts.step && !own && last > *facts.epoch && row.issues.empty()) return;
  ResumeIssue issue{.missing = {kSchedulerPart}};
  issue.summary =
      fmt::format("the schedule ({}) stands at {}, which is no count of the training: {}",
                  schedule.place, count_text(last), fmt::join(counts, ", "));
  issue.details.emplace_back(
      last <= 0 ? "it is fresh: the learning rate is that of a training's beginning"
                : "it is of another save, or is stepped at times of its own");
  issue.evidence = {{"scheduler", schedule.place}, {"last_epoch", last}};
  issue.remedy = "Take the schedule from the save of the optimizer";
  if (began_with_optimizer(facts, last)) {
    issue.summary = fmt::format(
        "the schedule ({}) and the optimizer stand at {} and {}, and the "
        "loop counts {} and {}",
        schedule.place, count_text(last), count_text(*own), facts.epoch_text, facts.step_text);
    issue.details = {"they agree with each other, as where both began anew on the way"};
    issue.remedy =
        "Go on from a save of before that, and load the states of optimizer and schedule; "
        "nothing, where the new start was meant";
  }
  row.issues.push_back(std::move(issue));
}

ResumeRow judge_scheduler(const ResumeFacts& facts, const PlacedValues& schedule) {
  std::string detail;
  const auto last = schedule.values.find("last_epoch");
  if (last != schedule.values.end() && last->is_number())
    detail = "at " + count_text(last->get<double>());
  if (const std::vector<double> rates = last_rates(schedule); !rates.empty())
    detail += (detail.empty() ? "" : ", ") + ("learning rate " + rates_text(rates));
  ResumeRow row = resume_row(kSchedulerPart, "present", schedule.place, detail);
  judge_rates(facts, schedule, row);
  judge_last_epoch(facts, schedule, row);
  if (!row.issues.empty()) row.part.state = "in doubt";
  return row;
}

/// A schedule drives one optimizer. In frameworks with processes an optimizer may stand in several
/// files.
void judge_count(const ResumeFacts& facts, ResumeRow& row) {
  if (!facts.is(TrainingFramework::plain) && !facts.is(TrainingFramework::lightning)) return;
  const auto driven = static_cast<std::size_t>(
      std::ranges::count_if(facts.state.optimizers, &OptimizerState::shows_a_schedule));
  const std::size_t held = facts.state.schedulers.size();
  if (driven <= held) return;
  ResumeIssue issue{.missing = {kSchedulerPart}};
  issue.summary = fmt::format("schedules drove {}, and the state of {} in it",
                              counted(driven, "optimizer"), counted(held, "schedule", "is", "are"));
  issue.details.emplace_back("the groups have initial_lr, which torch's schedules leave there");
  issue.evidence = {{"optimizers", driven}, {"schedulers", held}};
  issue.remedy = "Save the state_dict() of every schedule beside that of its optimizer";
  row.issues.push_back(std::move(issue));
  row.part.state = "in doubt";
}

}  // namespace

ResumeRows judge_schedulers(const ResumeFacts& facts) {
  ResumeRows rows;
  for (const PlacedValues& schedule : facts.state.schedulers)
    rows.push_back(judge_scheduler(facts, schedule));
  if (!rows.empty()) {
    judge_count(facts, rows.back());
    return rows;
  }
  const bool shown = std::ranges::any_of(facts.state.optimizers, &OptimizerState::shows_a_schedule);
  if (facts.state.optimizers.empty() && !facts.state.not_read.empty())
    return {resume_row(kSchedulerPart, "not read", "", facts.state.not_read[0])};
  if (!shown && !facts.state.optimizers.empty() && !facts.is(TrainingFramework::trainer))
    return {resume_row(kSchedulerPart, "none seen", "",
                       "no group has initial_lr, which torch's schedules leave, but for "
                       "ReduceLROnPlateau")};
  ResumeRow row = resume_row(kSchedulerPart, "missing");
  ResumeIssue issue{.missing = {kSchedulerPart}};
  issue.summary = shown ? "a schedule drove the optimizer, and its state is not in it"
                        : "no schedule's state is in it, if there was one";
  if (shown)
    issue.details.emplace_back("the groups have initial_lr, which torch's schedules leave there");
  row.issues.push_back(std::move(issue));
  return {row};
}

}  // namespace samebits
