// One subject of a report as JSON.
#pragma once

#include "samebits/base/json.h"
#include "samebits/explain/report.h"

namespace samebits {

/// The keys that every command gives: label, path, kind, ..., alternatives.
Json subject_json(const Subject& subject);

/// Adds what `inspect` says besides: entries, calls, imports, training, modules, oddities, bytes.
/// Entries are those that a filter lets be listed.
void add_contents(const Report& report, const Subject& subject, Json* json);

/// A value that came from a file, fit for output: NaN and infinities become strings.
Json finite_json(Json value);

}  // namespace samebits
