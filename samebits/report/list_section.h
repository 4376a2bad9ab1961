// Several files, one line each.
#pragma once

#include <string>
#include <vector>

#include "samebits/explain/report.h"
#include "samebits/report/terminal.h"

namespace samebits {

struct ListRow {
  Verdict verdict = Verdict::unknown;
  std::string path, kind, model, tensors, size;
  std::string why;  // of what is not clean
};

/// Of a report of `inspect`.
ListRow list_row(const Report& report);

/// `others`: files that are no checkpoints; `is_cut`: some were not looked at.
std::string render_list(const std::vector<ListRow>& rows, std::size_t others, bool is_cut,
                        const TerminalStyle& style);

}  // namespace samebits
