#include "samebits/explain/script_findings.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "samebits/checkpoint/script_program.h"
#include "samebits/checkpoint/shards.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

const ScriptProgram* program_of(const Subject& subject) {
  return subject.checkpoint->program ? &*subject.checkpoint->program : nullptr;
}

/// "my.Block" of "my.Block#0".
std::string unit_label(const std::string& name) { return name.substr(0, name.rfind('#')); }

/// So much of a line that its byte `at` stands in it, and some of what is before.
std::string line_around(std::string_view text, std::size_t at) {
  constexpr std::size_t kLongest = 90;
  constexpr std::size_t kBefore = 40;
  const std::size_t break_before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  std::size_t begin = break_before == std::string_view::npos ? 0 : break_before + 1;
  std::string_view line = text.substr(begin, text.find('\n', begin) - begin);
  const std::size_t blanks = std::min(line.size(), line.find_first_not_of(' '));
  line.remove_prefix(blanks);
  begin += blanks;
  const std::size_t place = at - std::min(at, begin);
  const std::size_t cut = line.size() > kLongest && place > kBefore ? place - kBefore : 0;
  const std::string_view shown = line.substr(cut, kLongest);
  return fmt::format("{}{}{}", cut > 0 ? "..." : "", shown,
                     cut + shown.size() < line.size() ? "..." : "");
}

/// The first lines of two texts that differ.
std::string differing_lines(const std::string& a, const std::string& b) {
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const auto place = static_cast<std::size_t>(left - a.begin());
  return fmt::format("`{}` against `{}`", line_around(a, place), line_around(b, place));
}

std::optional<double> number_in(const std::string& text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

struct UnitDifference {
  std::string name;  // with its number
  const std::string* a = nullptr;
  const std::string* b = nullptr;
};

std::vector<UnitDifference> unit_differences(const ScriptProgram& a, const ScriptProgram& b) {
  std::map<std::string_view, const std::string*> right;
  for (const ScriptUnit& unit : b.units) right.emplace(unit.name, &unit.text);
  std::vector<UnitDifference> found;
  for (const ScriptUnit& unit : a.units) {
    const auto other = right.find(unit.name);
    if (other == right.end()) {
      found.push_back({unit.name, &unit.text, nullptr});
      continue;
    }
    if (*other->second != unit.text) found.push_back({unit.name, &unit.text, other->second});
    right.erase(other);
  }
  for (const ScriptUnit& unit : b.units)
    if (right.contains(unit.name)) found.push_back({unit.name, nullptr, &unit.text});
  return found;
}

using NumberPair = std::pair<double, double>;

void add_number_pairs(const Json& a, const Json& b, std::set<NumberPair>* pairs) {
  if (a.is_number() && b.is_number()) pairs->emplace(a.get<double>(), b.get<double>());
  for (std::size_t i = 0; a.is_array() && b.is_array() && i < std::min(a.size(), b.size()); ++i)
    add_number_pairs(a[i], b[i], pairs);
}

/// The numbers of attributes of modules that were found to differ.
std::set<NumberPair> numbers_said(const Report& report, const Subject& a, const Subject& b) {
  std::set<NumberPair> pairs;
  for (const Finding& finding : report.findings) {
    if (finding.cause != "config.changed" || !finding.evidence.contains("fields") ||
        finding.subjects != std::vector<std::string>{a.label, b.label})
      continue;
    for (const auto& [field, values] : finding.evidence["fields"].items())
      if (values.is_array() && values.size() == 2) add_number_pairs(values[0], values[1], &pairs);
  }
  return pairs;
}

/// Pieces of code: a number whole, or one other character.
std::vector<std::string> code_pieces(const std::string& text) {
  constexpr std::string_view kOfNumbers = "0123456789.eE+-";
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_word = [&](char c) {
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  std::vector<std::string> pieces;
  for (std::size_t i = 0; i < text.size();) {
    const bool begins = is_digit(text[i]) && (i == 0 || !is_word(text[i - 1]));
    std::size_t end = i + 1;
    while (begins && end < text.size() && kOfNumbers.find(text[end]) != std::string_view::npos &&
           (is_digit(text[end]) || text[end] == '.' || text[end] == 'e' || text[end] == 'E' ||
            text[end - 1] == 'e' || text[end - 1] == 'E'))
      ++end;
    pieces.push_back(text.substr(i, end - i));
    i = end;
  }
  return pieces;
}

/// Whether two texts differ in numbers alone, all of which were said of the modules.
bool is_said_of_modules(const UnitDifference& unit, const std::set<NumberPair>& said) {
  if (unit.a == nullptr || unit.b == nullptr || said.empty()) return false;
  const std::vector<std::string> left = code_pieces(*unit.a);
  const std::vector<std::string> right = code_pieces(*unit.b);
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i] == right[i]) continue;
    const auto x = number_in(left[i]);
    const auto y = number_in(right[i]);
    if (!x || !y || !said.contains({*x, *y})) return false;
  }
  return true;
}

/// A layer of torch that one side has alone: another model, whatever the versions are.
bool has_other_layers(const std::vector<UnitDifference>& units) {
  const auto stands_alone = [](const UnitDifference& unit) {
    return (unit.a == nullptr || unit.b == nullptr) && unit.name.starts_with("torch.nn.modules.") &&
           !changes_nothing_in_evaluation(unit.name);
  };
  return std::ranges::any_of(units, [&](const UnitDifference& unit) {
    if (!stands_alone(unit)) return false;
    return std::ranges::none_of(units, [&](const UnitDifference& other) {
      return stands_alone(other) && (other.a == nullptr) != (unit.a == nullptr) &&
             is_same_function(unit_label(unit.name), unit_label(other.name));
    });
  });
}

void report_code(Report& report, const Subject& a, const Subject& b,
                 const std::vector<UnitDifference>& units) {
  constexpr std::size_t kShown = 6;
  // Its own functions are written otherwise by other versions of torch; a trace holds numbers.
  const bool only_torch =
      program_of(a)->way == "scripted" &&
      std::ranges::all_of(
          units, [](const UnitDifference& unit) { return unit.name.starts_with("torch."); }) &&
      !has_other_layers(units);
  Finding finding{.cause = "code.version",
                  .role = only_torch ? Role::note : Role::contributes,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  std::vector<std::string> names;
  for (const UnitDifference& unit : units) {
    if (names.empty() || names.back() != unit_label(unit.name))
      names.push_back(unit_label(unit.name));
    if (finding.details.size() >= kShown) continue;
    if (unit.a == nullptr || unit.b == nullptr) {
      finding.details.push_back(fmt::format("{} stands only in {}", unit_label(unit.name),
                                            unit.a != nullptr ? a.label : b.label));
    } else {
      finding.details.push_back(unit_label(unit.name) + ": " + differing_lines(*unit.a, *unit.b));
    }
  }
  finding.summary = fmt::format("the TorchScript code differs in {}{}", some_of(names),
                                only_torch ? ", all of it torch's own" : "");
  finding.evidence = {{"units", name_list(names)}};
  finding.remedy = "Script or trace both models again by the same code and version";
  add_finding(report, std::move(finding));
  if (!only_torch) return;
  add_gap(report,
          fmt::format("{} and {}: whether torch's own functions, which their code holds in two "
                      "wordings, compute the same",
                      a.label, b.label),
          Gap::open);
}

void report_constants(Report& report, const Subject& a, const Subject& b) {
  const ScriptProgram& left = *program_of(a);
  const ScriptProgram& right = *program_of(b);
  std::vector<std::string> names;
  Json fields = Json::object();
  for (std::size_t i = 0; i < std::min(left.constants.size(), right.constants.size()); ++i) {
    const std::uint32_t x = left.constants[i];
    const std::uint32_t y = right.constants[i];
    if (x == kNoConstant && y == kNoConstant) continue;
    const bool equal = x != kNoConstant && y != kNoConstant &&
                       have_equal_values(a.checkpoint->entries[x], b.checkpoint->entries[y]);
    if (equal) continue;
    const auto path = [](const Subject& subject, std::uint32_t entry) {
      return entry == kNoConstant ? Json() : Json(subject.checkpoint->entries[entry].path);
    };
    names.push_back(x == kNoConstant ? fmt::format("c{}", i) : a.checkpoint->entries[x].path);
    if (fields.size() < 100) fields[names.back()] = Json::array({path(a, x), path(b, y)});
  }
  if (names.empty()) return;
  Finding finding{.cause = "config.changed",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary =
      fmt::format("the code is the same, and {} of its constants {}: {}", names.size(),
                  names.size() == 1 ? "differs" : "differ", some_of(names));
  finding.evidence = {{"fields", std::move(fields)}};
  finding.remedy = "Build both models with the values that were meant, and trace them again";
  add_finding(report, std::move(finding));
}

/// A frozen archive's constants are its weights, which were compared before.
bool weights_say_it(const Report& report, const Subject& a, const Subject& b) {
  if (program_of(a)->way != "frozen") return false;
  const WeightPair* pair = weights_of(report, a, b);
  return pair != nullptr && !says_equal(pair->comparison.verdict);
}

void compare_programs(Report& report, const Subject& a, const Subject& b) {
  std::vector<UnitDifference> units = unit_differences(*program_of(a), *program_of(b));
  const std::set<NumberPair> said = numbers_said(report, a, b);
  std::erase_if(units, [&](const UnitDifference& unit) { return is_said_of_modules(unit, said); });
  if (!units.empty()) return report_code(report, a, b, units);
  if (program_of(a)->version != program_of(b)->version) {
    add_gap(report,
            fmt::format("{} and {}: their code is the same text of two versions ({} and {}), in "
                        "which operators may mean different things",
                        a.label, b.label, program_of(a)->version, program_of(b)->version),
            Gap::open);
  }
  if (!weights_say_it(report, a, b)) report_constants(report, a, b);
}

void note_ways(Report& report, const Subject& a, const Subject& b) {
  Finding finding{.cause = "code.version",
                  .role = Role::note,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary =
      fmt::format("{} is {}, {} is {}: their code cannot be alike, and was not compared", a.label,
                  program_of(a)->way, b.label, program_of(b)->way);
  for (const Subject* subject : {&a, &b}) {
    if (program_of(*subject)->way == "frozen")
      finding.details.push_back(subject->label +
                                ": freezing may fold batch norms into weights, and leaves no "
                                "state_dict()");
  }
  finding.settle = "Run both on one input";
  finding.evidence = {{"ways", Json::array({program_of(a)->way, program_of(b)->way})}};
  add_finding(report, std::move(finding));
}

}  // namespace

void find_script_changes(Report& report, const Subject& a, const Subject& b) {
  const ScriptProgram* left = program_of(a);
  const ScriptProgram* right = program_of(b);
  if (left == nullptr && right == nullptr) return;
  if (left != nullptr && right != nullptr && left->way == right->way)
    return compare_programs(report, a, b);
  if (left != nullptr && right != nullptr) note_ways(report, a, b);
  for (const auto& [program, subject] : {std::pair(left, &a), std::pair(right, &b)}) {
    if (program != nullptr)
      report.not_checked.push_back(
          fmt::format("{}: what its code ({}) computes", subject->label, program->way));
  }
}

void settle_script_attributes(const Subject& a, const Subject& b,
                              std::vector<ModuleDifference>* differences) {
  const ScriptProgram* left = program_of(a);
  const ScriptProgram* right = program_of(b);
  if (left == nullptr && right == nullptr) return;
  const bool alike = left != nullptr && right != nullptr && left->way == right->way;
  std::erase_if(*differences, [&](const ModuleDifference& each) {
    // The code of two archives is compared by itself.
    if (each.is_code || each.attribute.empty()) return true;
    return !alike && (each.a.is_null() || each.b.is_null() || !each.comparable);
  });
  std::set<std::string, std::less<>> read;
  for (const ScriptProgram* program : {left, right})
    if (program != nullptr) read.merge(attributes_read(*program));
  for (ModuleDifference& each : *differences) {
    const bool settled = each.effect != AttributeEffect::unknown && !each.by_name;
    if (settled || !each.comparable) continue;
    const std::string name = each.attribute.substr(0, each.attribute.find_first_of(".["));
    const bool matters = read.contains(name);
    each.effect = matters ? AttributeEffect::outputs : AttributeEffect::nothing;
    each.why = matters ? "the code reads it" : "no line of the code reads it";
    each.by_name = false;
  }
}

bool has_mode_in_code(const Checkpoint& checkpoint) {
  return checkpoint.program && checkpoint.program->way != "scripted";
}

void find_mode_in_code(Report& report, const Subject& subject) {
  const ScriptProgram& program = *program_of(subject);
  if (program.training.empty()) return;
  std::vector<std::string> names;
  for (const std::string& name : program.training) {
    if (std::ranges::find(names, unit_label(name)) == names.end())
      names.push_back(unit_label(name));
  }
  Finding finding{.cause = "mode.training",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = fmt::format("it was {} in training mode, and its code holds that for good: {}",
                                program.way, some_of(names));
  finding.details.emplace_back("eval() after torch.jit.load changes nothing");
  finding.evidence = {{"modules", name_list(names)}};
  finding.remedy = "Call model.eval() first, and trace the model again";
  add_finding(report, std::move(finding));
}

}  // namespace samebits
