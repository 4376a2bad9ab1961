#include "samebits/checkpoint/torch_script.h"

#include <gmock/gmock.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/script_program.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using namespace test_files;  // NOLINT: the vocabulary of these tests

const std::string kLinear =
    "class Linear(Module):\n"
    "  __parameters__ = [\"weight\", \"a\\\"b\", ]\n"
    "  __buffers__ = [\"shift\", ]\n"
    "  weight : Tensor\n"
    "  eps : Final[float] = 1e-05\n"
    "  size : Final[Tuple[int, int]] = (3, -1)\n"
    "  odd : Final[Device] = torch.device(\"cpu\")\n"
    "  def forward(self: __torch__.Linear,\n"
    "    x: Tensor) -> Tensor:\n"
    "    return torch.linear(x, self.weight)\n"
    "def relu(x: Tensor) -> Tensor:\n"
    "  return torch.relu(x)\n";

std::string memo_put(std::uint32_t index) { return "r" + le32(index); }
std::string memo_get(std::uint32_t index) { return "j" + le32(index); }

/// An archive of a root object and its code: file of code/ -> text.
std::string script_archive(const std::string& root,
                           const std::vector<std::pair<std::string, std::string>>& code) {
  std::vector<zip_builder::Record> records = {zip_builder::stored("m/data.pkl", pickled(root)),
                                              zip_builder::stored("m/data/0", floats({1, 2}))};
  for (const auto& [name, text] : code)
    records.push_back(zip_builder::stored("m/code/" + name, text));
  return zip_builder::archive(records).whole();
}

std::string script_object(const std::string& type, const std::string& state) {
  return object(global("__torch__", type), state);
}

Checkpoint opened_script(const std::string& bytes) {
  const Folder folder;
  auto checkpoint = open_checkpoint(folder.write("m.pt", bytes));
  EXPECT_TRUE(checkpoint) << to_string(checkpoint.error());
  return checkpoint ? *std::move(checkpoint) : Checkpoint{};
}

std::vector<std::string> weight_paths(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  if (!checkpoint.has_weights()) return names;
  for (const std::uint32_t i : checkpoint.weights().weights)
    names.push_back(checkpoint.entries[i].path);
  return names;
}

TEST(TorchScript, ClassesSayWhatTheirAttributesAre) {
  const auto classes = read_script_classes(kLinear);
  ASSERT_THAT(classes, SizeIs(2));
  const ScriptClass& linear = classes.at("Linear");
  EXPECT_TRUE(linear.is_module);
  EXPECT_THAT(linear.parameters, ElementsAre("a\"b", "weight"));
  EXPECT_THAT(linear.buffers, ElementsAre("shift"));
  EXPECT_THAT(linear.constants, ElementsAre(Pair("eps", Json(1e-5)), Pair("size", Json({3, -1}))));
  EXPECT_THAT(linear.text, HasSubstr("odd : Final"));  // no value of JSON's
  EXPECT_THAT(linear.text, testing::Not(HasSubstr("eps")));
  EXPECT_FALSE(classes.at("relu").is_module);
}

TEST(TorchScript, LiteralsAreReadWholeOrNotAtAll) {
  EXPECT_EQ(script_literal("1"), Json(1));
  EXPECT_EQ(script_literal("-2.5"), Json(-2.5));
  EXPECT_EQ(script_literal("True"), Json(true));
  EXPECT_EQ(script_literal("None"), Json());
  EXPECT_EQ(script_literal("\"zeros\""), Json("zeros"));
  EXPECT_EQ(script_literal("[(1, 2), (3,)]"), Json({{1, 2}, Json::array({3})}));
  for (const char* text : {"", "(", "(1", "1 2", "\"a", "\"a\\n\"", "float(\"inf\")", "nan?", "1e"})
    EXPECT_EQ(script_literal(text), std::nullopt) << text;
  EXPECT_EQ(script_literal(std::string(100'000, '(')), std::nullopt);
}

TEST(TorchScript, ClassNamesLoseWhatTorchAdds) {
  EXPECT_EQ(python_class("__torch__.torch.nn.___torch_mangle_3.Linear"), "torch.nn.Linear");
  EXPECT_EQ(python_class("__torch__.Net"), "Net");
  EXPECT_EQ(python_class("my.__torch__.Net"), "my.__torch__.Net");
  EXPECT_EQ(python_class(""), "");
}

TEST(TorchScript, AModuleHasItsTensorsModeAndConstants) {
  const std::string state = dict({{"training", kFalse},
                                  {"weight", tensor("0", 2)},
                                  {"loose", tensor("0", 1)},
                                  {"scale", number(3)}});
  const Checkpoint checkpoint =
      opened_script(script_archive(script_object("Linear", state), {{"__torch__.py", kLinear}}));
  EXPECT_EQ(checkpoint.kind, CheckpointKind::torchscript);
  EXPECT_THAT(weight_paths(checkpoint), ElementsAre("weight"));
  ASSERT_THAT(checkpoint.modules, SizeIs(1));
  const ModuleRecord& root = checkpoint.modules[0];
  EXPECT_EQ(root.class_path, "Linear");
  EXPECT_EQ(root.hyper["eps"], 1e-5);
  EXPECT_EQ(root.attributes["scale"], 3);
  EXPECT_EQ(root.attributes["size"], Json({3, -1}));
  EXPECT_TRUE(root.attributes.contains("loose"));
  ASSERT_TRUE(checkpoint.program);
  EXPECT_EQ(checkpoint.program->way, "scripted");
}

TEST(TorchScript, AModuleInTwoPlacesIsListedTwice) {
  const std::string child =
      script_object("Linear", dict({{"training", kFalse}, {"weight", tensor("0", 2)}}));
  const std::string root = script_object(
      "Net", dict({{"training", kFalse}, {"a", child + memo_put(1)}, {"b", memo_get(1)}}));
  const Checkpoint checkpoint = opened_script(
      script_archive(root, {{"__torch__.py", kLinear + "class Net(Module):\n  __parameters__ = []\n"
                                                       "  __buffers__ = []\n"}}));
  EXPECT_THAT(weight_paths(checkpoint), ElementsAre("a.weight", "b.weight"));
}

TEST(TorchScript, AModuleInsideItselfIsCut) {
  const std::string root =
      global("__torch__", "Linear") + ")\x81" + memo_put(1) +
      dict({{"training", kFalse}, {"weight", tensor("0", 2)}, {"me", memo_get(1)}}) + "b";
  const Checkpoint checkpoint = opened_script(script_archive(root, {{"__torch__.py", kLinear}}));
  EXPECT_THAT(checkpoint.modules, SizeIs(1));
  EXPECT_THAT(weight_paths(checkpoint), ElementsAre("weight"));
}

TEST(TorchScript, ModulesThatDoubleAreListedABoundedNumberOfTimes) {
  std::string value =
      script_object("Linear", dict({{"training", kFalse}, {"weight", tensor("0", 2)}})) +
      memo_put(0) + "0";
  for (std::uint32_t i = 0; i < 60; ++i)
    value += script_object("Linear",
                           dict({{"training", kFalse}, {"a", memo_get(i)}, {"b", memo_get(i)}})) +
             memo_put(i + 1) + "0";
  const Checkpoint checkpoint =
      opened_script(script_archive(value + memo_get(60), {{"__torch__.py", kLinear}}));
  ASSERT_THAT(checkpoint.unread, testing::Not(IsEmpty()));
  EXPECT_EQ(checkpoint.unread.back().code, ErrorCode::limit);
  EXPECT_LT(checkpoint.modules.size(), kLimits.tree_repeats + 10'000);
}

TEST(TorchScript, NestedModulesEndAtTheLimit) {
  std::string value = script_object("Linear", dict({{"training", kFalse}}));
  for (std::uint32_t i = 0; i < 2 * kLimits.tree_depth; ++i)
    value =
        script_object("Linear", "}" + text("training") + kFalse + "s" + text("x") + value + "s");
  const Checkpoint checkpoint = opened_script(script_archive(value, {{"__torch__.py", kLinear}}));
  EXPECT_LE(checkpoint.modules.size(), kLimits.tree_depth);
  EXPECT_THAT(checkpoint.unread, testing::Not(IsEmpty()));
}

TEST(TorchScript, ALongClassNameCostsItsLengthOnce) {
  std::string name;
  while (name.size() < 100'000) name += "a.";
  std::string children = text("training") + kFalse;
  for (int i = 0; i < 1000; ++i)
    children +=
        text("m" + std::to_string(i)) + memo_get(1) + ")\x81}" + text("training") + kFalse + "sb";
  const std::string root =
      "c__torch__." + name + "x\nA\n" + memo_put(1) + ")\x81}(" + children + "ub";
  const Checkpoint checkpoint = opened_script(script_archive(root, {{"__torch__.py", kLinear}}));
  EXPECT_FALSE(checkpoint.modules.empty());
}

TEST(TorchScript, NamesOfClassesLookInTheArchiveOnly) {
  const std::string root = object(global("__torch__.../../../etc", "passwd"),
                                  dict({{"training", kFalse}, {"weight", tensor("0", 2)}}));
  EXPECT_THAT(weight_paths(opened_script(script_archive(root, {{"__torch__.py", kLinear}}))),
              ElementsAre("weight"));
}

TEST(TorchScript, CodeThatTheLoaderReadsIsHeldAgainstItsChecksum) {
  const std::string root = script_object("Linear", dict({{"training", kFalse}}));
  std::string bytes =
      script_archive(root, {{"__torch__.py", kLinear}, {"__torch__.py.debug_pkl", "lines"}});
  const auto bad = [](const Checkpoint& checkpoint) {
    return std::ranges::count(checkpoint.oddities, Oddity::Kind::bad_checksum, &Oddity::kind);
  };
  EXPECT_EQ(bad(opened_script(bytes)), 0);
  bytes[bytes.find("lines")] ^= 1;
  EXPECT_EQ(bad(opened_script(bytes)), 1);
}

ScriptProgram program_in(const std::string& root,
                         const std::vector<std::pair<std::string, std::string>>& files,
                         const std::vector<StoredTensor>& entries = {}) {
  ScriptCode code([&](const std::string& name) -> std::optional<std::string> {
    for (const auto& [file, text] : files)
      if (file == name) return text;
    return std::nullopt;
  });
  return read_script_program(code, root, entries);
}

std::string net_code(const std::string& mangle, const std::string& call) {
  return "class Net(Module):\n  l : __torch__.nn." + mangle +
         "Linear\n  def forward(self: __torch__.Net) -> Tensor:\n    return " + call + "\n";
}

TEST(ScriptProgram, DoesNotDependOnMangledNamesAndNumbersOfConstants) {
  const std::string linear = "class Linear(Module):\n  __parameters__ = []\n";
  const ScriptProgram a = program_in(
      "__torch__.Net", {{"__torch__.py", net_code("", "torch.add(CONSTANTS.c1, CONSTANTS.c0)")},
                        {"__torch__/nn.py", linear}});
  const ScriptProgram b = program_in(
      "__torch__.Net",
      {{"__torch__.py", net_code("___torch_mangle_7.", "torch.add(CONSTANTS.c0, CONSTANTS.c5)")},
       {"__torch__/nn/___torch_mangle_7.py", linear}});
  EXPECT_EQ(program_digest(a), program_digest(b));
  ASSERT_THAT(a.units, SizeIs(2));
  EXPECT_EQ(a.units[1].name, "nn.Linear#0");
  EXPECT_THAT(a.units[0].text, HasSubstr("torch.add(CONSTANTS.c0, CONSTANTS.c1)"));
  const ScriptProgram c = program_in(
      "__torch__.Net", {{"__torch__.py", net_code("", "torch.add(CONSTANTS.c0, CONSTANTS.c0)")},
                        {"__torch__/nn.py", linear}});
  EXPECT_NE(program_digest(a), program_digest(c));
}

TEST(ScriptProgram, TextsInQuotesStayAsTheyAre) {
  const ScriptProgram program = program_in(
      "__torch__.Net",
      {{"__torch__.py", net_code("", "f(\"__torch__.Net \\\" CONSTANTS.c4\", CONSTANTS.c4)")}});
  EXPECT_THAT(program.units[0].text,
              HasSubstr("f(\"__torch__.Net \\\" CONSTANTS.c4\", CONSTANTS.c0)"));
  EXPECT_THAT(program.constants, ElementsAre(kNoConstant));
}

TEST(ScriptProgram, AProgramThatNamesItselfEnds) {
  const ScriptProgram program =
      program_in("__torch__.A", {{"__torch__.py",
                                  "class A(Module):\n  b : __torch__.B\nclass B(Module):\n"
                                  "  a : __torch__.A\n  x : __torch__.missing.C\n"}});
  EXPECT_THAT(program.units, SizeIs(2));
}

TEST(ScriptProgram, KnowsCallsThatHoldTheTrainingMode) {
  EXPECT_TRUE(has_training_call("  x = torch.dropout(input, 0.5, True)\n"));
  EXPECT_FALSE(has_training_call("  x = torch.dropout(input, 0.5, False)\n"));
  EXPECT_FALSE(has_training_call("  x = torch.dropout(input, 0.5, training)\n"));
  EXPECT_TRUE(
      has_training_call("  _0 = torch.batch_norm(a, w, b, m, v, True, 0.1, 1e-05, True)\n"));
  EXPECT_FALSE(
      has_training_call("  _0 = torch.batch_norm(a, w, b, m, v, False, 0.1, 1e-05, True)\n"));
}

TEST(ScriptProgram, KnowsWhichAttributesAreRead) {
  const ScriptProgram program = program_in(
      "__torch__.Net", {{"__torch__.py", net_code("", "self.scale.sum() + getattr(self, \"0\")")}});
  const auto read = attributes_read(program);
  EXPECT_TRUE(read.contains("scale"));
  EXPECT_TRUE(read.contains("0"));
  EXPECT_FALSE(read.contains("scal"));
  EXPECT_FALSE(read.contains("self"));
}

}  // namespace
}  // namespace samebits
