// Which names a comparison is about, as a person says it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "samebits/base/error.h"

namespace samebits {

/// A regular expression of POSIX's extended kind that is found anywhere in a name; "!" in front of
/// it takes the names in which it is not found. Case counts. Copies share what was compiled.
class NameFilter {
 public:
  /// Errors: usage, for an expression that cannot be read.
  static Result<NameFilter> make(const std::string& text);

  bool takes(const std::string& name) const;
  /// Those that are taken, in their order.
  std::vector<std::string> taken(const std::vector<std::string>& names) const;
  const std::string& text() const { return text_; }

 private:
  struct Compiled;
  NameFilter() = default;
  std::string text_;
  bool negated_ = false;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace samebits
