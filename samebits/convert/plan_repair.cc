#include <map>
#include <set>

#include "samebits/convert/tensor_plan.h"
#include "samebits/model/name_rules.h"

namespace samebits {
namespace {

/// "a.3.key" of "a.3.query", a name of the template "a.{n}.query", for the template "a.{n}.key".
std::string beside(const std::string& name, const std::string& pattern, const std::string& other) {
  std::string found;
  SAMEBITS_CHECK(model::rename({pattern, other}, name, &found));
  return found;
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
    for (const auto& [name, tensor] : tensors_) {
      if (!model::is_of_template(name, refit.from[0])) continue;
      std::vector<TensorView> sources;
      for (const std::string& pattern : refit.from) {
        const std::string part = beside(name, refit.from[0], pattern);
        const auto found = tensors_.find(part);
        if (found == tensors_.end()) return fail(misfit(part));
        used_.insert(found->first);
        sources.push_back(found->second->view);
      }
      SAMEBITS_TRY_VOID(refit.to.size() == 1 ? stack(refit, name, std::move(sources))
                                             : cut(refit, name, sources[0]));
    }
    return {};
  }

  Result<void> stack(const LoadRefit& refit, const std::string& name,
                     std::vector<TensorView> sources) {
    std::string target = beside(name, refit.from[0], refit.to[0]);
    for (const TensorView& view : sources)
      if (view.dtype() != sources[0].dtype() || view.shape() != sources[0].shape())
        return fail(misfit(target));
    plan_.tensors.push_back({std::move(target), std::move(sources), name});
    return {};
  }

  Result<void> cut(const LoadRefit& refit, const std::string& name, const TensorView& whole) {
    const auto parts = static_cast<std::int64_t>(refit.to.size());
    if (whole.shape().empty() || whole.shape()[0] % parts != 0) return fail(misfit(name));
    for (std::int64_t part = 0; part < parts; ++part) {
      SAMEBITS_TRY(TensorView view, piece_view(whole, part, parts));
      const std::string& to = refit.to[static_cast<std::size_t>(part)];
      plan_.tensors.push_back({beside(name, refit.from[0], to), {view}, name});
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
