#include "samebits/lock/lock.h"

#include <gmock/gmock.h>

#include "samebits/lock/lock_text.h"

namespace samebits {
namespace {

LockedTensor tensor_of(const std::string& name, const std::string& text) {
  return {.name = name,
          .dtype = DType::float32,
          .shape = {2, 3},
          .digest = digest_text(LockAlgorithm::sha256, text),
          .identity = "",
          .tied_to = ""};
}

Lock some_lock() {
  Lock lock;
  lock.tensors = {tensor_of("a", "x"), tensor_of("b", "x"), tensor_of("c", "y")};
  lock.config = {{"eps", 1e-12}, {"layers", 2}};
  lock.values = {{"_extra_state", "0123"}};
  lock.modules = LockedModules{3, {"", "net.0"}, digest_text(LockAlgorithm::sha256, "modules")};
  return lock;
}

Result<Lock> parsed(const std::string& text) {
  return parse_lock({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, "x.lock");
}

TEST(Lock, ContentsCountEqualTensorsAndNotNamesOrTies) {
  Lock other = some_lock();
  other.tensors = {tensor_of("p", "y"), tensor_of("q", "x"), tensor_of("r", "x")};
  EXPECT_EQ(contents_digest(other), contents_digest(some_lock()));
  EXPECT_NE(named_digest(other), named_digest(some_lock()));
  other.tensors.push_back(tensor_of("s", "x"));
  EXPECT_NE(contents_digest(other), contents_digest(some_lock()));
  other.tensors.back().tied_to = "q";
  EXPECT_EQ(contents_digest(other), contents_digest(some_lock()));
}

TEST(Lock, DtypeShapeAndIdentityArePartOfTheContents) {
  for (const auto& change : std::vector<std::function<void(LockedTensor&)>>{
           [](LockedTensor& t) { t.dtype = DType::int32; },
           [](LockedTensor& t) { t.shape = {3, 2}; },
           [](LockedTensor& t) { t.identity = "quantized"; }}) {
    Lock other = some_lock();
    change(other.tensors[0]);
    EXPECT_NE(contents_digest(other), contents_digest(some_lock()));
  }
}

TEST(Lock, TheCanonicalFormIsThatOfTheDocument) {
  const Json value = {{"b", {1, -2, 0.5, true, nullptr}}, {"a", "\u00fc"}, {"", false}};
  EXPECT_EQ(canonical_form(value), "{0:f1:as2:\u00fc1:b[i1;i-2;d3fe0000000000000;tn]}");
}

TEST(Lock, WhatIsWrittenIsRead) {
  const std::string text = lock_text(some_lock());
  const Result<Lock> again = parsed(text);
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(lock_text(*again), text);
  EXPECT_EQ(again->modules->training, (std::vector<std::string>{"", "net.0"}));
}

TEST(Lock, ALockThatContradictsItselfIsRefused) {
  const std::string text = lock_text(some_lock());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"a\"", "\"aa\""},
           {"[2,3]", "[3,2]"},
           {"float32", "int32"},
           {"1e-12", "1e-11"},
           {"\"contents\": \"", "\"contents\": \"0"}}) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    const Result<Lock> refused = parsed(changed);
    ASSERT_FALSE(refused) << from;
    EXPECT_NE(to_string(refused.error()).find("x.lock"), std::string::npos);
  }
}

TEST(Lock, WhatIsNoLockIsSaidToBeNone) {
  for (const char* text : {"", "[]", "{}", "{\"schema\": 3}", "{\"schema\": \"samebits.lock/2\"}",
                           "{\"schema\": \"samebits.lock/1\", \"algorithm\": \"md5\"}"})
    EXPECT_FALSE(parsed(text)) << text;
}

}  // namespace
}  // namespace samebits
