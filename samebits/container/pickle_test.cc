#include "samebits/container/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "samebits/container/pickle_case.h"

namespace samebits::pickle {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::string_literals;
using test_case::Case;
using test_case::frame;
using test_case::le;

std::int64_t integer_of(const std::string& pickle) {
  const Case c(pickle);
  EXPECT_FALSE(c.pickle.error) << to_string(*c.pickle.error);
  EXPECT_EQ(c.root_kind(), Kind::integer);
  return c.tree().integer(c.root());
}

std::string text_of(const std::string& pickle, Kind kind = Kind::text) {
  const Case c(pickle);
  EXPECT_FALSE(c.pickle.error) << to_string(*c.pickle.error);
  EXPECT_EQ(c.root_kind(), kind);
  return std::string(c.tree().text(c.root()));
}

TEST(Pickle, ReadsBinaryIntegers) {
  EXPECT_EQ(integer_of("J\xff\xff\xff\xff."), -1);
  EXPECT_EQ(integer_of("K\xff."), 255);
  EXPECT_EQ(integer_of("M\xff\xff."), 65535);
  EXPECT_EQ(integer_of("\x8a\0."s), 0);
  EXPECT_EQ(integer_of("\x8a\x01\x80."), -128);
  EXPECT_EQ(integer_of("\x8a\x02\xff\0."s), 255);
  EXPECT_EQ(integer_of("\x8b" + le(9, 4) + std::string(9, '\xff') + "."), -1);
}

TEST(Pickle, ReadsTextIntegersAsPythonDoes) {
  EXPECT_EQ(integer_of("I-12\n."), -12);
  EXPECT_EQ(integer_of("I017\n."), 15);
  EXPECT_EQ(integer_of("I0x1F\n."), 31);
  EXPECT_EQ(integer_of("I1 \n."), 1);
  EXPECT_EQ(integer_of("I-9223372036854775808\n."), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(integer_of("L-0b101\n."), -5);
}

TEST(Pickle, KeepsLargeIntegersAsBytes) {
  const std::string two_to_the_63 = std::string(7, '\0') + "\x80\0"s;
  EXPECT_EQ(text_of("L9223372036854775808L\n.", Kind::big_integer), two_to_the_63);
  EXPECT_EQ(text_of("I0x8000000000000000\n.", Kind::big_integer), two_to_the_63);
  EXPECT_EQ(text_of("\x8a\x0a" + two_to_the_63 + "\0."s, Kind::big_integer), two_to_the_63);
  EXPECT_EQ(text_of("L-18446744073709551617\n.", Kind::big_integer),
            std::string(8, '\xff') + "\xfe");
}

TEST(Pickle, ReadsBooleansOfEveryProtocol) {
  for (const char* pickle : {"I01\n.", "I 1\n.", "\x88."}) {
    const Case c(pickle);
    EXPECT_EQ(c.root_kind(), Kind::boolean);
    EXPECT_TRUE(c.tree().boolean(c.root()));
  }
  const Case no("I00\n.");
  EXPECT_EQ(no.root_kind(), Kind::boolean);
  EXPECT_FALSE(no.tree().boolean(no.root()));
  EXPECT_EQ(integer_of("I001\n."), 1);
}

TEST(Pickle, ReadsFloats) {
  const auto real = [](const std::string& pickle) {
    const Case c(pickle);
    EXPECT_EQ(c.root_kind(), Kind::real) << pickle;
    return c.tree().real(c.root());
  };
  EXPECT_EQ(real("G\x3f\xf8\0\0\0\0\0\0."s), 1.5);
  EXPECT_EQ(real("F-1.5e3\n."), -1500);
  EXPECT_EQ(real("F+inf\n."), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(real("Fnan\n.")));
  EXPECT_EQ(real("F5e-324\n."), 5e-324);
  EXPECT_TRUE(std::signbit(real("F-1e-400\n.")));
  EXPECT_EQ(real("F0.00001e-320\n."), 0);
}

TEST(Pickle, ReadsTextOfEveryWidth) {
  EXPECT_EQ(text_of("\x8c\x02hi."), "hi");
  EXPECT_EQ(text_of("X" + le(2, 4) + "hi."), "hi");
  EXPECT_EQ(text_of("\x8d" + le(2, 8) + "hi."), "hi");
  EXPECT_EQ(text_of("C\x02\xff\0."s, Kind::bytes), "\xff\0"s);
  EXPECT_EQ(text_of("B" + le(1, 4) + "\xff.", Kind::bytes), "\xff");
  EXPECT_EQ(text_of("\x8e" + le(1, 8) + "\xff.", Kind::bytes), "\xff");
  EXPECT_EQ(text_of("\x96" + le(1, 8) + "\xff.", Kind::bytes), "\xff");
}

TEST(Pickle, KeepsTextThatIsNotUtf8) { EXPECT_EQ(text_of("\x8c\x02\xff\xfe."), "\xff\xfe"); }

TEST(Pickle, UnescapesRawUnicode) {
  EXPECT_EQ(text_of("V\n."), "");
  EXPECT_EQ(text_of("V\\u4e2d\xe9\\U0001f600\n."), "\u4e2d\u00e9\U0001f600");
  EXPECT_EQ(text_of("V\\\\u0041\\n\n."), "\\\\u0041\\n");
  EXPECT_EQ(text_of("V\\ud800\n."), "\xed\xa0\x80");
}

TEST(Pickle, UnescapesPython2Strings) {
  EXPECT_EQ(text_of("S'a\\x41\\101\\n\\'\\q'\n."), "aAA\n'\\q");
  EXPECT_EQ(text_of("S\"it's\"\n."), "it's");
  EXPECT_EQ(text_of("S'\\xff'\n.", Kind::bytes), "\xff");
  EXPECT_EQ(text_of("U\x02hi."), "hi");
  EXPECT_EQ(text_of("T" + le(1, 4) + "\x80.", Kind::bytes), "\x80");
}

TEST(Pickle, BorrowsWhatStandsInTheFile) {
  const Case c(
      "C\x03"
      "abc.");
  EXPECT_EQ(c.tree().text(c.root()).data(), c.bytes.data() + 2);
}

TEST(Pickle, TreeKeepsItsTextWhenMoved) {
  Case c("V\xe9\n.");
  const std::string_view text = c.tree().text(c.root());
  const Tree moved = std::move(c.pickle.tree);
  EXPECT_EQ(moved.text(c.root()).data(), text.data());
  EXPECT_EQ(text, "\u00e9");
}

TEST(Pickle, FillsContainersThatInterleave) {
  // [[1, 3], 2] with the inner list filled before and after the outer one.
  const Case c(
      "]\x94]\x94K\x01"
      "a"
      "h\0h\x01"
      "a0"
      "h\x01K\x03"
      "a0h\0K\x02"
      "a."s);
  ASSERT_FALSE(c.pickle.error) << to_string(*c.pickle.error);
  const Tree& t = c.tree();
  ASSERT_EQ(t.items(c.root()).size(), 2u);
  const auto inner = t.items(t.items(c.root())[0]);
  ASSERT_EQ(inner.size(), 2u);
  EXPECT_EQ(t.integer(inner[0]), 1);
  EXPECT_EQ(t.integer(inner[1]), 3);
  EXPECT_EQ(t.integer(t.items(c.root())[1]), 2);
}

TEST(Pickle, MakesTuplesSetsAndLists) {
  const std::pair<const char*, Kind> cases[] = {
      {"NN\x86.", Kind::tuple}, {"(NNt.", Kind::tuple},      {"(NNl.", Kind::list},
      {"](NNe.", Kind::list},   {"\x8f(NN\x90.", Kind::set}, {"(NN\x91.", Kind::frozenset},
  };
  for (const auto& [pickle, kind] : cases) {
    const Case c(pickle);
    EXPECT_EQ(c.root_kind(), kind) << pickle;
    EXPECT_EQ(c.tree().items(c.root()).size(), 2u) << pickle;
  }
  EXPECT_THAT(Case(").").pickle.tree.items(1), IsEmpty());
  EXPECT_EQ(Case("N\x85.").tree().items(2).size(), 1u);
  EXPECT_EQ(Case("NNN\x87.").tree().items(4).size(), 3u);
}

TEST(Pickle, KeepsEveryValueSetAndGetsTheLast) {
  const Case c(
      "(Va\nK\x01"
      "dVa\nK\x02s(Vb\nNu.");
  const Tree& t = c.tree();
  EXPECT_EQ(t.pairs(c.root()).size(), 3u);
  EXPECT_EQ(t.integer(t.get(c.root(), "a")), 2);
  EXPECT_EQ(t.get(c.root(), "c"), kNone);
  EXPECT_NE(t.get(c.root(), "b"), kNone);  // None as a value has its own node
  EXPECT_EQ(t.kind(t.get(c.root(), "b")), Kind::none);
}

TEST(Pickle, KeepsCyclesAsOneNode) {
  const Case c("]\x94h\0a."s);
  EXPECT_THAT(c.tree().items(c.root()), ElementsAre(c.root()));
}

TEST(Pickle, NamesGlobalsFromStackAndMemoOnce) {
  const Case c(
      "\x8c\x02os\x94\x8c\x06system\x94\x93"
      "0h\0h\x01\x93"
      "0cos\nsystem\n0h\0h\0\x93."s);
  ASSERT_FALSE(c.pickle.error) << to_string(*c.pickle.error);
  std::vector<std::string> names;
  for (const NodeId id : c.pickle.globals) names.push_back(c.tree().qualified_name(id));
  EXPECT_THAT(names, ElementsAre("os.system", "os.os"));
}

TEST(Pickle, NamesAGlobalWithInvalidBytes) {
  const Case c("c\xff\nx\n.");
  EXPECT_EQ(c.tree().module(c.root()), "\xff");
}

TEST(Pickle, NamesAGlobalWhoseLineHasNoEnd) {
  const Case c("cos\nsystem_");
  ASSERT_EQ(c.pickle.globals.size(), 1u);
  EXPECT_EQ(c.tree().qualified_name(c.pickle.globals[0]), "os.system");
  EXPECT_EQ(c.pickle.error->code, ErrorCode::truncated);
}

TEST(Pickle, LeavesComputedNamesEmpty) {
  const Case c("Vos\ncm\nn\n)R\x93.");
  EXPECT_EQ(c.root_kind(), Kind::global);
  EXPECT_EQ(c.tree().module(c.root()), "os");
  EXPECT_EQ(c.tree().name(c.root()), "");
  EXPECT_EQ(c.tree().qualified_name(c.root()), "os.?");
}

TEST(Pickle, ReadsPersistentIds) {
  const Case binary("K\x05Q.");
  EXPECT_EQ(binary.root_kind(), Kind::persistent);
  EXPECT_EQ(binary.tree().integer(binary.tree().args(binary.root())), 5);
  const Case text("P12\n.");
  EXPECT_EQ(text.tree().text(text.tree().args(text.root())), "12");
}

TEST(Pickle, ReadsExtensionsAndBuffers) {
  const Case c("\x82\x05\x83\x06\0\x84\x07\0\0\0\x97\x98(0N0\x87."s);
  ASSERT_FALSE(c.pickle.error) << to_string(*c.pickle.error);
  const auto items = c.tree().items(c.root());
  EXPECT_EQ(c.tree().integer(items[0]), 6);
  EXPECT_EQ(c.tree().kind(items[1]), Kind::extension);
  EXPECT_EQ(c.tree().kind(items[2]), Kind::buffer);
}

TEST(Pickle, PopTakesAMarkOrAValue) {
  EXPECT_EQ(integer_of("K\x01K\x02"
                       "0(0."),
            1);
  EXPECT_EQ(integer_of("K\x01(NN1."), 1);
  EXPECT_EQ(integer_of("K\x01"
                       "20."),
            1);
}

TEST(Pickle, MemoTakesAnyIndexWithoutAllocatingIt) {
  EXPECT_EQ(integer_of("K\x07r\xff\xff\xff\xff"
                       "0j\xff\xff\xff\xff."),
            7);
  EXPECT_EQ(integer_of("K\x07p9223372036854775807\n0g9223372036854775807\n."), 7);
  EXPECT_EQ(integer_of("K\x07q\x05"
                       "0K\x08q\x05"
                       "0h\x05."),
            8);
}

TEST(Pickle, MemoizeCountsWhatIsSet) {
  EXPECT_EQ(integer_of("K\x07q\x64"
                       "0K\x08\x94"
                       "0h\x01."),
            8);
}

TEST(Pickle, StopTakesTheTopOfATallerStack) { EXPECT_EQ(integer_of("NK\x02."), 2); }

TEST(Pickle, EndsBehindItsStop) {
  const Case c("\x80\x02N.garbage", 100);
  EXPECT_EQ(c.pickle.protocol, 2);
  EXPECT_EQ(c.pickle.begin, 100u);
  EXPECT_EQ(c.pickle.end, 104u);
  EXPECT_EQ(c.tree().offset(c.root()), 102u);
}

TEST(Pickle, ReadsFramesAndWhatStandsBetweenThem) {
  EXPECT_EQ(integer_of(frame(2) + "K\x01N" + frame(4) + "M\x01\x01."), 257);
  EXPECT_EQ(integer_of(frame(12) + frame(3) + "K\x01."), 1);
}

TEST(Pickle, AccessorsAreTotal) {
  const Case c("(NK\x01Va\n]}cm\nn\n)t.");
  const Tree& t = c.tree();
  for (NodeId id = 0; id < t.size(); ++id) {
    EXPECT_EQ(t.args(id), kNone);
    EXPECT_EQ(t.real(id), 0.0);
    EXPECT_THAT(t.states(id), IsEmpty());
    EXPECT_THAT(t.pairs(id), IsEmpty());
  }
}

TEST(Pickle, NodeThatDoesNotExistEndsTheProgram) {
  const Case c("N.");
  EXPECT_DEATH(static_cast<void>(c.tree().kind(99)), "internal error");
}

TEST(LooksLikePickle, GuessesFromTheFirstBytes) {
  const auto guess = [](const std::string& s) {
    return looks_like({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()});
  };
  EXPECT_TRUE(guess("\x80\x02"));
  EXPECT_TRUE(guess("(lp0\n."));
  EXPECT_FALSE(guess("\x80\x06"));
  EXPECT_FALSE(guess("{\"a\": 1}"));
  EXPECT_TRUE(guess("\x8c\x02os"));
  EXPECT_FALSE(guess("\x93NUMPY"));
  EXPECT_FALSE(guess(""));
}

}  // namespace
}  // namespace samebits::pickle
