// What the tensors of a file are in their models, by the tables of names.
#pragma once

#include <vector>

#include "samebits/compare/weight_set.h"

namespace samebits {

/// Fills NamedTensor::roles where a table of names accounts for nearly all tensors, or for a whole
/// model among them: for up to four models of the ViT family inside a larger one. Of several, roles
/// carry the prefix of each: "student.:3:query.weight".
void add_roles(std::vector<NamedTensor>* tensors);

}  // namespace samebits
