// Few rules that turn given names into given other names.
//
// A rule is a RenameRule (repair.h): where a name begins with `from`, that becomes `to`. "{n}",
// "{m}" ... stand for numbers; in `to` also "{n // 2}" and "{n % 2}" (blocks in chunks of two),
// "{2 * m + n}" (the reverse), "{n + 1}" and "{n - 1}".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "samebits/model/repair.h"

namespace samebits::model {

struct NamePair {
  std::string from, to;
};

/// Rules that, tried in their order, turn every pair's first name into its second; names that are
/// to stay as they are can be given as pairs too. Empty where no such rules were found.
std::vector<RenameRule> rules_for_names(const std::vector<NamePair>& pairs);

/// Length of the parts between dots that both names end with.
std::size_t common_end(std::string_view x, std::string_view y);

/// The name that the rule makes of this one; false where it does not begin with `from`.
bool rename(const RenameRule& rule, std::string_view name, std::string* renamed);

/// Whether the whole name is "a.3.query" for the template "a.{n}.query".
bool is_of_template(std::string_view name, const std::string& pattern);

}  // namespace samebits::model
