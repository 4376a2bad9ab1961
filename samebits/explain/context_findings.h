// What two checkpoints say besides their weights, as findings: config, preprocessing, mode,
// buffers, versions.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// How the summary ends where no table says what differing fields do.
inline constexpr std::string_view kMeaningNotKnown = "and whether that matters is not known";

/// One finding for fields that differ, with their values as evidence; nothing where there are none.
void add_fields(Report& report, const char* cause, Role role, const Subject& a, const Subject& b,
                const std::vector<FieldDifference>& fields, const std::string& summary,
                const std::string& remedy);

/// config.changed: fields that can move outputs are a cause, unknown ones contribute, the others
/// are one note. Fills report.config.
void find_config_changes(Report& report, const Subject& a, const Subject& b);

/// input.preprocessing, with the given role where it can move outputs. Fills report.preprocessing.
void find_preprocessing_changes(Report& report, const Subject& a, const Subject& b, Role role);

/// mode.training where both carry modules and their flags differ.
void find_mode_changes(Report& report, const Subject& a, const Subject& b);

/// state.buffers: non-persistent buffers that differ, or that only one side carries.
void find_buffer_changes(Report& report, const Subject& a, const Subject& b, int threads);

/// code.version: another version of a library, or another class, wrote the other file. A note.
void find_version_changes(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
