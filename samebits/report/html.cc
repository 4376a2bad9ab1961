#include "samebits/report/html.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/compare/difference_counts.h"
#include "samebits/explain/diagnosis.h"
#include "samebits/report/html_page.h"
#include "samebits/report/html_plot.h"
#include "samebits/report/json.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kMostRows = 5000;  // of the table of tensors
constexpr std::size_t kMostHistograms = 40;

std::string cell(const std::string& text, const char* kind = "") {
  return fmt::format("<td{}>{}</td>", *kind == 0 ? "" : fmt::format(" class=\"{}\"", kind),
                     html_text(text));
}

/// A number's cell, which sorts by `key`.
std::string number_cell(double key, const std::string& text) {
  return fmt::format("<td class=\"number\" data-key=\"{:.17g}\">{}</td>", key, html_text(text));
}

std::string section(const std::string& id, const std::string& title, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format("<section aria-labelledby=\"{0}\"><h2 id=\"{0}\">{1}</h2>\n{2}</section>\n",
                     id, html_text(title), body);
}

std::string table(const std::vector<std::string>& titles, const std::string& rows,
                  const char* kind = "") {
  std::string head;
  for (const std::string& title : titles) {  // '#' in front: numbers
    const bool numbers = title.starts_with('#');
    head += fmt::format("<th scope=\"col\"{}>{}</th>", numbers ? " class=\"number\"" : "",
                        html_text(title.substr(numbers ? 1 : 0)));
  }
  return fmt::format(
      "<div class=\"wide\"><table{}><thead><tr>{}</tr></thead><tbody>\n{}</tbody></table></div>\n",
      *kind == 0 ? "" : fmt::format(" class=\"{}\"", kind), head, rows);
}

std::string list(const std::vector<std::string>& lines) {
  std::string items;
  for (const std::string& line : lines) items += "<li>" + html_text(line) + "</li>\n";
  return items.empty() ? "" : "<ul>\n" + items + "</ul>\n";
}

std::string header(const Report& report) {
  const Finding* leading = leading_finding(report);
  return fmt::format(
      "<header><p class=\"verdict {0}\">{1}</p><h1>{2}</h1>{3}</header>\n",
      verdict_name(report.verdict), verdict_text(report), html_text(report.diagnosis),
      leading ? fmt::format("<p class=\"proof\">{}</p>", proof_name(leading->proof)) : "");
}

std::string subjects(const Report& report) {
  std::string rows;
  for (const Subject& subject : report.subjects) {
    rows += "<tr><th scope=\"row\">" + html_text(subject.label) + "</th>" + cell(subject.path);
    if (!subject.checkpoint) {
      rows += cell("could not be read") + cell("") + cell("") + cell("") + "</tr>\n";
      continue;
    }
    const Checkpoint& checkpoint = *subject.checkpoint;
    const std::size_t tensors =
        checkpoint.has_weights() ? checkpoint.weights().weights.size() : checkpoint.entries.size();
    const std::size_t training = checkpoint.training_modules();
    rows += cell(kind_label(checkpoint.kind)) +
            cell(checkpoint.description.empty() ? checkpoint.model_type : checkpoint.description) +
            number_cell(static_cast<double>(tensors), grouped(tensors)) +
            cell(checkpoint.modules.empty() ? ""
                 : training == 0            ? "eval"
                                 : fmt::format("{} of {} modules in training mode", training,
                                               checkpoint.modules.size())) +
            "</tr>\n";
  }
  return section("subjects", "Subjects",
                 table({"", "path", "kind", "model", "#tensors", "mode"}, rows));
}

std::string findings(const Report& report) {
  std::string body;
  for (const Finding& finding : report.findings) {
    body += fmt::format(
        "<article class=\"finding {0}\"><h3><span class=\"role\">{0}</span> {1} <span "
        "class=\"proof\">{2}</span></h3>\n<p class=\"id\">{3}</p>\n{4}{5}{6}</article>\n",
        role_name(finding.role), html_text(finding.summary), proof_name(finding.proof),
        html_text(finding.cause), list(finding.details),
        finding.settle.empty() ? "" : "<p>To settle: " + html_text(finding.settle) + "</p>\n",
        finding.remedy.empty()
            ? ""
            : "<p class=\"remedy\">Do this: " + html_text(finding.remedy) + "</p>\n");
  }
  return section("findings", "Findings", body);
}

std::string runs(const Report& report) {
  std::string rows;
  for (const RunLine& line : report.runs)
    rows += "<tr>" + cell(line.run) + cell(line.outcome) + "</tr>\n";
  return rows.empty() ? ""
                      : section("runs", "Proof: the runs that were made",
                                table({"run", "what it gave"}, rows));
}

bool has_floor(const std::vector<OutputPair>& points) {
  return std::ranges::any_of(points, [](const OutputPair& p) { return p.floor_units.has_value(); });
}

std::string point_rows(const std::vector<OutputPair>& points) {
  const bool with_floor = has_floor(points);
  std::string rows;
  for (const OutputPair& point : points) {
    rows += "<tr>" + cell(point.point) +
            number_cell(static_cast<double>(point.differing),
                        percent(point.differing, point.elements)) +
            number_cell(point.max_abs, short_number(point.max_abs)) +
            number_cell(point.max_ulp ? static_cast<double>(*point.max_ulp) : -1,
                        point.max_ulp ? grouped(*point.max_ulp) : "") +
            number_cell(point.cosine, fmt::format("{:.9g}", point.cosine)) +
            (with_floor ? number_cell(point.floor_units.value_or(0),
                                      fmt::format("{:.3g}", point.floor_units.value_or(0)))
                        : "") +
            cell(point.looks_like) + cell(point.where) + "</tr>\n";
  }
  return rows;
}

std::vector<std::string> point_titles(const std::vector<OutputPair>& points) {
  std::vector<std::string> titles = {"point", "#differing", "#up to", "#ULP", "#cosine"};
  if (has_floor(points)) titles.emplace_back("#x rounding");
  titles.insert(titles.end(), {"looks like", "where"});
  return titles;
}

std::string divergence(const Report& report) {
  std::vector<Divergence> all = report.divergence;
  if (report.traces && report.subjects.size() == 2)
    all.push_back({report.subjects[0].label, report.subjects[1].label, report.outputs});
  std::string body;
  for (const Divergence& each : all) {
    body += fmt::format(
        "<figure><figcaption>{} and {}: largest difference at each point, in "
        "execution order{}</figcaption>{}</figure>\n<details><summary>The numbers "
        "of {} points</summary>{}</details>\n",
        html_text(each.a), html_text(each.b),
        has_floor(each.points) ? "; the band is what rounding alone does" : "",
        divergence_plot(each), each.points.size(),
        table(point_titles(each.points), point_rows(each.points), "sortable"));
  }
  return section("divergence", "Where they part", body);
}

std::string outputs(const Report& report) {
  if (report.traces) return "";
  std::string rows;
  for (const OutputPair& pair : report.outputs) {
    rows += "<tr>" + cell(pair.a + ", " + pair.b) + cell(pair.point) + cell(pair.verdict) +
            number_cell(static_cast<double>(pair.differing),
                        percent(pair.differing, pair.elements) + " of " + grouped(pair.elements)) +
            number_cell(pair.max_abs, short_number(pair.max_abs)) + "</tr>\n";
  }
  return rows.empty() ? ""
                      : section("outputs", "Outputs",
                                table({"of", "point", "verdict", "#differing", "#up to"}, rows));
}

std::string tokens(const Report& report) {
  std::string body;
  for (const TokenMap& map : report.token_maps)
    body += fmt::format(
        "<figure class=\"square\"><figcaption>Place of each patch of the first "
        "image among the tokens of {} and of {}; in one order all would stand on "
        "the diagonal</figcaption>{}</figure>\n",
        html_text(map.a), html_text(map.b), token_plot(map));
  return section("tokens", "The order of the tokens", body);
}

/// One pair's table of tensors.
class Tensors {
 public:
  Tensors(const Report& report, const WeightPair& pair)
      : pair_(pair), a_(subject_of(report, pair.a)), b_(subject_of(report, pair.b)) {}

  std::string html() {
    std::string rows;
    const std::vector<TensorMatch>& matches = pair_.comparison.matches;
    for (std::size_t i = 0; i < std::min(matches.size(), kMostRows); ++i) rows += row(matches[i]);
    for (const std::string& name : pair_.comparison.only_a)
      rows += "<tr>" + cell(name) + cell("") + cell("only in " + pair_.a) + rest() + "</tr>\n";
    for (const std::string& name : pair_.comparison.only_b)
      rows += "<tr>" + cell("") + cell(name) + cell("only in " + pair_.b) + rest() + "</tr>\n";
    std::string left_out;
    if (matches.size() > kMostRows)
      left_out = fmt::format("<p>{} more tensors are not shown here.</p>\n",
                             grouped(matches.size() - kMostRows));
    const bool equal = pair_.comparison.verdict == WeightsVerdict::identical;
    return fmt::format("<h3>{} and {}: {}</h3>\n<details{}><summary>{}</summary>{}{}</details>\n",
                       html_text(pair_.a), html_text(pair_.b),
                       weights_verdict_name(pair_.comparison.verdict), equal ? "" : " open",
                       quantity(matches.size(), "tensor"),
                       table({"in " + pair_.a, "in " + pair_.b, "how", "#differing", "#up to",
                              "#relative", "differences"},
                             rows, "sortable filterable"),
                       left_out);
  }

 private:
  static std::string rest() { return cell("") + cell("") + cell("") + cell(""); }

  std::string row(const TensorMatch& match) {
    std::string text =
        "<tr>" + cell(names(a_, match.a), "name") + cell(names(b_, match.b), "name") +
        cell(match.how.empty() ? match_kind_name(match.kind)
                               : std::string(match_kind_name(match.kind)) + ": " + match.how);
    if (!match.stats) return text + rest() + "</tr>\n";
    const TensorStats& stats = *match.stats;
    return text +
           number_cell(static_cast<double>(stats.differing),
                       percent(stats.differing, stats.elements)) +
           number_cell(stats.max_abs, short_number(stats.max_abs)) +
           number_cell(stats.relative_norm, short_number(stats.relative_norm)) + "<td>" +
           histogram(match) + "</td></tr>\n";
  }

  static std::string names(const Subject& subject, const std::vector<std::uint32_t>& indexes) {
    std::string text;
    for (const std::uint32_t index : indexes)
      text += (text.empty() ? "" : ", ") + weight_name(subject, index);
    return text;
  }

  std::string histogram(const TensorMatch& match) {
    if (match.a.size() != 1 || match.b.size() != 1 || shown_ == kMostHistograms) return "";
    const ValuePair values{view_of(a_, match.a[0]), view_of(b_, match.b[0])};
    if (!have_numbers(values) || values.a.numel() != values.b.numel()) return "";
    if (!is_floating(values.a.dtype()) || !is_floating(values.b.dtype())) return "";
    ++shown_;
    const DifferenceCounts counts = count_differences(values);
    return difference_histogram(counts.counts, counts.lowest);
  }

  static const TensorView& view_of(const Subject& subject, std::uint32_t index) {
    const Candidate& candidate = subject.checkpoint->weights();
    const std::size_t weights = candidate.weights.size();
    return subject.checkpoint
        ->entries[index < weights ? candidate.weights[index] : candidate.buffers[index - weights]]
        .view;
  }

  const WeightPair& pair_;
  const Subject& a_;
  const Subject& b_;
  std::size_t shown_ = 0;
};

std::string weights(const Report& report) {
  std::string body;
  for (const WeightPair& pair : report.weights) body += Tensors(report, pair).html();
  return section("weights", "Weights", body);
}

std::string fields(const Report& report) {
  std::string body;
  const auto add = [&](const std::vector<FieldsPair>& pairs, const char* what) {
    for (const FieldsPair& pair : pairs) {
      std::string rows;
      for (const FieldDifference& field : pair.fields)
        rows += "<tr>" + cell(field.field) +
                cell(field.missing_a ? "absent" : value_text(field.a)) +
                cell(field.missing_b ? "absent" : value_text(field.b)) +
                cell(field_effect_name(field.effect)) + cell(field.why) + "</tr>\n";
      if (rows.empty()) continue;
      body += fmt::format("<h3>{} of {} and {}</h3>\n", what, html_text(pair.a), html_text(pair.b));
      body += table({"field", "in " + pair.a, "in " + pair.b, "moves", "what it can do"}, rows,
                    "sortable");
    }
  };
  add(report.config, "Config");
  add(report.preprocessing, "Preprocessing");
  return section("fields", "Config and preprocessing", body);
}

std::string loads(const Report& report) {
  std::string rows;
  for (const LoadReport& load : report.loads)
    rows += "<tr>" + cell(load.target) + cell(load.way) +
            number_cell(static_cast<double>(load.loaded),
                        fmt::format("{} of {}", load.loaded, load.target_tensors)) +
            number_cell(static_cast<double>(load.random.size()), grouped(load.random.size())) +
            number_cell(static_cast<double>(load.dropped.size()), grouped(load.dropped.size())) +
            cell(load.raises) + "</tr>\n";
  return rows.empty()
             ? ""
             : section(
                   "loads", "What loading would do",
                   table({"target", "way", "#loaded", "#left random", "#dropped", "raises"}, rows));
}

std::string resume_parts(const Report& report) {
  std::string rows;
  for (const ResumePart& part : report.resume)
    rows += "<tr>" + cell(part.subject) + cell(part.part) + cell(part.state) + cell(part.place) +
            cell(part.detail) + "</tr>\n";
  return rows.empty() ? ""
                      : section("resume", "What exact resumption needs",
                                table({"subject", "part", "state", "place", "detail"}, rows));
}

/// inspect: every tensor.
std::string contents(const Report& report) {
  if (report.command != "inspect") return "";
  std::string body;
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint) continue;
    std::string rows;
    const std::vector<StoredTensor>& entries = subject.checkpoint->entries;
    for (std::size_t i = 0; i < std::min(entries.size(), kMostRows); ++i)
      rows += "<tr>" + cell(entries[i].path, "name") +
              cell(std::string(info(entries[i].view.dtype()).torch)) +
              cell(shape_text(entries[i].view.shape())) +
              number_cell(static_cast<double>(entries[i].view.nbytes()),
                          size_text(entries[i].view.nbytes())) +
              cell(role_name(entries[i].role)) + "</tr>\n";
    body += table({"tensor", "type", "shape", "#size", "role"}, rows, "sortable filterable");
  }
  return section("contents", "Tensors", body);
}

}  // namespace

std::string render_html(const Report& report) {
  const FloatMode contract;
  std::string body = header(report) + "<main>\n" + subjects(report) + findings(report) +
                     runs(report) + outputs(report) + divergence(report) + tokens(report) +
                     fields(report) + weights(report) + loads(report) + resume_parts(report) +
                     contents(report);
  body += section("assumed", "Assumed", list(report.assumed));
  body += section("unchecked", "Not checked", list(report.not_checked));
  return html_page("samebits " + report.command, body + "</main>\n",
                   std::string("samebits ") + tool_version());
}

}  // namespace samebits
