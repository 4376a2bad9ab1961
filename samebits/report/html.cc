#include "samebits/report/html.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/explain/diagnosis.h"
#include "samebits/report/html_page.h"
#include "samebits/report/html_parts.h"
#include "samebits/report/html_plot.h"
#include "samebits/report/html_sections.h"
#include "samebits/report/json.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kFewSections = 3;  // up to which a page needs no list of them

/// The sections in their order, and the list of them.
class PageBody {
 public:
  void add(const std::string& id, const std::string& title, const std::string& body) {
    if (body.empty()) return;
    ++count_;
    sections_ += html_section(id, title, body);
    links_ += fmt::format("<li><a href=\"#{}\">{}</a></li>", id, html_text(title));
  }
  std::string html() const {
    const std::string nav =
        count_ > kFewSections
            ? fmt::format("<nav aria-label=\"Sections of this page\"><ul>{}</ul></nav>\n", links_)
            : "";
    return nav + "<main>\n" + sections_ + "</main>\n";
  }

 private:
  std::size_t count_ = 0;
  std::string sections_, links_;
};

const char* proof_text(Proof proof) {
  switch (proof) {
    case Proof::proved: return "proved: runs showed it";
    case Proof::observed: return "observed: it stands in the files";
    case Proof::suspected: return "suspected: neither a run nor a file shows it";
  }
  return "";
}

std::string header(const Report& report, const std::string& command_line) {
  const Finding* leading = leading_finding(report);
  return fmt::format(
      "<header><p class=\"verdict {0}\">{1}</p><h1>{2}</h1>{3}{4}</header>\n",
      verdict_name(report.verdict), verdict_text(report), html_text(report.diagnosis),
      leading ? fmt::format("<p class=\"proof\">{}</p>", proof_text(leading->proof)) : "",
      command_line.empty()
          ? ""
          : fmt::format("<p class=\"command\"><code>$ {}</code></p>", html_text(command_line)));
}

std::string page_title(const Report& report) {
  std::string paths;
  for (const Subject& subject : report.subjects)
    paths += (paths.empty() ? "" : ", ") + subject.path;
  return fmt::format("{}: {} - samebits {}", verdict_text(report), paths, report.command);
}

std::string mode_cell(const Checkpoint& checkpoint) {
  const std::size_t training = checkpoint.training_modules();
  if (checkpoint.modules.empty()) return "";
  if (training == 0) return "eval";
  return fmt::format("{} of {} in training mode", training,
                     quantity(checkpoint.modules.size(), "module"));
}

std::string subject_row(const Subject& subject) {
  const std::string label = "<th scope=\"row\">" + html_text(subject.label) + "</th>";
  if (!subject.checkpoint) {
    return html_row({label, html_cell(subject.path), html_cell("could not be read"), html_cell(""),
                     html_cell(""), html_cell("")});
  }
  const Checkpoint& checkpoint = *subject.checkpoint;
  const std::size_t tensors =
      checkpoint.has_weights() ? checkpoint.weights().weights.size() : checkpoint.entries.size();
  const std::string model =
      checkpoint.description.empty() ? checkpoint.model_type : checkpoint.description;
  const std::string borrowed = subject.config_borrowed_from.empty()
                                   ? ""
                                   : " (config from " + subject.config_borrowed_from + ")";
  return html_row({label, html_cell(subject.path), html_cell(kind_label(checkpoint.kind)),
                   html_cell(model + borrowed),
                   html_number(static_cast<double>(tensors), grouped(tensors)),
                   html_cell(mode_cell(checkpoint))});
}

std::string subjects(const Report& report) {
  std::string rows;
  for (const Subject& subject : report.subjects) rows += subject_row(subject);
  return html_table({.caption = "What was read",
                     .titles = {"label", "path", "kind", "model", "#tensors", "mode"},
                     .rows = rows});
}

std::string findings(const Report& report) {
  std::string body;
  for (const Finding& finding : report.findings) {
    const std::string settle =
        finding.settle.empty() ? "" : "<p>To settle: " + html_text(finding.settle) + "</p>\n";
    const char* when = finding.role == Role::note ? "If needed" : "Do this";
    const std::string remedy =
        finding.remedy.empty()
            ? ""
            : fmt::format("<p class=\"remedy\">{}: {}</p>\n", when, html_text(finding.remedy));
    body += fmt::format(
        "<article class=\"finding {0}\"><h3><span class=\"role\">{0}</span> {1} <span "
        "class=\"proof\">{2}</span></h3>\n<p class=\"id\">{3}</p>\n{4}{5}{6}</article>\n",
        role_name(finding.role), html_text(finding.summary), proof_name(finding.proof),
        html_text(finding.cause), html_list(finding.details), settle, remedy);
  }
  return body;
}

std::string runs(const Report& report) {
  std::string rows;
  for (const RunLine& line : report.runs)
    rows += html_row({html_cell(line.run), html_cell(line.outcome)});
  return html_table(
      {.caption = "The runs that were made", .titles = {"run", "what it gave"}, .rows = rows});
}

std::string point_rows(const std::vector<OutputPair>& points, bool with_floor) {
  std::string rows;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const OutputPair& point = points[i];
    std::vector<std::string> cells = {
        html_number(static_cast<double>(i + 1), grouped(i + 1)), html_cell(point.point, "name"),
        html_number(static_cast<double>(point.differing), percent(point.differing, point.elements)),
        html_number(point.max_abs, short_number(point.max_abs)),
        html_number(point.cosine, fmt::format("{:.9g}", point.cosine))};
    if (with_floor) {
      const double units = point.floor_units.value_or(0);
      cells.push_back(html_number(units, fmt::format("{:.3g}", units)));
    }
    cells.push_back(html_cell(point.differing == 0 ? "" : point.looks_like));
    cells.push_back(html_cell(point.where));
    rows += html_row(cells);
  }
  return rows;
}

std::string divergence_figure(const Divergence& each) {
  const bool with_floor = std::ranges::any_of(
      each.points, [](const OutputPair& point) { return point.floor_units.has_value(); });
  std::vector<std::string> titles = {"#point", "name", "#differing", "#up to", "#cosine"};
  if (with_floor) titles.emplace_back("#times rounding");
  titles.insert(titles.end(), {"looks like", "where"});
  const std::string legend =
      std::string("<p class=\"legend\"><span class=\"key differs\"></span> elements differ ") +
      "<span class=\"key equal\"></span> bit-identical" +
      (with_floor ? " <span class=\"key floor\"></span> what rounding alone does" : "") + "</p>";
  return fmt::format(
      "<figure><figcaption>{} and {}: the largest difference at each point, in execution "
      "order</figcaption><div class=\"wide\" role=\"group\" aria-label=\"Plot of the "
      "differences\" tabindex=\"0\">{}</div>{}</figure>\n{}",
      html_text(each.a), html_text(each.b), divergence_plot(each), legend,
      html_fold("The numbers of " + quantity(each.points.size(), "point"),
                html_table({.caption = "Every point, in execution order",
                            .titles = titles,
                            .rows = point_rows(each.points, with_floor),
                            .interactive = true})));
}

std::string divergence(const Report& report) {
  std::vector<Divergence> all = report.divergence;
  if (report.traces && report.subjects.size() == 2)
    all.push_back({report.subjects[0].label, report.subjects[1].label, report.outputs});
  std::string body;
  for (const Divergence& each : all) body += divergence_figure(each);
  return body;
}

std::string outputs(const Report& report) {
  if (report.traces) return "";
  std::string rows;
  for (const OutputPair& pair : report.outputs) {
    const std::string differing =
        percent(pair.differing, pair.elements) + " of " + grouped(pair.elements);
    rows += html_row({html_cell(pair.a + ", " + pair.b), html_cell(pair.point, "name"),
                      html_cell(pair.verdict),
                      html_number(static_cast<double>(pair.differing), differing),
                      html_number(pair.max_abs, short_number(pair.max_abs))});
  }
  return html_table({.caption = "What the models gave",
                     .titles = {"of", "point", "verdict", "#differing", "#up to"},
                     .rows = rows});
}

std::string tokens(const Report& report) {
  std::string body;
  for (const TokenMap& map : report.token_maps)
    body += fmt::format(
        "<figure class=\"square\"><figcaption>Place of each patch of the first "
        "image among the tokens of {} and of {}; in one order all would stand on "
        "the diagonal</figcaption>{}</figure>\n",
        html_text(map.a), html_text(map.b), token_plot(map));
  return body;
}

std::string fields(const Report& report) {
  std::string body;
  const auto add = [&](const std::vector<FieldsPair>& pairs, const char* what) {
    for (const FieldsPair& pair : pairs) {
      std::string rows;
      for (const FieldDifference& field : pair.fields)
        rows += html_row({html_cell(field.field, "name"),
                          html_cell(field.missing_a ? "absent" : value_text(field.a)),
                          html_cell(field.missing_b ? "absent" : value_text(field.b)),
                          html_cell(field_effect_name(field.effect)), html_cell(field.why)});
      body += html_table(
          {.caption = fmt::format("{} of {} and {}", what, pair.a, pair.b),
           .titles = {"field", "in " + pair.a, "in " + pair.b, "moves", "what it can do"},
           .rows = rows,
           .interactive = true});
    }
  };
  add(report.config, "Config");
  add(report.preprocessing, "Preprocessing");
  return body;
}

/// inspect: what is in each file.
void add_contents(const Report& report, PageBody* page) {
  if (report.command != "inspect") return;
  const bool several = report.subjects.size() > 1;
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint) continue;
    const Checkpoint& checkpoint = *subject.checkpoint;
    const auto add = [&](const std::string& id, const std::string& title, const std::string& body) {
      page->add(several ? id + "-" + subject.label : id,
                several ? title + " of " + subject.label : title, body);
    };
    add("summary", "What it is", html_summary(checkpoint));
    add("training", "Training state", html_training(checkpoint));
    add("config", "Config", html_config(checkpoint));
    add("calls", "What loading it would call", html_calls(checkpoint));
    add("bytes", "Where its bytes are", html_bytes(checkpoint));
    add("modules", "Modules", html_modules(checkpoint));
    add("contents", "Tensors", html_tensors(subject));
  }
}

}  // namespace

std::string render_html(const Report& report, const std::string& command_line) {
  const FloatMode contract;
  PageBody page;
  const bool unknown = report.verdict == Verdict::unknown;
  if (unknown) page.add("unchecked", "Not checked", html_list(report.not_checked));
  page.add("blocks", "Where the weights differ", html_strip(report));
  page.add("runs", "What runs showed", runs(report));
  page.add("findings",
           report.subjects.size() > 1 ? "Why, and what to do" : "What was found, and what to do",
           findings(report));
  page.add("subjects", "Subjects", subjects(report));
  page.add("modules", "Change of each module", html_module_maps(report));
  page.add("changes", "How far tensors changed", html_changes(report));
  page.add("divergence", "Where they part", divergence(report));
  page.add("outputs", "Outputs", outputs(report));
  page.add("tokens", "The order of the tokens", tokens(report));
  page.add("fields", "Config and preprocessing", fields(report));
  page.add("loads", "What loading would do", html_loads(report));
  page.add("resume", "What exact resumption needs", html_resume(report));
  page.add("weights", "Weights", html_weights(report));
  add_contents(report, &page);
  page.add("assumed", "Assumed", html_list(report.assumed));
  if (!unknown) page.add("unchecked", "Not checked", html_list(report.not_checked));
  return html_page(page_title(report), header(report, command_line) + page.html(),
                   std::string("samebits ") + tool_version());
}

}  // namespace samebits
