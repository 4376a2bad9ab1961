#include "samebits/compare/name_filter.h"

#include <regex.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace samebits {

struct NameFilter::Compiled {
  regex_t regex{};
  bool done = false;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() {
    if (done) regfree(&regex);
  }
};

Result<NameFilter> NameFilter::make(const std::string& text) {
  constexpr std::size_t kLongestFilter = 1000;
  NameFilter filter;
  filter.text_ = text;
  filter.negated_ = text.starts_with('!');
  const std::string pattern = text.substr(filter.negated_ ? 1 : 0);
  auto compiled = std::make_shared<Compiled>();
  const bool is_long = pattern.size() > kLongestFilter;
  const int status =
      is_long ? REG_ESPACE : regcomp(&compiled->regex, pattern.c_str(), REG_EXTENDED | REG_NOSUB);
  if (status != 0) {
    std::array<char, 200> why{};
    if (!is_long) regerror(status, &compiled->regex, why.data(), why.size());
    return fail({.code = ErrorCode::usage,
                 .what = "--filter: that is no regular expression",
                 .expected = "one of POSIX's extended kind, in up to 1000 characters",
                 .found = is_long ? "a longer one" : why.data()});
  }
  compiled->done = true;
  filter.compiled_ = std::move(compiled);
  return filter;
}

bool NameFilter::takes(const std::string& name) const {
  regmatch_t whole{};  // a name may hold a zero byte
  whole.rm_so = 0;
  whole.rm_eo = static_cast<regoff_t>(name.size());
  return (regexec(&compiled_->regex, name.c_str(), 1, &whole, REG_STARTEND) == 0) != negated_;
}

std::vector<std::string> NameFilter::taken(const std::vector<std::string>& names) const {
  std::vector<std::string> found;
  std::copy_if(names.begin(), names.end(), std::back_inserter(found),
               [this](const std::string& name) { return takes(name); });
  return found;
}

}  // namespace samebits
