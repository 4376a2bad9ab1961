// What an adapter holds beside its factors, and what is not computed of them.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/adapter_names.h"
#include "samebits/explain/report.h"

namespace samebits {

/// What an adapter alone holds whole (modules_to_save), by the base's names; both names are added
/// to `explained`.
std::set<std::string> own_modules(const Subject& plain, const Subject& adapted,
                                  std::set<std::string>* explained);

/// Changed weights that an adapter holds whole (modules_to_save), by A's names: those of the merged
/// side are its own, or these rounded. `reversed`: B is the base.
std::set<std::string> whole_modules(const WeightPair& pair, const Subject& a, const Subject& b,
                                    const Subject& adapter, bool reversed);

/// A gap where the adapter is for layers that changed, and its factors explain none of them.
void note_uncomputed(Report& report, const WeightPair& pair, const Subject& a,
                     const Subject& adapter, const AdapterParts& parts);

}  // namespace samebits
