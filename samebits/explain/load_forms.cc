#include "samebits/explain/load_forms.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/load_by_bytes.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

using Names = std::vector<std::string>;

Names names_in(const WeightSet& set, const std::vector<std::uint32_t>& indexes) {
  Names names;
  for (const std::uint32_t index : indexes) names.push_back(set[index].name);
  return names;
}

std::string in_state(const Names& names) {
  Names quoted;
  for (const std::string& name : names) quoted.push_back(fmt::format("state[\"{}\"]", name));
  return fmt::format("{}", fmt::join(quoted, ", "));
}

/// A line of Python; "" for forms that take more.
std::string line_of(const HeldValues& held) {
  constexpr std::string_view kAlong = " along dimension ";
  const std::string to = in_state(held.to), from = in_state(held.from);
  const std::size_t along = held.how.find(kAlong);
  const std::string dimension =
      along == std::string::npos ? "" : held.how.substr(along + kAlong.size());
  if (held.how.starts_with("stacked along") && held.to.size() == 1)
    return fmt::format("{} = torch.cat([{}], {})", to, from, dimension);
  if (held.how.starts_with("cut along") && held.from.size() == 1)
    return fmt::format("{} = {}.split([{}], {})", to, from, fmt::join(held.sizes, ", "), dimension);
  if (held.how.starts_with("reshaped") && held.to.size() == 1 && held.from.size() == 1)
    return fmt::format("{} = {}.reshape({})", to, from, fmt::join(held.sizes, ", "));
  return "";
}

/// For a cut the rows of each piece, else the shape in the target.
std::vector<std::int64_t> sizes_of(const WeightSet& b, const TensorMatch& match) {
  constexpr std::string_view kCut = "cut along dimension ";
  if (!match.how.starts_with(kCut)) return b[match.b[0]].view.shape();
  const auto dimension = static_cast<std::size_t>(match.how[kCut.size()] - '0');
  std::vector<std::int64_t> sizes;
  for (const std::uint32_t index : match.b) {
    const Shape& shape = b[index].view.shape();
    if (dimension < shape.size()) sizes.push_back(shape[dimension]);
  }
  return sizes;
}

/// By which endings of names a tensor's factors stand for it.
struct Form {
  std::array<std::string_view, 2> endings;
  std::string_view what;   // they are
  std::string_view plain;  // what makes one tensor of them in the model that is saved
  std::string_view again;  // what makes them of one in the model that is loaded
};
constexpr auto kForms = std::to_array<Form>({
    {{"_orig", "_mask"},
     "a pruned tensor, NAME_orig and NAME_mask, whose product it is",
     "torch.nn.utils.prune.remove(module, \"weight\")",
     "load into the model before it is pruned"},
    {{"_g", "_v"},
     "a weight-normalized tensor, NAME_g and NAME_v",
     "torch.nn.utils.remove_weight_norm(module)",
     "load into the model before weight_norm() is applied"},
    {{".original0", ".original1"},
     "a parametrized tensor, parametrizations.NAME.original0 and original1",
     "torch.nn.utils.parametrize.remove_parametrizations(module, \"weight\")",
     "load into the model before it is parametrized"},
    {{".original", ".original"},
     "a parametrized tensor, parametrizations.NAME.original",
     "torch.nn.utils.parametrize.remove_parametrizations(module, \"weight\")",
     "load into the model before it is parametrized"},
});

/// "fc.weight" for "fc.weight_orig" and "fc.parametrizations.weight.original0"; "" for other names.
std::string name_of_whole(const std::string& name, std::string_view ending) {
  constexpr std::string_view kOwn = "parametrizations.";
  if (!name.ends_with(ending)) return "";
  std::string whole = name.substr(0, name.size() - ending.size());
  if (!ending.starts_with('.')) return whole;
  const std::size_t at = whole.rfind(kOwn);
  return at == std::string::npos ? "" : whole.erase(at, kOwn.size());
}

/// How many of `whole` stand as such factors among `parts`.
std::size_t factored(const Form& form, const Names& parts, const Names& whole) {
  const std::set<std::string> plain(whole.begin(), whole.end());
  std::map<std::string, std::set<std::string_view>> found;
  for (const std::string& name : parts)
    for (const std::string_view ending : form.endings)
      if (std::string of = name_of_whole(name, ending); plain.contains(of))
        found[of].insert(ending);
  const std::size_t needed = form.endings[0] == form.endings[1] ? 1 : 2;
  return static_cast<std::size_t>(
      std::ranges::count_if(found, [&](const auto& each) { return each.second.size() == needed; }));
}

std::string form_text(const LoadReport& load) {
  for (const Form& form : kForms) {
    if (const std::size_t count = factored(form, load.dropped, load.random); count > 0)
      return fmt::format(
          "{} in the checkpoint in factors, each {}: {} on the model that is saved makes one of "
          "them",
          counted(count, "tensor", "stands", "stand"), form.what, form.plain);
    if (const std::size_t count = factored(form, load.random, load.dropped); count > 0)
      return fmt::format(
          "The target has {} in factors, each {}, and the checkpoint has it whole: {}",
          counted(count, "tensor"), form.what, form.again);
  }
  return "";
}

}  // namespace

void find_held(const Checkpoint& source, const LoadList& target, int threads, LoadReport& load) {
  const std::set<std::string> wanted = open_targets(load);
  if (wanted.empty() || !target.checkpoint || !target.checkpoint->has_weights()) return;
  const std::vector<std::string> unused = unused_tensors(load);
  std::set<std::string> left(unused.begin(), unused.end());
  left.insert(load.mismatched.begin(), load.mismatched.end());
  WeightSet a = some_weights(source, left), b = some_weights(*target.checkpoint, wanted);
  for (const TensorMatch& match : compare_weights(a, b, {.threads = threads}).matches) {
    if (match.kind != MatchKind::rearranged || match.b.empty()) continue;
    load.held.push_back(
        {names_in(a, match.a), names_in(b, match.b), match.how, sizes_of(b, match)});
  }
}

std::string held_text(const LoadReport& load) {
  if (load.held.empty()) return form_text(load);
  std::size_t count = 0;
  std::map<std::string, std::size_t> forms;
  for (const HeldValues& held : load.held) {
    count += held.to.size();
    forms[held.how] += held.to.size();
  }
  Names how;
  for (const auto& [form, some] : forms)
    how.push_back(forms.size() == 1 ? form : fmt::format("{}: {}", form, some));
  std::string text = fmt::format("{} in the checkpoint in another form ({})",
                                 counted(count, "tensor", "stands", "stand"), fmt::join(how, "; "));
  const std::string line = line_of(load.held[0]);
  if (line.empty()) return text + ": samebits diff says of each how";
  return text + fmt::format(": {}{}", line, load.held.size() > 1 ? ", and so on" : "");
}

}  // namespace samebits
