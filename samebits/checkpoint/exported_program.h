// An archive of torch.export (.pt2): weights as raw records, with a JSON that names them.
//
// Source: torch 2.13.0 export/pt2_archive/_package.py, csrc/export/pt2_archive_constants.h,
// _export/serde/schema.py. `data/weights/NAME_weights_config.json` maps names to records and
// layouts, `data/constants/NAME_constants_config.json` buffers that are not persistent and
// constants, `models/NAME.json` is the graph. Does not read: payloads that are pickles (subclasses
// of tensors), compiled code, archives of before torch 2.8 (serialized_exported_program.json).
#pragma once

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/container/zip.h"

namespace samebits {

bool is_exported_program(const ZipArchive& zip);

/// One candidate for each model of the archive, kind exported. What loading the pickles in it would
/// call is listed. What cannot be read of a tensor goes to Checkpoint::unread. Errors: malformed
/// JSON, limit, usage.
Result<void> read_exported_program(Checkpoint& checkpoint, const FilePart& part,
                                   const ZipArchive& zip);

}  // namespace samebits
