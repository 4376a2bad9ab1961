#include "samebits/model/natural_order.h"

#include <algorithm>
#include <tuple>

namespace samebits::model {
namespace {

struct NaturalPart {
  bool text = false;  // numbers come before text
  std::string_view word;
  bool numbered = false;    // "x" comes before "x0"
  std::string_view digits;  // without leading zeros
};

NaturalPart natural_part(std::string_view part) {
  const std::size_t last = part.find_last_not_of("0123456789");
  const std::size_t length = last == std::string_view::npos ? 0 : last + 1;
  std::string_view digits = part.substr(length);
  const bool numbered = !digits.empty();
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return {length > 0 || !numbered, part.substr(0, length), numbered, digits};
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  while (true) {
    const std::size_t a_dot = a.find('.'), b_dot = b.find('.');
    const NaturalPart x = natural_part(a.substr(0, a_dot)), y = natural_part(b.substr(0, b_dot));
    const auto key = [](const NaturalPart& part) {
      return std::tuple(part.text, part.word, part.numbered, part.digits.size(), part.digits);
    };
    if (key(x) != key(y)) return key(x) < key(y);
    if (b_dot == std::string_view::npos) return false;
    if (a_dot == std::string_view::npos) return true;
    a.remove_prefix(a_dot + 1);
    b.remove_prefix(b_dot + 1);
  }
}

}  // namespace samebits::model
