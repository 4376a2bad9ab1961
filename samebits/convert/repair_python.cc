#include "samebits/convert/repair_python.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// Names that need no escape in a string of Python, in a regular expression only for dots.
bool is_plain_name(const std::string& text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '/' || c == ':' || c == ' ';
  });
}

/// The text between the numbers of a template: "a.", ".b" of "a.{n}.b"; their names in `numbers`.
std::vector<std::string> texts_of(const std::string& pattern, std::vector<std::string>* numbers) {
  std::vector<std::string> texts = {""};
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::size_t end = pattern[i] == '{' ? pattern.find('}', i) : std::string::npos;
    if (end == std::string::npos) {
      texts.back() += pattern[i];
      continue;
    }
    numbers->push_back(pattern.substr(i + 1, end - i - 1));
    texts.emplace_back();
    i = end;
  }
  return texts;
}

bool can_stand(const std::string& pattern) {
  std::vector<std::string> numbers;
  return std::ranges::all_of(texts_of(pattern, &numbers), is_plain_name);
}

/// r"a\.(\d+)\.b" of "a.{n}.b".
std::string expression_of(const std::string& pattern, std::vector<std::string>* numbers) {
  std::string escaped;
  for (const std::string& text : texts_of(pattern, numbers)) {
    for (const char c : text) escaped += c == '.' ? std::string("\\.") : std::string(1, c);
    escaped += R"((\d+))";
  }
  escaped.resize(escaped.size() - std::string_view(R"((\d+))").size());  // one fewer than texts
  return escaped;
}

/// A template is what stands in an f-string of Python.
std::string f_string(const std::string& pattern) {
  return (pattern.find('{') == std::string::npos ? "\"" : "f\"") + pattern + "\"";
}

std::string rule_lines(const LoadReport& load) {
  std::string lines;
  for (const RenameRule& rule : load.repair) {
    std::vector<std::string> numbers;
    const std::string expression = expression_of(rule.from, &numbers);
    lines += fmt::format("        (r\"{}\", lambda{}{}: {}),\n", expression,
                         numbers.empty() ? "" : " ", fmt::join(numbers, ", "), f_string(rule.to));
  }
  return lines;
}

std::string joined(const std::vector<std::string>& patterns, const char* what) {
  std::vector<std::string> parts;
  for (const std::string& pattern : patterns)
    parts.push_back(fmt::format(fmt::runtime(what), f_string(pattern)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string refit_lines(const LoadReport& load) {
  std::string lines;
  for (const LoadRefit& refit : load.refits) {
    std::vector<std::string> numbers;
    const std::string expression = expression_of(refit.from[0], &numbers);
    lines += fmt::format("    for found in [re.fullmatch(r\"{}\", name) for name in state]:\n",
                         expression);
    lines += "        if not found:\n            continue\n";
    if (!numbers.empty()) lines += fmt::format("        n = found[1]\n");
    if (refit.to.size() == 1)
      lines += fmt::format("        new[{}] = torch.cat([{}])\n", f_string(refit.to[0]),
                           joined(refit.from, "rest.pop({})"));
    else
      lines += fmt::format("        {} = rest.pop({}).chunk({})\n", joined(refit.to, "new[{}]"),
                           f_string(refit.from[0]), refit.to.size());
  }
  return lines;
}

/// The first that the repair leaves without a value.
std::string first_lost(const LoadReport& load) {
  for (const auto* names : {&load.random, &load.mismatched})
    for (const std::string& name : *names)
      if (!load.restored.contains(name)) return name;
  return "";
}

}  // namespace

Error nothing_to_repair(const Report& made, const std::string& path) {
  return {.code = ErrorCode::usage,
          .what = made.not_checked.empty() ? "nothing was found that could be repaired"
                                           : made.not_checked.front(),
          .file = path};
}

Result<void> check_repairable(const LoadReport& load, const std::string& path) {
  const std::size_t open = load.random.size() + load.mismatched.size();
  if (open == 0 && load.raises.empty() && load.dropped.empty())
    return fail({.code = ErrorCode::usage,
                 .what = "nothing is to be repaired: " + load.target + " loads all of it",
                 .file = path});
  if (open > load.restored.size())
    return fail(
        {.code = ErrorCode::unsupported,
         .what = fmt::format(
             "no repair was found for {} of {} that would not be loaded into {}: {}",
             open - load.restored.size(), counted(open, "tensor"), load.target, first_lost(load)),
         .file = path});
  if (!load.ambiguous.empty())
    return fail({.code = ErrorCode::usage,
                 .what = fmt::format("more than one renaming fits: other tensors stand under {}",
                                     fmt::join(load.ambiguous, ", ")),
                 .file = path,
                 .hint = "Name the weights that are meant: --key NAME"});
  return {};
}

Result<std::string> repair_as_python(const LoadReport& load, const std::string& path) {
  SAMEBITS_TRY_VOID(check_repairable(load, path));
  if (load.repair.empty() && load.refits.empty())
    return fail({.code = ErrorCode::usage,
                 .what = "no tensor is to be renamed, cut or stacked",
                 .file = path});
  std::vector<std::string> patterns;
  for (const RenameRule& rule : load.repair) patterns.insert(patterns.end(), {rule.from, rule.to});
  for (const LoadRefit& refit : load.refits) {
    patterns.insert(patterns.end(), refit.from.begin(), refit.from.end());
    patterns.insert(patterns.end(), refit.to.begin(), refit.to.end());
  }
  for (const std::string& pattern : patterns)
    if (!can_stand(pattern))
      return fail({.code = ErrorCode::unsupported,
                   .what = "the name " + pattern + " cannot stand in a line of Python",
                   .file = path,
                   .hint = "Let --write FIXED apply the repair"});
  const bool stacks =
      std::ranges::any_of(load.refits, [](const LoadRefit& refit) { return refit.to.size() == 1; });
  std::string text = "import re\n\n";
  if (stacks) text += "import torch\n\n";
  text += fmt::format(
      "\ndef repaired(state):\n"
      "    \"\"\"The tensors of {} under the names of {}: {} of {} that were not loaded.\"\"\"\n"
      "    rest, new = dict(state), {{}}\n",
      is_plain_name(path) ? path : "the checkpoint",
      is_plain_name(load.target) ? load.target : "the target", load.restored.size(),
      load.random.size() + load.mismatched.size());
  text += refit_lines(load);
  if (!load.repair.empty()) text += "    rules = [\n" + rule_lines(load) + "    ]\n";
  text += "    for name, tensor in rest.items():\n";
  if (!load.repair.empty())
    text +=
        "        for start, to in rules:\n"
        "            if found := re.match(start, name):\n"
        "                name = to(*map(int, found.groups())) + name[found.end():]\n"
        "                break\n";
  text += "        new[name] = tensor\n    return new\n";
  return text;
}

}  // namespace samebits
