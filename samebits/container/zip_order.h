// In which order torch's zip reader keeps a directory, and which record it finds under a name.
//
// Source: mz_zip_reader_sort_central_dir_offsets_by_filename and mz_zip_locate_file_binary_search
// of miniz 3.0, as torch 2.13 builds it. The sort is a heap sort, which is not stable: where names
// are equal, the record that is found depends on all names of the directory.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "samebits/container/zip.h"

namespace samebits::zip {

/// Below, equal to or above zero: byte by byte, ASCII letters as lower case, a prefix first.
int compare_names(std::string_view a, std::string_view b);

/// Indexes of `entries`.
std::vector<std::size_t> miniz_order(const std::vector<ZipEntry>& entries);

/// `order` is miniz_order(entries). nullptr where there is none.
const ZipEntry* miniz_find(const std::vector<ZipEntry>& entries,
                           const std::vector<std::size_t>& order, std::string_view name);

}  // namespace samebits::zip
