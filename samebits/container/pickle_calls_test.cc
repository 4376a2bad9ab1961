// What a pickle would call or change when it is loaded.
#include <gmock/gmock.h>

#include "samebits/container/pickle_case.h"

namespace samebits::pickle {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::string_literals;
using test_case::Case;

TEST(Pickle, RecordsCallsWithoutMakingThem) {
  const Case c("cos\nsystem\nVid\n\x85R.");
  const Tree& t = c.tree();
  ASSERT_EQ(c.root_kind(), Kind::object);
  EXPECT_EQ(t.call_kind(c.root()), CallKind::reduce);
  EXPECT_TRUE(t.is_global(t.callable(c.root()), "os", "system"));
  EXPECT_EQ(t.text(t.items(t.args(c.root()))[0]), "id");
  ASSERT_EQ(c.pickle.calls.size(), 1u);
  EXPECT_EQ(c.pickle.calls[0].target, c.root());
  EXPECT_EQ(c.pickle.calls[0].offset, 16u);
  EXPECT_EQ(c.pickle.calls[0].effect, Effect::none);
}

TEST(Pickle, TellsTheKindsOfCallsApart) {
  const std::pair<const char*, CallKind> cases[] = {
      {"cm\nn\nN\x85\x81.", CallKind::newobj},
      {"cm\nn\nN\x85}\x92.", CallKind::newobj_ex},
      {"(cm\nn\nNo.", CallKind::obj},
      {"(Nim\nn\n.", CallKind::inst},
  };
  for (const auto& [pickle, kind] : cases) {
    const Case c(pickle);
    const Tree& t = c.tree();
    ASSERT_EQ(c.root_kind(), Kind::object) << pickle;
    EXPECT_EQ(t.call_kind(c.root()), kind);
    EXPECT_EQ(t.qualified_name(t.callable(c.root())), "m.n");
    EXPECT_EQ(t.items(t.args(c.root())).size(), 1u);
    EXPECT_EQ(t.kwargs(c.root()) != kNone, kind == CallKind::newobj_ex);
    EXPECT_EQ(c.pickle.globals.size(), 1u);
    EXPECT_EQ(c.pickle.calls.size(), 1u);
  }
}

TEST(Pickle, AttachesContentsAndStatesToObjects) {
  const Case c(
      "cm\nn\n)R(K\x01K\x02"
      "eVk\nK\x03sNb}b.");
  const Tree& t = c.tree();
  EXPECT_EQ(t.items(c.root()).size(), 2u);
  EXPECT_EQ(t.integer(t.get(c.root(), "k")), 3);
  ASSERT_EQ(t.states(c.root()).size(), 2u);
  EXPECT_EQ(t.kind(t.states(c.root())[0]), Kind::none);
  EXPECT_EQ(t.kind(t.states(c.root())[1]), Kind::dict);
  std::vector<Effect> effects;
  for (const Call& call : c.pickle.calls) {
    effects.push_back(call.effect);
    EXPECT_EQ(call.target, c.root());
  }
  EXPECT_THAT(effects, ElementsAre(Effect::none, Effect::appends, Effect::setitem, Effect::build,
                                   Effect::build));
  EXPECT_EQ(t.integer(c.pickle.calls[1].given), 1);
  EXPECT_EQ(t.text(c.pickle.calls[2].given), "k");
}

TEST(Pickle, KeepsContentsOfSeveralObjectsApart) {
  const Case c(
      "cm\nn\nq\0)R\x94h\0)R\x94h\x01K\x01"
      "a0h\x02K\x02"
      "a0h\x01K\x03"
      "a0\x86."s);
  ASSERT_FALSE(c.pickle.error) << to_string(*c.pickle.error);
  const Tree& t = c.tree();
  const NodeId first = t.items(c.root())[0], second = t.items(c.root())[1];
  ASSERT_EQ(t.items(first).size(), 2u);
  EXPECT_EQ(t.integer(t.items(first)[1]), 3);
  ASSERT_EQ(t.items(second).size(), 1u);
  EXPECT_EQ(t.integer(t.items(second)[0]), 2);
}

TEST(Pickle, KeepsTheStateBuiltOnAPlainValue) {
  const Case c("]Nb.");
  EXPECT_EQ(c.tree().states(c.root()).size(), 1u);
  EXPECT_THAT(c.pickle.calls, IsEmpty());
}

TEST(Pickle, CountsEveryChangeOfWhatWasImported) {
  const std::pair<const char*, Effect> cases[] = {
      {"cm\nn\nNNs.", Effect::setitem},     {"cm\nn\n(NNu.", Effect::setitems},
      {"cm\nn\nNa.", Effect::append},       {"cm\nn\n(Ne.", Effect::appends},
      {"cm\nn\n(N\x90.", Effect::additems}, {"\x82\x01Na.", Effect::append},
      {"Pkey\nNa.", Effect::append},
  };
  for (const auto& [pickle, effect] : cases) {
    const Case c(pickle);
    ASSERT_EQ(c.pickle.calls.size(), 1u) << pickle;
    EXPECT_EQ(c.pickle.calls[0].effect, effect) << pickle;
    EXPECT_EQ(c.pickle.calls[0].target, c.root()) << pickle;
  }
}

TEST(Pickle, CountsNoChangeOfWhatItMakesItselfAndNoneWithoutAnything) {
  for (const char* pickle : {"]Na.", "](NNe.", "}NNs.", "}(NNu.", "\x8f(N\x90.", "cm\nn\n(e.",
                             "cm\nn\n(u.", "cm\nn\n(\x90."})
    EXPECT_THAT(Case(pickle).pickle.calls, IsEmpty()) << pickle;
}

TEST(Pickle, CountsABuildOfAModuleAsACall) {
  const Case c("cos\npath\n}b.");
  ASSERT_EQ(c.pickle.calls.size(), 1u);
  EXPECT_EQ(c.pickle.calls[0].effect, Effect::build);
  EXPECT_EQ(c.pickle.calls[0].target, c.root());
  EXPECT_EQ(c.tree().callable(c.root()), kNone);
}

}  // namespace
}  // namespace samebits::pickle
