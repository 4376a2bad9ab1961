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

TEST_F(Calls, AChangeOfWhatWasImportedIsListedByWhatItGoesThrough) {
  const std::string target = global("collections", "abc");
  const std::pair<std::string, const char*> changes[] = {
      {text("k") + text("v") + "s", "SETITEM collections.abc.__setitem__ 1"},
      {"(" + text("k") + text("v") + "u", "SETITEMS collections.abc.__setitem__ 1"},
      {text("v") + "a", "APPEND collections.abc.append 1"},
      {"(" + text("v") + "e", "APPENDS collections.abc.extend 1"},
      {"(" + text("v") + "\x90", "ADDITEMS collections.abc.add 1"},
      {dict({{"k", text("v")}}) + "b", "BUILD collections.abc.__dict__ 1"},
      {tuple({kNothing, dict({{"k", text("v")}})}) + "b", "BUILD collections.abc.__dict__ 1"}};
  for (const auto& [change, listed] : changes)
    EXPECT_THAT(alarming(pickled(target + change)), ElementsAre(listed));
}

TEST_F(Calls, AChangeThroughTheMemoIsListed) {
  EXPECT_THAT(alarming(pickled(global("m", "x") + "q\x01" + "0h\x01" + text("v") + "a")),
              ElementsAre("APPEND m.x.append 1"));
}

TEST_F(Calls, AChangeOfWhatACallReturnsIsListed) {
  const std::string returned = call(global("builtins", "len"), {tuple({})});
  EXPECT_THAT(
      alarming(pickled(returned + text("k") + text("v") + "s")),
      ElementsAre("SETITEM (the result of builtins.len).__setitem__ 1", "REDUCE builtins.len 1"));
  EXPECT_THAT(alarming(pickled(returned + dict({}) + "b")),
              Contains("BUILD (the result of builtins.len).__setstate__ 1"));
}

TEST_F(Calls, WhatThePickleMakesItselfMayBeFilled) {
  const std::string items = "(" + text("k") + number(1) + "u", elements = "(" + number(1) + "e",
                    members = "(" + number(1) + "\x90";
  const std::string filled[] = {
      call(global("collections", "OrderedDict"), {}) + items + dict({{"_metadata", dict({})}}) +
          "b",
      call(global("collections", "defaultdict"), {global("builtins", "list")}) + items,
      global("collections", "Counter") + ")\x81" + items,
      call(global("collections", "deque"), {tuple({}), number(3)}) + elements,
      call(global("builtins", "list"), {}) + elements,
      call(global("builtins", "set"), {}) + members,
      global("my", "Dict") + ")\x81" + items + dict({{"a", number(1)}}) + "b"};
  for (const std::string& value : filled) EXPECT_THAT(alarming(pickled(value)), IsEmpty());
}

TEST_F(Calls, ATensorIsNotFilled) {
  EXPECT_THAT(
      alarming(torch_zip(tensor("0", 1) + number(0) + number(1) + "s", {{"0", floats({1})}})),
      ElementsAre("SETITEM torch._utils._rebuild_tensor_v2.__setitem__ 1"));
}

TEST_F(Calls, AnObjectThatHasAttributesIsNotFilledAnyMore) {
  // A UserDict's items go to whatever its attribute `data` is.
  const std::string made =
      global("my", "Dict") + ")\x81" + dict({{"data", global("my", "registry")}}) + "b";
  EXPECT_THAT(alarming(pickled(made + text("k") + text("v") + "s")),
              ElementsAre("SETITEM my.Dict.__setitem__ 1"));
}

TEST_F(Calls, AttributesThatTheUnpicklerCallsAreListed) {
  const std::string bag = global("argparse", "Namespace") + ")\x81";
  const std::string function = global("my", "function");
  EXPECT_THAT(alarming(pickled(bag + dict({{"__setstate__", function}}) + "b")),
              ElementsAre("BUILD argparse.Namespace.__setstate__ 1"));
  EXPECT_THAT(alarming(pickled(bag + dict({{"append", function}}) + "b" + number(1) + "a")),
              ElementsAre("APPEND argparse.Namespace.append 1"));
  EXPECT_THAT(alarming(pickled(
                  bag + tuple({kNothing, dict({{"__class__", global("my", "Class")}})}) + "b")),
              ElementsAre("BUILD argparse.Namespace.__setstate__ 1"));
  EXPECT_THAT(
      alarming(pickled(global("my", "Class") + ")\x81" + dict({{"__setstate__", function}}) + "b")),
      ElementsAre("BUILD my.Class.__setstate__ 1"));
}

TEST_F(Calls, AFunctionThatCallsItsArgumentIsPlainWithKnownOnesOnly) {
  const std::string rebuild = global("torch._tensor", "_rebuild_from_type_v2");
  const std::string parts =
      tuple({storage("0", 1), number(0), tuple({number(1)}), tuple({number(1)}), kFalse,
             call(global("collections", "OrderedDict"), {})});
  const auto made = [&](const std::string& function, const std::string& arguments) {
    return torch_zip(call(rebuild, {function, global("my", "Tensor"), arguments, dict({})}),
                     {{"0", floats({1})}});
  };
  const std::string known = global("torch._utils", "_rebuild_tensor_v2");
  EXPECT_THAT(alarming(made(known, parts)), IsEmpty());
  const std::string listed = "REDUCE torch._tensor._rebuild_from_type_v2 1";
  EXPECT_THAT(alarming(made(global("builtins", "len"), tuple({tuple({})}))), ElementsAre(listed));
  EXPECT_THAT(alarming(made(known, tuple({global("m", "f")}))), ElementsAre(listed));
}

TEST_F(Calls, NumpysGeneratorsAreMadeOfKnownOnesOnly) {
  const auto made = [](const std::string& what, const std::string& by) {
    const auto function = [](const char* name) { return global("numpy.random._pickle", name); };
    return pickled(
        tuple({call(function("__randomstate_ctor"), {what, by}),
               call(function("__generator_ctor"), {what, by}),
               call(function("__bit_generator_ctor"), {global("numpy.random._pcg64", "PCG64")})}));
  };
  const std::string maker = global("numpy.random._pickle", "__bit_generator_ctor");
  const std::string twister = global("numpy.random._mt19937", "MT19937");
  for (const std::string& what : {text("MT19937"), twister, call(maker, {twister})})
    EXPECT_THAT(alarming(made(what, maker)), IsEmpty());
  const auto listed = ElementsAre("REDUCE numpy.random._pickle.__generator_ctor 1",
                                  "REDUCE numpy.random._pickle.__randomstate_ctor 1");
  EXPECT_THAT(alarming(made(text("MT19937"), global("builtins", "len"))), listed);
  EXPECT_THAT(alarming(made(global("my", "Class"), maker)), listed);
  EXPECT_THAT(alarming(pickled(call(maker, {global("my", "Class")}))),
              ElementsAre("REDUCE numpy.random._pickle.__bit_generator_ctor 1"));
}

TEST_F(Calls, PlainFunctionsAreNotPlainWithWhatCanAct) {
  const std::string function = global("my", "function"), object = global("my", "C") + ")\x81";
  const std::string not_plain[] = {
      call(global("torch._utils", "_rebuild_parameter"), {object, kFalse, kNothing}),
      call(global("torch._utils", "_rebuild_tensor_v2"), {function}),
      call(global("collections", "defaultdict"), {function}),
      call(global("builtins", "list"), {object}),
      call(global("builtins", "set"), {function}),
      call(global("pathlib", "PosixPath"), {object}),
      call(global("torch.jit._pickle", "restore_type_tag"), {function, text("int")}),
      call(global("copyreg", "_reconstructor"),
           {global("my", "C"), global("my", "Base"), kNothing}),
      "(" + global("copyreg", "_reconstructor") + global("my", "C") + global("my", "Base") +
          kNothing + "o",
      global("builtins", "bytes") + tuple({object}) + "\x81",
      call(global("collections", "OrderedDict"), {number(1), number(2)}),
      global("collections", "OrderedDict") + global("my", "arguments") + "R"};
  for (const std::string& value : not_plain)
    EXPECT_EQ(alarming(pickled(value)).size(), 1U) << value;
}

TEST_F(Calls, AnArgumentThatHoldsItselfIsNotPlain) {
  const std::string loop = "]q\x01h\x01" + global("my", "f") + "\x86q\x02" + "a";
  EXPECT_THAT(alarming(pickled(call(global("torch", "Size"), {loop}))),
              ElementsAre("REDUCE torch.Size 1"));
}

TEST_F(Calls, ObjectsOfPythonsOwnClassesAreNoModels) {
  for (const auto& [module, name] : {std::pair{"builtins", "map"},
                                     {"operator", "methodcaller"},
                                     {"functools", "partial"},
                                     {"__builtin__", "enumerate"}})
    EXPECT_THAT(alarming(pickled(global(module, name) + ")\x81")),
                ElementsAre(std::string("NEWOBJ ") + module + "." + name + " 1"));
}

TEST_F(Calls, ACallOfAResultIsListedByIt) {
  const std::string returned = call(global("my", "f"), {});
  for (const auto& [how, opcode] : {std::pair{"REDUCE", ")R"}, {"NEWOBJ", ")\x81"}})
    EXPECT_THAT(alarming(pickled(returned + opcode)),
                Contains(std::string(how) + " the result of my.f 1"));
  EXPECT_THAT(alarming(pickled("\x82\x05)R")), ElementsAre("REDUCE copyreg's extension 5 1"));
}

TEST_F(Calls, AMemberOfAClassIsAValueAndWhatIsDoneToItIsNot) {
  const std::string member =
      call(global("builtins", "getattr"), {global("my", "Mode"), text("MEAN")});
  EXPECT_THAT(alarming(pickled(member)), IsEmpty());
  EXPECT_THAT(alarming(pickled(member + number(1) + "a")),
              ElementsAre("APPEND (the result of builtins.getattr).append 1"));
  EXPECT_THAT(alarming(pickled(member + ")R")),
              ElementsAre("REDUCE the result of builtins.getattr 1"));
  for (const auto& [module, name] : {std::pair{"os", "Path"}, {"my", "function"}, {"my", "A.os.B"}})
    EXPECT_THAT(alarming(pickled(
                    call(global("builtins", "getattr"), {global(module, name), text("system")}))),
                ElementsAre("REDUCE builtins.getattr 1"));
}

// As pickle writes a bound method, of a hook that a module keeps.
TEST_F(Calls, AMethodThatIsKeptIsAValue) {
  const auto method_of = [](const std::string& owner, const char* name) {
    return call(global("builtins", "getattr"), {owner, text(name)});
  };
  const std::string model = global("transformers.models.esm.modeling_esm", "EsmModel") + ")\x81";
  EXPECT_THAT(alarming(pickled(method_of(model, "load_hook"))), IsEmpty());
  EXPECT_THAT(alarming(pickled(method_of(model, "load_hook") + ")R")),
              ElementsAre("REDUCE the result of builtins.getattr 1"));
  EXPECT_THAT(alarming(pickled(method_of(model, "__reduce__"))),
              ElementsAre("REDUCE builtins.getattr 1"));
  const std::string process = global("subprocess", "Popen") + ")\x81";
  EXPECT_THAT(alarming(pickled(method_of(process, "kill"))), Contains("REDUCE builtins.getattr 1"));
  EXPECT_THAT(alarming(pickled(method_of(call(global("my", "f"), {}), "kill"))),
              Contains("REDUCE builtins.getattr 1"));
}

// As pickle writes torch.relu, which is a static method of a class of torch.
TEST_F(Calls, AFunctionOfTorchThatIsKeptIsAValue) {
  const auto function_of = [](const char* module, const char* owner, const char* name) {
    return call(global("__builtin__", "getattr"), {global(module, owner), text(name)});
  };
  const std::string relu = function_of("torch._C", "_VariableFunctionsClass", "relu");
  EXPECT_THAT(alarming(pickled(relu)), IsEmpty());
  EXPECT_THAT(alarming(pickled(call(global("functools", "partial"), {relu}))), IsEmpty());
  EXPECT_THAT(alarming(pickled(relu + ")R")),
              ElementsAre("REDUCE the result of __builtin__.getattr 1"));
  EXPECT_THAT(alarming(pickled(relu + dict({{"a", text("b")}}) + "b")),
              ElementsAre("BUILD (the result of __builtin__.getattr).__setstate__ 1"));
  for (const char* name : {"__reduce__", "_relu", "from_file", "relu.x", "", "Relu"})
    EXPECT_THAT(alarming(pickled(function_of("torch._C", "_VariableFunctionsClass", name))),
                ElementsAre("REDUCE __builtin__.getattr 1"))
        << name;
  for (const auto& [module, owner] :
       {std::pair{"torch", "hub"}, {"torch", "_C"}, {"torch._C", "_VariableFunctions"}})
    EXPECT_THAT(alarming(pickled(function_of(module, owner, "load"))),
                ElementsAre("REDUCE __builtin__.getattr 1"))
        << owner;
}

TEST_F(Calls, APartialOfAModelsFunctionIsNone) {
  const auto kept = [](const char* module, const char* name) {
    return call(global("functools", "partial"), {global(module, name)});
  };
  EXPECT_THAT(alarming(pickled(kept("torch._C._fft", "fft_fftn"))), IsEmpty());
  EXPECT_THAT(alarming(pickled(kept("transformers.models.fnet.modeling_fnet", "two_dim_matmul"))),
              IsEmpty());
  for (const char* module : {"torch.hub", "transformers.utils.hub", "my"})
    EXPECT_THAT(alarming(pickled(kept(module, "load"))), ElementsAre("REDUCE functools.partial 1"));
}

TEST_F(Calls, ANameThatLeadsThroughAModuleIsNoPartOfTheFirst) {
  EXPECT_THAT(alarming(pickled(global("torch.nn", "parallel.os.system") + ")\x81")),
              ElementsAre("NEWOBJ torch.nn.parallel.os.system 1"));
  EXPECT_THAT(alarming(pickled(call(global("functools", "partial"),
                                    {global("torch.nn.functional", "warnings.warn")}))),
              ElementsAre("REDUCE functools.partial 1"));
  EXPECT_THAT(alarming(pickled(global("my", "Outer.Inner") + ")\x81")), IsEmpty());
}

TEST_F(Calls, TheFirstOnesArgumentsAreShown) {
  const auto shown = [&](const std::string& value) {
    const auto checkpoint = open_checkpoint(folder_.write("file", pickled(value)));
    if (!checkpoint || checkpoint->calls.empty()) return std::string("none");
    return checkpoint->calls[0].arguments;
  };
  EXPECT_EQ(shown(call(global("os", "system"), {text("echo 'a\nb\x1b'"), number(3), kTrue})),
            "('echo 'a\\nb\\x1b'', 3, True)");
  EXPECT_EQ(shown(global("os", "environ") + text("k") + text("v") + "s"), "['k'] = 'v'");
  EXPECT_EQ(shown(global("sys", "path") + text("x") + "a"), "('x')");
  EXPECT_EQ(shown(global("os", "path") + dict({{"sep", global("m", "f")}}) + "b"),
            "({'sep': m.f})");
  const std::string longest = shown(call(
      global("os", "system"), {tuple(std::vector<std::string>(9, text(std::string(500, 'x'))))}));
  EXPECT_EQ(longest.size(), 243U);
  EXPECT_TRUE(longest.ends_with("..."));
}

class Imports : public testing::Test {
 protected:
  /// "global" of what is unusual, with "!" where it can act.
  std::vector<std::string> unusual(const std::string& value) {
    const auto checkpoint = open_checkpoint(folder_.write("file", pickled(value)));
    std::vector<std::string> found;
    for (const UnusualImport& import : checkpoint->unusual_imports)
      found.push_back(import.global + (import.acts ? "!" : ""));
    return found;
  }
  Folder folder_;
};

TEST_F(Imports, OfWhatNoCheckpointHoldsAreUnusual) {
  EXPECT_THAT(unusual(global("antigravity", "fly")), ElementsAre("antigravity.fly!"));
  EXPECT_THAT(unusual(global("os", "system")), ElementsAre("os.system!"));
  EXPECT_THAT(unusual(global("my", "function")), ElementsAre("my.function"));
  EXPECT_THAT(unusual(global("string", "ascii_letters")), ElementsAre("string.ascii_letters"));
  EXPECT_THAT(unusual("\x82\x05"), ElementsAre("copyreg's extension 5"));
  EXPECT_THAT(unusual(global("torch.hub", "os.system")), ElementsAre("torch.hub.os.system!"));
}

TEST_F(Imports, OfValuesAndOfWhatIsCalledAnywayAreNone) {
  for (const auto& [module, name] : {std::pair{"torch", "float32"},
                                     {"torch.nn.modules.linear", "Linear"},
                                     {"builtins", "int"},
                                     {"numpy", "float64"},
                                     {"torch.optim.adamw", "AdamW"},
                                     {"collections", "OrderedDict"}})
    EXPECT_THAT(unusual(global(module, name)), IsEmpty()) << name;
  EXPECT_THAT(unusual(call(global("os", "system"), {})), IsEmpty());
  EXPECT_THAT(unusual(tuple({global("my", "Model") + ")\x81", global("my.layers", "gelu")})),
              IsEmpty());
}

}  // namespace
}  // namespace samebits
