// Which tensor of a base model an adapter means: adapters name modules, files may name them
// otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Entries of the checkpoint's weights by an adapter's names.
using BaseNames = std::map<std::string, std::uint32_t>;

/// Every name of `wanted`: as it stands; else with a beginning more or less, the same for all;
/// else, for the ViT family, by the names of a library's modules. Errors: inconsistent where some
/// are in the base by none of these.
Result<BaseNames> find_in_base(const Checkpoint& base, const std::set<std::string>& wanted);

}  // namespace samebits
