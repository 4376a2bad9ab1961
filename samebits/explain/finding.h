// What a report found, one cause each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/base/json.h"

namespace samebits {

enum class Role : std::uint8_t { cause, contributes, risk, note };
const char* role_name(Role role);
enum class Proof : std::uint8_t { proved, observed, suspected };
const char* proof_name(Proof proof);

struct Finding {
  std::string cause;  // an id of causes.h
  Role role = Role::note;
  Proof proof = Proof::observed;
  std::vector<std::string> subjects;  // labels
  std::string summary;  // one sentence without a full stop; that of the first finding which is not
                        // a note stands beside the verdict
  std::vector<std::string> details;  // further lines under it, each true on its own
  Json evidence = Json::object();    // as product requires for the cause
  std::string remedy;                // what to do; "" where nothing is to be done
  std::string settle;                // suspected only: what would prove it
};

/// The findings of a report: causes first, then contributes, risks, notes; within a role the proved
/// before the observed before the suspected, else as they came. What stands in it is not changed
/// any more.
class Findings {
 public:
  Findings() = default;
  Findings(std::vector<Finding> findings);  // NOLINT(google-explicit-constructor)
  Findings(std::initializer_list<Finding> findings) : Findings(std::vector<Finding>(findings)) {}

  void add(Finding finding);

  bool empty() const { return findings_.empty(); }
  std::size_t size() const { return findings_.size(); }
  const Finding& operator[](std::size_t i) const { return findings_.at(i); }
  const Finding& front() const { return findings_.front(); }
  auto begin() const { return findings_.begin(); }
  auto end() const { return findings_.end(); }
  bool has(Role role) const;

 private:
  std::vector<Finding> findings_;
};

}  // namespace samebits
