#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/report/html_parts.h"
#include "samebits/report/html_sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

std::string outcome_of(const LoadReport& load) {
  if (!load.raises.empty()) return "it raises: " + load.raises;
  const bool complete = load.random.empty() && load.dropped.empty() && load.mismatched.empty();
  if (complete) return "everything is loaded";
  return load.silent ? "the loader says nothing" : "with a warning";
}

std::string load_counts(const Report& report) {
  std::string rows;
  std::vector<std::string> outcomes;
  for (const LoadReport& load : report.loads) {
    rows += html_row(
        {html_cell(load.target), html_cell(load.way),
         html_number(static_cast<double>(load.loaded),
                     fmt::format("{} of {}", grouped(load.loaded), grouped(load.target_tensors))),
         html_number(static_cast<double>(load.random.size()), grouped(load.random.size())),
         html_number(static_cast<double>(load.mismatched.size()), grouped(load.mismatched.size())),
         html_number(static_cast<double>(load.dropped.size()), grouped(load.dropped.size()))});
    outcomes.push_back(load.way + ": " + outcome_of(load));
  }
  return html_table(
             {.caption = "Tensors, by what becomes of them",
              .titles = {"target", "way", "#loaded", "#left random", "#wrong shape", "#dropped"},
              .rows = rows}) +
         html_list(outcomes);
}

std::string mismatch_table(const LoadReport& load) {
  std::string rows;
  for (std::size_t i = 0; i < load.mismatched.size(); ++i) {
    const bool known = i < load.mismatches.size();
    rows += html_row({html_cell(load.mismatched[i], "name"),
                      html_cell(known ? shape_text(load.mismatches[i].found) : ""),
                      html_cell(known ? shape_text(load.mismatches[i].wanted) : "")});
  }
  return html_table({.caption = "Of another shape in the checkpoint",
                     .titles = {"tensor", "in the checkpoint", "in the target"},
                     .rows = rows,
                     .interactive = true});
}

std::string repair_of(const LoadReport& load) {
  std::string rows;
  const auto shown = [](const std::string& part) { return part.empty() ? "(nothing)" : part; };
  for (const RenameRule& rule : load.repair)
    rows += html_row({html_cell(shown(rule.from), "name"), html_cell(shown(rule.to), "name"),
                      html_number(static_cast<double>(rule.count), grouped(rule.count))});
  std::vector<std::string> lines;
  for (const LoadRefit& refit : load.refits)
    lines.push_back(fmt::format(
        "along dimension 0, {} {} into {}: {}", refit.to.size() == 1 ? "stack" : "cut",
        fmt::join(refit.from, " + "), fmt::join(refit.to, " + "), quantity(refit.count, "time")));
  const std::size_t lost = load.random.size() + load.mismatched.size();
  if (!load.restored.empty() && lost > 0)
    lines.push_back(fmt::format("with it {} of these {} tensors are loaded",
                                grouped(load.restored.size()), grouped(lost)));
  return html_table({.caption = "Repair: rename in the checkpoint before loading",
                     .titles = {"from", "to", "#tensors"},
                     .rows = rows}) +
         html_list(lines);
}

std::string load_names(const LoadReport& load) {
  return html_name_groups(
             "Left at random initial values: " + quantity(load.random.size(), "tensor"),
             load.random) +
         mismatch_table(load) +
         html_name_groups("Of the checkpoint, not used: " + quantity(load.dropped.size(), "tensor"),
                          load.dropped) +
         repair_of(load);
}

const char* state_class(const std::string& state) {
  if (state == "present") return "good";
  return state == "missing" || state == "in doubt" || state == "fresh" ? "bad" : "";
}

}  // namespace

std::string html_loads(const Report& report) {
  if (report.loads.empty()) return "";
  std::string body = load_counts(report);
  for (const LoadReport& load : report.loads) {
    const bool first = &load == &report.loads.front();
    const std::string names = load_names(load);
    const bool elsewhere = load.target != report.loads.front().target;
    const std::string into = elsewhere ? ", into " + load.target + "," : "";
    body += first ? names : html_fold("By " + load.way + into + " instead", names);
  }
  return body + html_name_groups("Not found by a resumed training", report.lost_on_resume);
}

std::string html_resume(const Report& report) {
  std::string rows;
  const bool several = report.subjects.size() > 1;
  for (const ResumePart& part : report.resume) {
    std::vector<std::string> cells = {html_cell(part.part),
                                      html_cell(part.state, state_class(part.state)),
                                      html_cell(part.place, "name"), html_cell(part.detail)};
    if (several) cells.insert(cells.begin(), html_cell(part.subject));
    rows += html_row(cells);
  }
  std::vector<std::string> titles = {"part", "state", "where", "what it says"};
  if (several) titles.insert(titles.begin(), "subject");
  return html_table({.caption = "What a training needs to go on exactly, and what is there",
                     .titles = titles,
                     .rows = rows});
}

}  // namespace samebits
