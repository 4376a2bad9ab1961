#include "samebits/container/pickle_writer.h"

#include <limits>

#include <gmock/gmock.h>

#include "samebits/container/little_endian.h"
#include "samebits/container/pickle.h"

namespace samebits {
namespace {

using V = PickleValue;

/// The value as our own reader sees it.
pickle::Pickle read_value(const V& value, std::string* bytes) {
  *bytes = std::string("\x80\x02") + value.opcodes() + ".";
  return pickle::read(bytes_of_text(*bytes), "f");
}

TEST(PickleValue, IntegersOfEverySizeComeBack) {
  for (const std::int64_t number :
       {std::int64_t{0}, std::int64_t{255}, std::int64_t{256}, std::int64_t{65536},
        std::int64_t{1} << 40, std::int64_t{-1}, std::int64_t{-2147483648},
        std::int64_t{-2147483649}, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    std::string bytes;
    const pickle::Pickle read = read_value(V::integer(number), &bytes);
    ASSERT_NE(read.root, pickle::kNone) << number;
    EXPECT_EQ(read.tree.integer(read.root), number);
  }
}

TEST(PickleValue, RealsAndFlagsComeBack) {
  for (const double number : {0.0, -0.1, 1e300, 0.001}) {
    std::string bytes;
    const pickle::Pickle read = read_value(V::real(number), &bytes);
    ASSERT_NE(read.root, pickle::kNone);
    EXPECT_EQ(read.tree.real(read.root), number);
  }
  EXPECT_EQ(V::boolean(true).opcodes(), "\x88");
  EXPECT_EQ(V::boolean(false).opcodes(), "\x89");
  EXPECT_EQ(V::none().opcodes(), "N");
}

TEST(PickleValue, ContainersHoldWhatWasPutIn) {
  const V one = V::integer(1);
  const V two = V::text("two");
  EXPECT_EQ(V::list({}).opcodes(), "]");
  EXPECT_EQ(V::tuple({}).opcodes(), ")");
  EXPECT_EQ(V::dict({}).opcodes(), "}");
  EXPECT_EQ(V::list({one, two}).opcodes(), "](" + one.opcodes() + two.opcodes() + "e");
  EXPECT_EQ(V::tuple({one}).opcodes(), "(" + one.opcodes() + "t");
  EXPECT_EQ(V::dict({{two, one}}).opcodes(), "}" + two.opcodes() + one.opcodes() + "s");
  std::string bytes;
  const V nested = V::dict({{one, V::list({two, V::dict({})})}, {two, V::tuple({one, one})}});
  EXPECT_NE(read_value(nested, &bytes).root, pickle::kNone);
}

}  // namespace
}  // namespace samebits
