// An optimizer's parameters against the model's: load_state_dict() assigns them by place and looks
// at no shape.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "samebits/explain/resume_facts.h"

namespace samebits {

/// Adds an issue where the moments' shapes are none of the weights', or stand in another order than
/// the parameters of the model, as far as shapes and names tell.
void judge_shapes(const ResumeFacts& facts, const OptimizerState& optimizer, ResumeRow& row);

/// The parameters' names where the optimizer or the order of the weights tells, else the keys.
std::vector<std::string> names_of_keys(const ResumeFacts& facts, const OptimizerState& optimizer,
                                       const std::vector<std::string>& keys);

/// Of the keys, those of parameters that a module in the file has frozen: requires_grad is False.
/// None where a key of `held` is frozen, too: the module is no witness of what was trained then.
std::vector<std::string> frozen_keys(const ResumeFacts& facts, const OptimizerState& optimizer,
                                     const std::vector<std::string>& keys,
                                     const std::set<std::string>& held);

}  // namespace samebits
