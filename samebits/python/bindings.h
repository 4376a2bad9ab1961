// What the module samebits._native consists of. It converts arguments and results, and decides
// nothing: the Python package (python/samebits) gives it its shape, the layers below its meaning.
#pragma once

#include <nanobind/nanobind.h>

namespace samebits::python {

/// Checkpoints of files and of tensors in memory.
void bind_checkpoints(nanobind::module_& module);
/// Reports, and the commands that make them.
void bind_reports(nanobind::module_& module);
/// Locks, conversions and digests.
void bind_identity(nanobind::module_& module);
/// Forward passes.
void bind_runs(nanobind::module_& module);
/// torch's generator.
void bind_generator(nanobind::module_& module);

}  // namespace samebits::python
