// An optimizer's parameters against the model's: load_state_dict() assigns them by place and looks
// at no shape.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "samebits/explain/resume_facts.h"

namespace samebits {

struct NamedShape {
  std::string name;
  const Shape* shape = nullptr;
  bool frozen = false;  // a module's parameter that was saved with requires_grad=False
};

/// Parameters of the weights in state_dict()'s order: floating, no buffers by name, tied ones once.
std::vector<NamedShape> model_parameters(const Checkpoint& checkpoint);
/// The shapes of the parameters that have moments, by their keys.
std::map<std::string, const Shape*> shapes_by_key(const Checkpoint& source,
                                                  const OptimizerState& optimizer);
/// An issue about moments that do not belong to their places.
ResumeIssue shape_issue(const OptimizerState& optimizer, std::string summary);

/// Adds an issue where the moments' shapes are none of the weights', or stand in another order than
/// the parameters of the model, as far as shapes and names tell.
void judge_shapes(const ResumeFacts& facts, const OptimizerState& optimizer, ResumeRow& row);

/// Adds a note on the weights that no group lists, by name where the moments' shapes leave one
/// reading. Of a file with one model and one optimizer.
void note_untrained(const ResumeFacts& facts, const OptimizerState& optimizer, ResumeRow& row);

/// Adds an issue where moments of an optimizer of torch have another type than the weights: one of
/// the two was rounded when it was saved.
void judge_types(const ResumeFacts& facts, const OptimizerState& optimizer, ResumeRow& row);

/// Of a file with several models under names of their own (netG, netD): adds an issue where an
/// optimizer that goes with one by its name (optG) holds moments of another's shapes, and a row for
/// a model without an optimizer, where another one has its own. `rows` are those of the optimizers,
/// in their order.
void judge_models(const ResumeFacts& facts, ResumeRows& rows);

/// The parameters' names where the optimizer or the order of the weights tells, else the keys.
std::vector<std::string> names_of_keys(const ResumeFacts& facts, const OptimizerState& optimizer,
                                       const std::vector<std::string>& keys);

/// Of the keys, those of parameters that a module in the file has frozen: requires_grad is False.
/// None where a key of `held` is frozen, too: the module is no witness of what was trained then.
std::vector<std::string> frozen_keys(const ResumeFacts& facts, const OptimizerState& optimizer,
                                     const std::vector<std::string>& keys,
                                     const std::set<std::string>& held);

}  // namespace samebits
