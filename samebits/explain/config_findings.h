// What a config alone makes two versions of a library do.
//
// Source: configuration_utils.py of transformers 4.57.6 and 5.24.0, measured with both.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// num_labels and id2label that contradict each other beside a classifier: one version counts the
/// names, the other takes the number, and the one that does not fit the weights raises.
void find_label_conflict(Report& report, const Subject& subject);

}  // namespace samebits
