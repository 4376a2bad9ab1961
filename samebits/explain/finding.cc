#include "samebits/explain/finding.h"

#include <algorithm>
#include <utility>

#include "samebits/base/error.h"

namespace samebits {

const char* role_name(Role role) {
  switch (role) {
    case Role::cause: return "cause";
    case Role::contributes: return "contributes";
    case Role::risk: return "risk";
    case Role::note: return "note";
  }
  SAMEBITS_CHECK(false);
  return "";
}

const char* proof_name(Proof proof) {
  switch (proof) {
    case Proof::proved: return "proved";
    case Proof::observed: return "observed";
    case Proof::suspected: return "suspected";
  }
  SAMEBITS_CHECK(false);
  return "";
}

Findings::Findings(std::vector<Finding> findings) {
  for (Finding& each : findings) add(std::move(each));
}

void Findings::add(Finding finding) {
  const auto place = std::ranges::upper_bound(
      findings_, std::pair(finding.role, finding.proof), {},
      [](const Finding& each) { return std::pair(each.role, each.proof); });
  findings_.insert(place, std::move(finding));
}

bool Findings::has(Role role) const {
  return std::ranges::any_of(findings_, [&](const Finding& each) { return each.role == role; });
}

}  // namespace samebits
