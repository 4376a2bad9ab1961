#include "samebits/checkpoint/side_pickles.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace test_files;  // NOLINT: the vocabulary of these tests

class SidePickles : public testing::Test {
 protected:
  SidePickles() { folder_.write("model.safetensors", safetensors({{"w", {1}}})); }
  Checkpoint opened() {
    auto checkpoint = open_checkpoint(folder_.path());
    EXPECT_TRUE(checkpoint) << to_string(checkpoint.error());
    return checkpoint ? *std::move(checkpoint) : Checkpoint();
  }
  std::vector<std::string> listed(const Checkpoint& checkpoint) {
    std::vector<std::string> found;
    for (const CallSummary& call : checkpoint.calls) {
      const std::string& path =
          call.beside.empty() ? checkpoint.files[call.file].path : call.beside;
      found.push_back(call.global + " " + path.substr(path.rfind('/') + 1));
    }
    return found;
  }
  Folder folder_;
};

TEST_F(SidePickles, OfEveryKindAreReadForWhatTheyWouldCall) {
  const std::string acts = call(global("my", "f"), {});
  folder_.write("training_args.bin", torch_zip(acts, {}));
  folder_.write("rng_state_7.pth", torch_legacy(acts, {}));
  folder_.write("custom_checkpoint_0.pkl", pickled(number(1)) + pickled(acts));
  EXPECT_THAT(listed(opened()), ElementsAre("my.f custom_checkpoint_0.pkl", "my.f rng_state_7.pth",
                                            "my.f training_args.bin"));
}

TEST_F(SidePickles, ThatArePlainAddOnlyImports) {
  folder_.write("scheduler_1.pt", torch_zip(dict({{"w", tensor("0", 1)}}), {{"0", floats({1})}}));
  const Checkpoint checkpoint = opened();
  EXPECT_THAT(checkpoint.calls, IsEmpty());
  EXPECT_THAT(checkpoint.unread, IsEmpty());
  EXPECT_EQ(checkpoint.files.size(), 1U);
  EXPECT_THAT(checkpoint.imports, testing::Contains("torch._utils._rebuild_tensor_v2"));
}

TEST_F(SidePickles, ThatBreakOffAreUnread) {
  folder_.write("training_args.bin", "\x80\x02" + call(global("my", "f"), {}));
  const Checkpoint checkpoint = opened();
  EXPECT_THAT(listed(checkpoint), ElementsAre("my.f training_args.bin"));
  EXPECT_EQ(checkpoint.unread.size(), 1U);
}

TEST_F(SidePickles, AreNotWhatOnlyHasTheirExtension) {
  folder_.write("tokens.bin", std::string(100, '\0'));
  folder_.write("words.bin", "Nothing to see here");
  folder_.write("empty.pt", "");
  std::filesystem::create_directory(folder_.path("folder.pkl"));
  const Checkpoint checkpoint = opened();
  EXPECT_THAT(checkpoint.calls, IsEmpty());
  EXPECT_THAT(checkpoint.unread, IsEmpty());
}

}  // namespace
}  // namespace samebits
