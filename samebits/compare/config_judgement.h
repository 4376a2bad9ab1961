// What a difference of one field between two configs can do, as far as their types and classes say.
#pragma once

#include <string>

#include "samebits/compare/field_map.h"
#include "samebits/family/config_fields.h"

namespace samebits {

/// Two configs at one depth, with what absent fields mean.
struct ConfigLevel {
  FieldMap a, b;
  std::string type;
  bool own_code = false;    // beside the weights
  bool classifies = false;  // one of them may
  std::string classes;      // architectures of both as text, with "?" where a side names none
  std::string whole;        // the same, those of the whole where the part names none
};

/// A string without its quotes, anything else as JSON.
std::string text_for(const Json& value);

FieldJudgement judge_difference(const ConfigLevel& level, const ConfigTable& table,
                                const std::string& name);

}  // namespace samebits
