// A checkpoint as Python holds it.
#pragma once

#include <memory>
#include <vector>

#include <nanobind/nanobind.h>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/explain/subjects.h"

namespace samebits::python {

struct HeldCheckpoint {
  std::shared_ptr<const Checkpoint> checkpoint;
  nanobind::object owners;  // of the bytes of tensors in memory; None where files have them
  bool in_memory = false;
};

/// From a tuple (source, key, key_is_shared, left_out): the source is a path in bytes, or a
/// HeldCheckpoint in memory; the rest is as SubjectOptions has it. Throws TypeError for other
/// types.
SubjectOptions subject_options(nanobind::handle tuple);
std::vector<SubjectOptions> subjects_options(const nanobind::list& tuples);

}  // namespace samebits::python
