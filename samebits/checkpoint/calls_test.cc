#include "samebits/checkpoint/calls.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using namespace test_files;  // NOLINT: the vocabulary of these tests

class Calls : public testing::Test {
 protected:
  /// "how global count" of what is neither plain nor the making of an object.
  std::vector<std::string> alarming(const std::string& bytes) {
    const auto checkpoint = open_checkpoint(folder_.write("file", bytes));
    std::vector<std::string> found;
    if (!checkpoint) return {"could not be opened: " + to_string(checkpoint.error())};
    for (const CallSummary& call : checkpoint->calls) {
      if (!call.plain && !call.constructs)
        found.push_back(call.how + " " + call.global + " " + std::to_string(call.count));
    }
    return found;
  }
  Folder folder_;
};

TEST_F(Calls, AStateDictHasNoneToFear) {
  EXPECT_THAT(alarming(torch_zip(dict({{"w", tensor("0", 1)}}), {{"0", floats({1})}})), IsEmpty());
}

TEST_F(Calls, AModuleHasNoneToFear) {
  const std::string module = object(global("torch.nn.modules.linear", "Linear"),
                                    dict({{"training", kTrue},
                                          {"_parameters", dict({{"weight", tensor("0", 1)}})},
                                          {"_modules", dict({})}}));
  EXPECT_THAT(alarming(torch_zip(module, {{"0", floats({1})}})), IsEmpty());
}

TEST_F(Calls, WhatWouldRunACommandIsNamedAndCounted) {
  const std::string run = call(global("os", "system"), {text("true")});
  EXPECT_THAT(alarming(pickled(tuple({run, run}))), ElementsAre("REDUCE os.system 2"));
}

TEST_F(Calls, InstAndObjAreCallsToo) {
  EXPECT_THAT(alarming("(S'true'\nios\nsystem\n."), ElementsAre("INST os.system 1"));
  EXPECT_THAT(alarming("(cos\nsystem\nS'true'\no."), ElementsAre("OBJ os.system 1"));
}

TEST_F(Calls, BuildOnAModuleIsOne) {
  const std::string bytes = pickled(global("os", "path") + dict({{"sep", text("x")}}) + "b");
  EXPECT_THAT(alarming(bytes), ElementsAre("BUILD os.path.__dict__ 1"));
}

TEST_F(Calls, EveryBuildOfTheSameNameCounts) {
  const std::string build = global("os", "path") + dict({{"sep", text("x")}}) + "b";
  EXPECT_THAT(alarming(pickled(tuple({build, build}))), ElementsAre("BUILD os.path.__dict__ 2"));
}

TEST_F(Calls, AComputedNameIsNoExcuse) {
  const std::string computed =
      call(call(global("builtins", "getattr"), {global("os", "path"), text("join")}), {});
  const auto found = alarming(pickled(computed));
  EXPECT_EQ(found.size(), 2U);
}

TEST_F(Calls, APartialOfTorchsFunctionsIsNone) {
  const std::string partial = global("functools", "partial");
  const std::string gelu = global("torch._C._nn", "gelu");
  const auto made = [&](const std::string& function, const std::string& kept) {
    return call(partial, {function}) +
           tuple({kept, tuple({}), dict({{"approximate", text("tanh")}}), kNothing}) + "b";
  };
  EXPECT_THAT(alarming(pickled(made(gelu, gelu))), IsEmpty());
  for (const std::string& hostile :
       {made(global("os", "system"), gelu), made(gelu, global("os", "system")),
        call(partial, {call(global("os", "system"), {})}), call(partial, {})})
    EXPECT_THAT(alarming(pickled(hostile)), Contains("REDUCE functools.partial 1"));
}

TEST_F(Calls, AreFoundInEveryPickleOfAnArchive) {
  auto records = std::vector{
      zip_builder::stored("archive/data.pkl", pickled(dict({{"w", tensor("0", 1)}}))),
      zip_builder::stored("archive/data/0", floats({1})),
      zip_builder::stored("archive/other.pkl", pickled(call(global("os", "system"), {})))};
  EXPECT_THAT(alarming(zip_builder::archive(records).whole()), ElementsAre("REDUCE os.system 1"));
}

TEST_F(Calls, BeforeAFaultAreNamed) {
  const auto checkpoint = open_checkpoint(
      folder_.write("file", "\x80\x02" + call(global("os", "system"), {}) + "\xff"));
  ASSERT_TRUE(checkpoint);
  EXPECT_FALSE(checkpoint->unread.empty());
  ASSERT_EQ(checkpoint->calls.size(), 1U);
  EXPECT_EQ(checkpoint->calls[0].global, "os.system");
}

TEST(IsPlainCall, KnowsWhatOnlyHoldsData) {
  EXPECT_TRUE(is_plain_call("torch._utils._rebuild_tensor_v2"));
  EXPECT_TRUE(is_plain_call("torch.FloatStorage"));
  EXPECT_TRUE(is_plain_call("collections.OrderedDict"));
  EXPECT_FALSE(is_plain_call("torch.load"));
  EXPECT_FALSE(is_plain_call("torch.hub.load"));
  EXPECT_FALSE(is_plain_call("builtins.eval"));
}

TEST(CanAct, KnowsWhatReachesTheMachine) {
  for (const char* name : {"os.system", "posix.system", "builtins.eval", "__builtin__.exec",
                           "subprocess.Popen", "runpy.run_path", "webbrowser.open"})
    EXPECT_TRUE(can_act(name)) << name;
  for (const char* name : {"collections.OrderedDict", "my.Model", "uuid.UUID", "builtins.set"})
    EXPECT_FALSE(can_act(name)) << name;
}

}  // namespace
}  // namespace samebits
