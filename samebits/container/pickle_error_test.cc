#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/base/limits.h"
#include "samebits/container/pickle.h"

namespace samebits::pickle {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;

Pickle read_text(const std::string& bytes) {
  return read({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "p");
}

std::string little_endian(std::uint64_t value, int width) {
  std::string out;
  for (int i = 0; i < width; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

std::string framed(std::uint64_t size) { return "\x95" + little_endian(size, 8); }

void expect_error(const std::string& pickle, ErrorCode code, const std::string& what,
                  std::uint64_t offset) {
  const Pickle result = read_text(pickle);
  ASSERT_TRUE(result.error) << what;
  EXPECT_EQ(result.error->code, code) << to_string(*result.error);
  EXPECT_THAT(result.error->what, HasSubstr(what));
  EXPECT_EQ(result.error->offset, offset) << what;
  EXPECT_EQ(result.root, kNone);
}

void expect_malformed(const std::string& pickle, const std::string& what, std::uint64_t offset) {
  expect_error(pickle, ErrorCode::malformed, what, offset);
}

TEST(PickleError, KeepsWhatCameBefore) {
  const std::string bytes = "cos\nsystem\nVid\n\x85Rh\x03."s;
  const Pickle result = read_text(bytes);
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.globals.size(), 1u);
  EXPECT_EQ(result.calls.size(), 1u);
  EXPECT_EQ(result.end, 19u);
}

TEST(PickleError, NoStop) {
  expect_error("", ErrorCode::truncated, "without STOP", 0);
  expect_error("N", ErrorCode::truncated, "without STOP", 1);
}

TEST(PickleError, CutOffArgument) {
  expect_error("X\x05\0\0\0abc"s, ErrorCode::truncated, "BINUNICODE", 5);
  expect_error("\x8e" + little_endian(1ull << 62, 8), ErrorCode::truncated, "BINBYTES8", 9);
  expect_error("K", ErrorCode::truncated, "BININT1", 1);
  expect_error("I5", ErrorCode::truncated, "INT", 1);
}

TEST(PickleError, UnknownOpcode) { expect_malformed("N\xff.", "no opcode 0xff", 1); }

TEST(PickleError, UnknownProtocol) {
  expect_error("\x80\x06N.", ErrorCode::unsupported, "unknown protocol", 0);
}

TEST(PickleError, StackUnderflow) {
  for (const char* op : {".", "0", "2", "R", "b", "a", "s", "Q", "\x81", "\x85", "\x93", "\x94"})
    expect_malformed(op, "needs more than the stack holds", 0);
  expect_malformed("N\x86.", "needs more", 1);
  expect_malformed("(o.", "needs more", 1);
  expect_malformed("(e.", "needs more", 1);
}

TEST(PickleError, MarkInTheWay) {
  expect_malformed("N(.", "meets a MARK", 2);
  expect_malformed("N(\x85.", "meets a MARK", 2);
  expect_malformed("](Na.", "meets a MARK", 3);
}

TEST(PickleError, NoMark) {
  for (const char* op : {"t", "l", "d", "1", "e", "u", "\x90", "\x91", "o", "im\nn\n"})
    expect_malformed("N"s + op, "finds no MARK", 1);
}

TEST(PickleError, AbsentMemo) {
  expect_malformed("h\0."s, "memo entry 0, which was never set", 0);
  expect_malformed("Nq\x05h\x04.", "memo entry 4", 3);
  expect_malformed("g5\n.", "memo entry 5", 0);
}

TEST(PickleError, BadMemoIndex) {
  expect_malformed("Np-1\n.", "no valid memo index", 1);
  expect_malformed("gx\n.", "no valid memo index", 0);
}

TEST(PickleError, AddedToAWrongValue) {
  expect_malformed("]NNs.", "SETITEM is applied", 3);
  expect_malformed(")(NNu.", "SETITEMS is applied", 4);
  expect_malformed("}Na.", "APPEND is applied", 2);
  expect_malformed("C\0(Ne."s, "APPENDS is applied", 4);
  expect_malformed("](N\x90.", "ADDITEMS is applied", 3);
}

TEST(PickleError, KeyWithoutValue) {
  expect_malformed("(Nd.", "DICT has a key without", 2);
  expect_malformed("}(Nu.", "SETITEMS has a key without", 3);
}

TEST(PickleError, BadNumbers) {
  for (const char* text : {"x", "08", "1__0", "1_", "0x", "1.5", "- 1"})
    expect_malformed("I"s + text + "\n.", "INT", 0);
  expect_malformed("L\n.", "empty line", 0);
  expect_malformed("L007L\n.", "LONG", 0);
  expect_malformed("I" + std::string(4301, '1') + "\n.", "INT", 0);
  for (const char* text : {"x", "1e400", "1e", " 1", "nan(1)", "0x1p3", "+-1", "1_0", "0.1e400"})
    expect_malformed("F"s + text + "\n.", "FLOAT", 0);
}

TEST(PickleError, BadText) {
  expect_malformed("Sabc\n.", "not quoted", 0);
  expect_malformed("S'\n.", "not quoted", 0);
  expect_malformed("S'\\x4'\n.", "bad escape", 0);
  expect_malformed("S'\\'\n.", "bad escape", 0);
  expect_malformed("V\\u004\n.", "bad escape", 0);
  expect_malformed("V\\U00110000\n.", "bad escape", 0);
}

TEST(PickleError, ImpossibleSizes) {
  expect_malformed("\x8d" + little_endian(~0ull, 8), "impossible size", 0);
  expect_malformed("T" + little_endian(0x80000000, 4), "negative size", 0);
  expect_malformed("\x8b" + little_endian(0xffffffff, 4), "negative size", 0);
}

TEST(PickleError, BadExtensionCode) {
  expect_malformed("\x82\0."s, "not positive", 0);
  expect_malformed("\x84\xff\xff\xff\xff.", "not positive", 0);
}

TEST(PickleError, StackGlobalOfWhatIsNoText) {
  expect_malformed("K\x01Vx\n\x93.", "STACK_GLOBAL is applied", 5);
}

TEST(PickleError, ReadonlyBufferOfWhatIsNone) { expect_malformed("]\x98.", "no buffer", 1); }

TEST(PickleError, FrameThatPassesTheEnd) {
  expect_error(framed(3) + "N.", ErrorCode::truncated, "FRAME", 9);
}

TEST(PickleError, OpcodeAcrossTheEndOfItsFrame) {
  expect_error(framed(2) + "M\x01\x02.", ErrorCode::inconsistent, "crosses the end", 9);
  expect_error(framed(10) + framed(2) + "N.", ErrorCode::inconsistent, "crosses the end", 9);
}

TEST(PickleError, TooHighStack) {
  expect_error(std::string(kLimits.pickle_stack + 1, ')'), ErrorCode::limit, "stack",
               kLimits.pickle_stack);
  expect_error(std::string(kLimits.pickle_stack + 1, '('), ErrorCode::limit, "stack",
               kLimits.pickle_stack);
}

TEST(PickleError, TooManyValues) {
  const std::string bytes = ")" + std::string(kLimits.pickle_nodes, '\x85');
  const Pickle result = read_text(bytes);
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->code, ErrorCode::limit);
  EXPECT_LE(result.tree.size(), kLimits.pickle_nodes);
}

TEST(PickleError, TooLongInteger) {
  expect_error("\x8b" + little_endian(kLimits.pickle_integer_bytes + 1, 4), ErrorCode::limit,
               "integer", 0);
}

}  // namespace
}  // namespace samebits::pickle
