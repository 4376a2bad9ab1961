#include "samebits/checkpoint/module_attributes.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

using Fields = std::vector<std::pair<std::string, std::string>>;

/// The file of a module with one weight and these attributes.
Checkpoint with_attributes(Fields attributes, const std::string& before = "") {
  const Folder folder;
  attributes.insert(attributes.begin(), {{"training", kFalse},
                                         {"_parameters", dict({{"w", tensor("0", 1)}})},
                                         {"_modules", dict({})}});
  const std::string value = before + object(global("my.net", "Net"), dict(attributes));
  auto checkpoint = open_checkpoint(
      folder.write("a.pth", torch_zip(value, {{"0", floats({1})}, {"1", floats({2})}})));
  EXPECT_TRUE(checkpoint);
  return *std::move(checkpoint);
}

/// As it is kept, without what the file holds in other places.
Json attribute_of(const std::string& value) {
  return with_attributes({{"x", value}}).modules[0].attributes["x"];
}

const std::string kOwn = global("my.net", "Own");

TEST(ModuleAttributes, PlainValuesAreJson) {
  EXPECT_EQ(attribute_of(number(3)), 3);
  EXPECT_EQ(attribute_of(text("a")), "a");
  EXPECT_EQ(attribute_of(tuple({number(1), kNothing, kTrue})), Json::parse("[1, null, true]"));
  EXPECT_EQ(attribute_of(dict({{"k", number(1)}})), Json::parse(R"({"k": 1})"));
}

TEST(ModuleAttributes, ANumberAndItsTextAreTwoKeys) {
  EXPECT_EQ(attribute_of("}(" + number(1) + number(2) + text("1") + number(3) + "u"),
            Json::parse(R"({"$pairs": [[1, 2], ["1", 3]]})"));
  EXPECT_EQ(attribute_of(dict({{"$data", number(9)}})),
            Json::parse(R"({"$pairs": [["$data", 9]]})"));
}

TEST(ModuleAttributes, ASetHasNoOrder) {
  const auto set_of = [](const std::string& first, const std::string& second) {
    return attribute_of(global("__builtin__", "set") + tuple({"](" + first + second + "e"}) + "R");
  };
  EXPECT_EQ(set_of(text("b"), text("a")), set_of(text("a"), text("b")));
  EXPECT_NE(set_of(text("b"), text("a")), set_of(text("a"), text("c")));
  // As protocol 4 writes it.
  EXPECT_EQ(set_of(text("b"), text("a")), attribute_of("\x8f(" + text("a") + text("b") + "\x90"));
  EXPECT_NE(set_of(text("a"), text("b")), attribute_of("](" + text("a") + text("b") + "e"));
}

TEST(ModuleAttributes, AnObjectHasItsClassAndAttributes) {
  EXPECT_EQ(attribute_of(object(kOwn, dict({{"scale", number(2)}}))),
            Json::parse(R"({"$class": "my.net.Own", "scale": 2})"));
  const std::string slots = tuple({kNothing, dict({{"scale", number(2)}})});
  EXPECT_EQ(attribute_of(object(kOwn, slots)),
            Json::parse(R"({"$class": "my.net.Own", "scale": 2})"));
}

TEST(ModuleAttributes, AStateOfAnotherShapeIsKeptWhole) {
  EXPECT_EQ(attribute_of(object(kOwn, tuple({number(2), dict({{"unit", text("px")}})}))),
            Json::parse(R"({"$class": "my.net.Own", "$state": [[2, {"unit": "px"}]]})"));
  EXPECT_EQ(attribute_of(object(kOwn, dict({{"$data", number(9)}}))),
            Json::parse(R"({"$class": "my.net.Own", "$state": [{"$pairs": [["$data", 9]]}]})"));
}

TEST(ModuleAttributes, APartialKeepsItsArguments) {
  const std::string function = global("my.net", "times");
  const std::string state =
      tuple({function, tuple({number(3)}), dict({{"shift", number(1)}}), kNothing});
  const Json kept = attribute_of(call(global("functools", "partial"), {function}) + state + "b");
  EXPECT_EQ(kept["$class"], "functools.partial");
  EXPECT_THAT(kept.dump(), HasSubstr(R"([3],{"shift":1},null)"));
}

TEST(ModuleAttributes, ADictOfAClassKeepsWhatItWasMadeWith) {
  const std::string items = "(" + text("a") + number(1) + "u";
  EXPECT_EQ(attribute_of(call(kOwn, {number(7)}) + items),
            Json::parse(R"({"$class": "my.net.Own", "$items": {"a": 1}, "$args": [7]})"));
  EXPECT_EQ(attribute_of(call(global("collections", "OrderedDict"), {}) + items),
            Json::parse(R"({"$class": "collections.OrderedDict", "$items": {"a": 1}})"));
}

TEST(ModuleAttributes, TwoWaysOfMakingAnObjectAreOne) {
  const std::string made =
      call(global("copy_reg", "_reconstructor"), {kOwn, global("__builtin__", "object"), kNothing});
  EXPECT_EQ(attribute_of(made + dict({{"s", number(1)}}) + "b"),
            attribute_of(object(kOwn, dict({{"s", number(1)}}))));
}

TEST(ModuleAttributes, TensorsOfTheModuleAreNamedAndOthersKept) {
  const Checkpoint checkpoint = with_attributes({{"plain", tensor("1", 1)}});
  EXPECT_EQ(checkpoint.modules[0].attributes["plain"]["$is"], "tensor float32 [1]");
  EXPECT_EQ(checkpoint.attribute_data.size(), 1U);
}

TEST(ModuleAttributes, WhatIsRegisteredAndNoTensorIsAnAttribute) {
  const std::string module = object(
      global("my.net", "Net"),
      dict({{"training", kFalse},
            {"_parameters", dict({{"w", tensor("0", 1)}, {"packed", number(5)}, {"b", kNothing}})},
            {"_modules", dict({{"none", kNothing}, {"odd", text("m")}})}}));
  const Folder folder;
  const auto checkpoint =
      open_checkpoint(folder.write("a.pth", torch_zip(module, {{"0", floats({1})}})));
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->modules[0].attributes, Json::parse(R"({"packed": 5, "odd": "m"})"));
}

TEST(ModuleAttributes, HooksStandInTheOrderOfTheirCallsWithTheirKind) {
  const std::string hooks =
      "}(" + number(4) + global("my.net", "first") + number(9) + global("my.net", "second") + "u";
  const std::string named = "}(" + number(9) + kTrue + "u";
  const Checkpoint checkpoint = with_attributes({{"_forward_hooks", hooks},
                                                 {"_forward_hooks_with_kwargs", named},
                                                 {"_backward_hooks", hooks}});
  EXPECT_EQ(checkpoint.modules[0].attributes,
            Json::parse(R"({"_forward_hooks": [{"$name": "my.net.first"},
                                               {"$name": "my.net.second"}, "with_kwargs"]})"));
}

TEST(ModuleAttributes, ALargeValueIsReadOnce) {
  std::string fields;
  for (int i = 0; i < 30; ++i) fields += text("f" + std::to_string(i)) + number(1);
  const std::string config = "}q\x07(" + fields + "u";
  const Checkpoint checkpoint = with_attributes({{"one", config}, {"two", "h\x07"}});
  EXPECT_EQ(checkpoint.attribute_shared.size(), 1U);
  EXPECT_EQ(checkpoint.modules[0].attributes["one"], Json::parse(R"({"$shared": 0})"));
  EXPECT_EQ(checkpoint.modules[0].attributes["two"], Json::parse(R"({"$shared": 0})"));
}

TEST(ModuleAttributes, WhatNamesAnObjectAboveItIsNotShared) {
  std::string fields = text("above") + "h\x08";
  for (int i = 0; i < 30; ++i) fields += text("f" + std::to_string(i)) + number(1);
  const std::string outer = "}q\x08(" + text("inner") + "}(" + fields + "uu";
  const Checkpoint checkpoint = with_attributes({{"one", outer}});
  ASSERT_EQ(checkpoint.attribute_shared.size(), 1U);  // the outer one
  EXPECT_EQ(checkpoint.attribute_shared[0]["inner"]["above"], Json::parse(R"({"$cycle": 2})"));
}

}  // namespace
}  // namespace samebits
