#include <fmt/format.h>

#include <algorithm>

#include "samebits/report/name_groups.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kGroups = 8;        // lines of one outcome
constexpr std::size_t kRepairRules = 60;  // rules of a repair
constexpr std::size_t kUnderLoad = Screen::kIndent + Screen::kLabel;

// "random   128 tensors, left at initial values:" and their names under it; those that a
// filter takes, where there is one.
struct Outcome {
  std::string_view label;
  std::string meaning;
  const std::vector<std::string>& names;
  Tone tone;
};
void write_outcome(const Report& report, const Outcome& outcome, Screen* screen) {
  if (outcome.names.empty()) return;
  const auto& filter = report.scope.filter;
  const std::vector<std::string> listed = filter ? filter->taken(outcome.names) : outcome.names;
  std::string text = quantity(outcome.names.size(), "tensor") + outcome.meaning;
  if (filter) text += fmt::format("; {} in names that --filter takes", grouped(listed.size()));
  screen->row(outcome.label, text + (listed.empty() ? "" : ":"), outcome.tone);
  names_table({.title = "", .names = listed, .lines = kGroups, .indent = kUnderLoad}, screen);
}

// "stack a, b and c into d", "cut d into a, b and c".
std::string refit_text(const LoadRefit& refit) {
  const bool stacks = refit.to.size() == 1;
  return fmt::format("{} {} into {}   {}", stacks ? "stack" : "cut", fmt::join(refit.from, " + "),
                     fmt::join(refit.to, " + "), quantity(refit.count, "time"));
}

void refit_rows(const LoadReport& load, Screen* screen) {
  constexpr std::size_t kRefits = 4;
  if (load.refits.empty()) return;
  screen->row(load.repair.empty() ? "repair" : "", "along dimension 0:", Tone::bold);
  const std::size_t shown =
      screen->all() ? load.refits.size() : std::min(load.refits.size(), kRefits);
  for (std::size_t i = 0; i < shown; ++i) screen->row("", refit_text(load.refits[i]));
  if (load.refits.size() > shown) screen->row("", and_more(load.refits.size() - shown));
}

// What the repair is worth: "this fills 128 of the 128 that would stay random or raise".
void restored_row(const LoadReport& load, Screen* screen) {
  const std::size_t lost = load.random.size() + load.mismatched.size();
  if (load.restored.empty() || lost == 0) return;
  screen->row("", fmt::format("with it {} of these {} tensors are loaded",
                              grouped(load.restored.size()), grouped(lost)));
}

void repair_table(const std::vector<RenameRule>& rules, Screen* screen) {
  if (rules.empty()) return;
  const auto shown = [](const std::string& part) { return part.empty() ? "(nothing)" : part; };
  screen->row("repair", "rename in the checkpoint before loading:", Tone::bold);
  std::vector<std::vector<std::string>> rows;
  const std::size_t listed = screen->all() ? rules.size() : std::min(rules.size(), kRepairRules);
  for (std::size_t i = 0; i < listed; ++i) {
    rows.push_back({shown(rules[i].from), "->", shown(rules[i].to), grouped(rules[i].count)});
  }
  screen->table(kUnderLoad,
                {{.give = Column::Give::wrap}, {}, {.give = Column::Give::wrap}, {.right = true}},
                rows);
  if (rules.size() > listed) screen->row("", and_more(rules.size() - listed));
}

std::string loaded_text(const LoadReport& load) {
  const std::string text =
      fmt::format("{} of {} loaded", grouped(load.loaded), quantity(load.target_tensors, "tensor"));
  if (!load.raises.empty()) return "it raises: " + load.raises;
  const bool complete = load.random.empty() && load.dropped.empty() && load.mismatched.empty();
  if (complete) return text;
  return text + (load.silent ? ", and the loader says nothing" : ", with a warning");
}

void full(const Report& report, const LoadReport& load, Screen* screen) {
  screen->phrases("loading", {"into " + load.target, "by " + load.way,
                              load.run_by.empty() ? "" : "which was run"});
  screen->row("", loaded_text(load));
  const auto write = [&](const Outcome& outcome) { write_outcome(report, outcome, screen); };
  write({"random", ", left at initial values", load.random, Tone::bad});
  write({"mismatch", ", of another shape in the checkpoint", load.mismatched, Tone::bad});
  write({"dropped", " of the checkpoint, not used", load.dropped, Tone::warn});
  repair_table(load.repair, screen);
  refit_rows(load, screen);
  restored_row(load, screen);
}

void brief(const LoadReport& load, const std::string& first_target, Screen* screen) {
  std::vector<std::string> phrases = {"by " + load.way, loaded_text(load)};
  if (load.target != first_target) phrases.insert(phrases.begin(), "into " + load.target);
  if (!load.random.empty()) phrases.push_back(grouped(load.random.size()) + " random");
  if (!load.mismatched.empty()) phrases.push_back(grouped(load.mismatched.size()) + " mismatched");
  if (!load.dropped.empty()) phrases.push_back(grouped(load.dropped.size()) + " dropped");
  screen->phrases("otherwise", phrases);
}

}  // namespace

void loads_section(const Report& report, Screen* screen) {
  for (const LoadReport& load : report.loads) {
    if (&load == &report.loads.front()) {
      full(report, load, screen);
    } else {
      brief(load, report.loads.front().target, screen);
    }
  }
}

}  // namespace samebits
