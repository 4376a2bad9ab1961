#include "samebits/container/member_name.h"

namespace samebits {

const char* member_name_risk(std::string_view name) {
  if (name.find('\0') != std::string_view::npos) return "holds a NUL byte";
  if (name.starts_with('/') || (name.size() >= 2 && name[1] == ':')) return "is absolute";
  if (name.find('\\') != std::string_view::npos) return "holds a backslash";
  while (!name.empty()) {
    const std::size_t slash = name.find('/');
    if (name.substr(0, slash) == "..") return "leaves its folder by ..";
    name = slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
  }
  return nullptr;
}

}  // namespace samebits
