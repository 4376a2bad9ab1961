#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "samebits/convert/tensor_plan.h"

namespace samebits {
namespace {

constexpr std::string_view kNumber = "{n}";

/// "3" where the name is the template with 3 in the place of {n}; "" where the template has no {n}
/// and is the name. The last {n} counts where there are several: a template has one.
std::optional<std::string> number_in_template(const std::string& name, const std::string& pattern) {
  const std::size_t at = pattern.find(kNumber);
  if (at == std::string::npos)
    return name == pattern ? std::optional<std::string>("") : std::nullopt;
  const std::string_view end = std::string_view(pattern).substr(at + kNumber.size());
  const std::string_view text(name);
  if (text.size() <= at + end.size() || !text.ends_with(end) ||
      text.substr(0, at) != std::string_view(pattern).substr(0, at))
    return std::nullopt;
  const std::string_view digits = text.substr(at, text.size() - at - end.size());
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  return std::string(digits);
}

std::string with_number(std::string pattern, const std::string& number) {
  if (const std::size_t at = pattern.find(kNumber); at != std::string::npos)
    pattern.replace(at, kNumber.size(), number);
  return pattern;
}

class RepairPlanner {
 public:
  RepairPlanner(const Checkpoint& checkpoint, const LoadReport& load)
      : checkpoint_(checkpoint), load_(load) {
    for (const std::uint32_t index : checkpoint.weights().weights)
      tensors_.emplace(checkpoint.entries[index].name, &checkpoint.entries[index]);
  }

  Result<TensorPlan> plan() {
    plan_.target = load_.target;
    for (const LoadRefit& refit : load_.refits) SAMEBITS_TRY_VOID(add_refit(refit));
    std::vector<model::RenameRule> rules;
    for (const RenameRule& rule : load_.repair)
      rules.push_back({rule.from, rule.to, static_cast<std::uint32_t>(rule.count)});
    for (const std::uint32_t index : checkpoint_.weights().weights) {
      const StoredTensor& tensor = checkpoint_.entries[index];
      if (used_.contains(tensor.name)) continue;
      plan_.tensors.push_back({model::apply_rules(rules, tensor.name), {tensor.view}, tensor.name});
    }
    return std::move(plan_);
  }

 private:
  Result<void> add_refit(const LoadRefit& refit) {
    std::vector<std::string> numbers;
    for (const auto& [name, tensor] : tensors_)
      if (auto number = number_in_template(name, refit.from[0]))
        numbers.push_back(*std::move(number));
    for (const std::string& number : numbers) {
      std::vector<TensorView> sources;
      for (const std::string& pattern : refit.from) {
        const auto found = tensors_.find(with_number(pattern, number));
        if (found == tensors_.end()) return fail(misfit(with_number(pattern, number)));
        used_.insert(found->first);
        sources.push_back(found->second->view);
      }
      SAMEBITS_TRY_VOID(refit.to.size() == 1 ? stack(refit, number, std::move(sources))
                                             : cut(refit, number, sources[0]));
    }
    return {};
  }

  Result<void> stack(const LoadRefit& refit, const std::string& number,
                     std::vector<TensorView> sources) {
    for (const TensorView& view : sources)
      if (view.dtype() != sources[0].dtype() || view.shape() != sources[0].shape())
        return fail(misfit(with_number(refit.to[0], number)));
    plan_.tensors.push_back(
        {with_number(refit.to[0], number), std::move(sources), with_number(refit.from[0], number)});
    return {};
  }

  Result<void> cut(const LoadRefit& refit, const std::string& number, const TensorView& whole) {
    const auto parts = static_cast<std::int64_t>(refit.to.size());
    const std::string from = with_number(refit.from[0], number);
    if (whole.shape().empty() || whole.shape()[0] % parts != 0) return fail(misfit(from));
    for (std::int64_t part = 0; part < parts; ++part) {
      SAMEBITS_TRY(TensorView view, piece_view(whole, part, parts));
      plan_.tensors.push_back(
          {with_number(refit.to[static_cast<std::size_t>(part)], number), {view}, from});
    }
    return {};
  }

  Error misfit(const std::string& name) const {
    return {.code = ErrorCode::inconsistent,
            .what = name + ": the repair cannot cut or stack it",
            .file = checkpoint_.path,
            .hint = "Name a class: --for transformers-5, transformers-4, timm, mae or torchvision"};
  }

  const Checkpoint& checkpoint_;
  const LoadReport& load_;
  std::map<std::string, const StoredTensor*> tensors_;
  std::set<std::string> used_;
  TensorPlan plan_;
};

}  // namespace

Result<TensorPlan> plan_repair(const Checkpoint& checkpoint, const LoadReport& load) {
  return RepairPlanner(checkpoint, load).plan();
}

}  // namespace samebits
