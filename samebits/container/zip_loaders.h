// What two readers of zip archives refuse of an archive that ZipArchive opens: miniz 3.0, by which
// torch 2.13 loads, and zipfile of Python 3.11, by which numpy does.
//
// Source: mz_zip_reader_read_central_dir and mz_zip_file_stat_internal of miniz; _EndRecData64,
// _RealGetContents and ZipFile.open of zipfile. Only what ZipArchive itself does not refuse already
// is looked at.
#pragma once

#include <optional>
#include <string_view>

#include "samebits/container/zip.h"

namespace samebits::zip {

/// Why the whole archive is refused, or nothing.
std::optional<ContainerNote> miniz_refuses(const ZipArchive& archive);
std::optional<ContainerNote> zipfile_refuses(const ZipArchive& archive);

/// Why one record is. The checksum is not looked at: zipfile refuses a record whose CRC-32 does not
/// hold, miniz as torch builds it does not.
std::optional<ContainerNote> miniz_refuses(const ZipEntry& entry);
std::optional<ContainerNote> zipfile_refuses(const ZipArchive& archive, const ZipEntry& entry);

/// True where miniz takes the record for a folder, by its attributes or its name: asked for its
/// bytes it then reports success and writes none, and torch goes on with what the memory held.
bool miniz_fills_nothing(const ZipEntry& entry);

/// True where Python can decode it: no overlong form, nothing above U+10FFFF, and no surrogate
/// unless `surrogates` allows them, as pickles do.
bool is_utf8(std::string_view text, bool surrogates = false);

}  // namespace samebits::zip
