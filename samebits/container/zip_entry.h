// One entry of a zip archive: its header in the central directory, its local header, its data
// descriptor.
//
// Source: APPNOTE.TXT 6.3.10, 4.3.7, 4.3.9, 4.3.12, 4.5.3.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/container/zip.h"
#include "samebits/container/zip_end.h"

namespace samebits::zip {

inline constexpr std::uint16_t kStored = 0;
inline constexpr std::uint16_t kDeflated = 8;
/// Bits that say that the data is not what method and sizes say: encrypted (0x1), patch data
/// (0x20), strongly encrypted (0x40), masked headers (0x2000). torch's reader refuses such entries.
inline constexpr std::uint16_t kNotPlain = 0x2061;

/// All entries, without data_offset. Errors: truncated, malformed, inconsistent, unsupported.
Result<std::vector<ZipEntry>> read_central_directory(Bytes file, const std::string& path,
                                                     const Directory& directory);

/// Sets entry.data_offset; adds the local header and the data descriptor to `structure`, and what
/// contradicts the central directory to `notes`. Errors: truncated, malformed.
Result<void> read_local_header(Bytes file, const std::string& path, ZipEntry& entry,
                               std::vector<Range>& structure, std::vector<ContainerNote>& notes);

}  // namespace samebits::zip
