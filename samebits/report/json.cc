#include "samebits/report/json.h"

#include "samebits/base/float_mode.h"
#include "samebits/explain/causes.h"
#include "samebits/explain/scope.h"
#include "samebits/report/json_subject.h"

namespace samebits {
namespace {

// One name as a string; several, where tensors are fused or split, as an array.
Json names_json(const Subject& subject, const std::vector<std::uint32_t>& indexes) {
  if (indexes.size() == 1) return weight_name(subject, indexes[0]);
  Json names = Json::array();
  for (const std::uint32_t index : indexes) names.push_back(weight_name(subject, index));
  return names;
}

Json stats_json(const TensorStats& stats) {
  return {{"elements", stats.elements},
          {"differing", stats.differing},
          {"max_abs", json_number(stats.max_abs)},
          {"mean_abs", json_number(stats.mean_abs)},
          {"max_relative", json_number(stats.max_relative)},
          {"max_ulp", stats.max_ulp ? Json(*stats.max_ulp) : Json()},
          {"cosine", json_number(stats.cosine)},
          {"norm_ratio", json_number(stats.norm_ratio)},
          {"relative_norm", json_number(stats.relative_norm)},
          {"rows", stats.rows},
          {"rows_differing", stats.rows_differing},
          {"first", stats.first},
          {"nan_a", stats.nan_a},
          {"nan_b", stats.nan_b},
          {"inf_a", stats.inf_a},
          {"inf_b", stats.inf_b},
          {"pattern", stats.pattern}};
}

Json rules_json(const std::vector<RenameRule>& rules) {
  Json json = Json::array();
  for (const RenameRule& rule : rules) {
    json.push_back({{"from", rule.from}, {"to", rule.to}, {"count", rule.count}});
  }
  return json;
}

// Every match but those of the same name and the same bytes.
Json matches_json(const Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  Json json = Json::array();
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind == MatchKind::same) continue;
    const char* kind = match_kind_name(match.kind);
    json.push_back({{"a", names_json(a, match.a)},
                    {"b", names_json(b, match.b)},
                    {"kind", kind},
                    {"how", match.how.empty() ? kind : match.how},
                    {"beyond", match.beyond ? Json(*match.beyond) : Json()},
                    {"stats", match.stats ? stats_json(*match.stats) : Json()}});
  }
  return json;
}

template <class T>  // Exchange or TieDifference
Json name_sets_json(const std::vector<T>& sets) {
  Json json = Json::array();
  for (const T& each : sets) {
    json.push_back({{"a", each.names_a}, {"b", each.names_b}, {"summary", each.summary}});
  }
  return json;
}

Json segments_json(const std::vector<Segment>& segments) {
  Json json = Json::array();
  for (const Segment& segment : segments)
    json.push_back({{"name", segment.name},
                    {"kind", segment_kind_name(segment.kind)},
                    {"status", segment_status_name(segment.status)},
                    {"relative", segment.relative ? json_number(*segment.relative) : Json()},
                    {"least", segment.least ? json_number(*segment.least) : Json()},
                    {"most", segment.most ? json_number(*segment.most) : Json()},
                    {"tensors", segment.tensors},
                    {"changed", segment.changed},
                    {"only_a", segment.only_a},
                    {"only_b", segment.only_b}});
  return json;
}

Json weights_json(const Report& report) {
  Json json = Json::array();
  for (const WeightPair& pair : report.weights) {
    const WeightComparison& found = pair.comparison;
    json.push_back({{"a", pair.a},
                    {"b", pair.b},
                    {"verdict", weights_verdict_name(found.verdict)},
                    {"matched", found.matched},
                    {"renamed", found.renamed},
                    {"changed", found.changed},
                    {"only_a", found.only_a},
                    {"only_b", found.only_b},
                    {"segments", segments_json(pair.segments)},
                    {"rules", rules_json(found.rules)},
                    {"tensors", matches_json(report, pair)},
                    {"exchanges", name_sets_json(found.exchanges)},
                    {"ties", name_sets_json(found.ties)},
                    {"unreadable", found.unreadable},
                    {"unsearched", found.unsearched},
                    {"bytes_compared", found.bytes_compared}});
  }
  return json;
}

Json fields_json(const std::vector<FieldsPair>& pairs) {
  Json json = Json::array();
  for (const FieldsPair& pair : pairs) {
    Json fields = Json::array();
    for (const FieldDifference& difference : pair.fields) {
      fields.push_back({{"field", difference.field},
                        {"a", finite_json(difference.a)},
                        {"b", finite_json(difference.b)},
                        {"missing_a", difference.missing_a},
                        {"missing_b", difference.missing_b},
                        {"effect", field_effect_name(difference.effect)},
                        {"why", difference.why}});
    }
    json.push_back({{"a", pair.a}, {"b", pair.b}, {"fields", std::move(fields)}});
  }
  return json;
}

Json outputs_json(const std::vector<OutputPair>& pairs) {
  Json json = Json::array();
  for (const OutputPair& pair : pairs) {
    json.push_back(
        {{"a", pair.a},
         {"b", pair.b},
         {"point", pair.point},
         {"verdict", pair.verdict},
         {"elements", pair.elements},
         {"differing", pair.differing},
         {"max_abs", json_number(pair.max_abs)},
         {"max_ulp", pair.max_ulp ? Json(*pair.max_ulp) : Json()},
         {"cosine", json_number(pair.cosine)},
         {"floor_units", pair.floor_units ? json_number(*pair.floor_units) : Json()},
         {"floor_max_abs", pair.floor_max_abs ? json_number(*pair.floor_max_abs) : Json()},
         {"beyond", pair.beyond ? Json(*pair.beyond) : Json()},
         {"looks_like", pair.looks_like},
         {"where", pair.where}});
  }
  return json;
}

Json runs_json(const std::vector<RunLine>& runs) {
  Json json = Json::array();
  for (const RunLine& line : runs) json.push_back({{"run", line.run}, {"outcome", line.outcome}});
  return json;
}

Json divergence_json(const std::vector<Divergence>& divergence) {
  Json json = Json::array();
  for (const Divergence& each : divergence)
    json.push_back({{"a", each.a}, {"b", each.b}, {"points", outputs_json(each.points)}});
  return json;
}

Json refits_json(const std::vector<LoadRefit>& refits) {
  Json json = Json::array();
  for (const LoadRefit& refit : refits)
    json.push_back({{"from", refit.from}, {"to", refit.to}, {"count", refit.count}});
  return json;
}

Json loads_json(const std::vector<LoadReport>& loads) {
  Json json = Json::array();
  for (const LoadReport& load : loads) {
    json.push_back({{"target", load.target},
                    {"way", load.way},
                    {"run_by", load.run_by.empty() ? Json() : Json(load.run_by)},
                    {"target_tensors", load.target_tensors},
                    {"loaded", load.loaded},
                    {"random", load.random},
                    {"dropped", load.dropped},
                    {"mismatched", load.mismatched},
                    {"silent", load.silent},
                    {"raises", load.raises.empty() ? Json() : Json(load.raises)},
                    {"written_for_5_only", load.written_for_5_only},
                    {"repair", rules_json(load.repair)},
                    {"refits", refits_json(load.refits)},
                    {"restored", load.restored.size()},
                    {"unplaced", load.unplaced},
                    {"searched", load.searched}});
  }
  return json;
}

Json findings_json(const Findings& findings) {
  Json json = Json::array();
  for (const Finding& finding : findings) {
    const Cause& known = cause(finding.cause);
    json.push_back({{"cause", std::string(known.id)},
                    {"role", role_name(finding.role)},
                    {"proof", proof_name(finding.proof)},
                    {"subjects", finding.subjects},
                    {"summary", finding.summary},
                    {"details", finding.details},
                    {"evidence", finite_json(finding.evidence)},
                    {"remedy", finding.remedy},
                    {"settle", finding.settle}});
  }
  return json;
}

Json resume_json(const std::vector<ResumePart>& parts) {
  Json json = Json::array();
  for (const ResumePart& part : parts) {
    json.push_back({{"subject", part.subject},
                    {"part", part.part},
                    {"state", part.state},
                    {"place", part.place.empty() ? Json() : Json(part.place)},
                    {"detail", part.detail.empty() ? Json() : Json(part.detail)}});
  }
  return json;
}

Json filter_json(const Report& report) {
  if (!report.scope.filter) return {};
  Json taken = Json::array();
  for (const LeftOut& each : report.left_out)
    taken.push_back({{"subject", each.label}, {"taken", each.taken}, {"tensors", each.total}});
  return {{"regex", report.scope.filter->text()}, {"subjects", std::move(taken)}};
}

Json tolerance_json(const Report& report) {
  if (!report.scope.tolerance) return {};
  const ToleranceCounts counts = tolerance_counts(report);
  return {{"rtol", report.scope.tolerance->relative},
          {"atol", report.scope.tolerance->absolute},
          {"differing", counts.differing},
          {"beyond", counts.beyond}};
}

Json answers_json(const std::optional<Answers>& answers) {
  if (!answers) return {};
  const auto text = [](const std::string& each) { return each.empty() ? Json() : Json(each); };
  return {{"load", text(answers->load)},
          {"model", text(answers->model)},
          {"trained", text(answers->trained)},
          {"trust", text(answers->trust)}};
}

/// What every command's report has.
Json common_json(const Report& report) {
  Json subjects = Json::array();
  for (const Subject& subject : report.subjects) {
    Json json = subject_json(subject);
    if (report.command == "inspect") add_contents(report, subject, &json);
    subjects.push_back(std::move(json));
  }
  return {{"schema", "samebits.report/1"},
          {"tool", {{"version", tool_version()}}},
          {"command", report.command},
          {"verdict", verdict_name(report.verdict)},
          {"diagnosis", report.diagnosis},
          {"filter", filter_json(report)},
          {"tolerance", tolerance_json(report)},
          {"subjects", std::move(subjects)},
          {"weights", weights_json(report)},
          {"config", fields_json(report.config)},
          {"preprocessing", fields_json(report.preprocessing)},
          {"outputs", outputs_json(report.outputs)},
          {"runs", runs_json(report.runs)},
          {"divergence", divergence_json(report.divergence)},
          {"loads", loads_json(report.loads)},
          {"findings", findings_json(report.findings)},
          {"assumed", report.assumed},
          {"not_checked", report.not_checked}};
}

}  // namespace

const char* tool_version() { return SAMEBITS_VERSION; }

Json render_json(const Report& report) {
  const FloatMode contract;
  Json json = common_json(report);
  if (report.command == "inspect") json["answers"] = answers_json(report.answers);
  if (report.command == "resume") json["resume"] = resume_json(report.resume);
  return json;
}

std::string json_text(const Report& report) { return json_lines(render_json(report)); }

std::string error_json_text(const std::string& command, const std::string& error,
                            const std::string& help) {
  return json_lines({{"schema", "samebits.error/1"},
                     {"tool", {{"version", tool_version()}}},
                     {"command", command.empty() ? Json() : Json(command)},
                     {"error", error},
                     {"help", help.empty() ? Json() : Json(help)}});
}

std::string json_lines(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace samebits
