#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

class TorchLegacy : public testing::Test {
 protected:
  Result<Checkpoint> open(const std::string& bytes) {
    return open_checkpoint(folder_.write("file.pth", bytes));
  }
  /// Why the file, or a part of it, could not be read.
  Error error_of(const std::string& bytes) {
    const auto checkpoint = open(bytes);
    if (!checkpoint) return checkpoint.error();
    EXPECT_FALSE(checkpoint->unread.empty());
    return checkpoint->unread.empty() ? Error{} : checkpoint->unread[0];
  }
  Folder folder_;
};

const std::vector<std::pair<std::string, std::string>> kStorage = {{"0", floats({1, 2})}};

TEST_F(TorchLegacy, IsReadFromItsStorages) {
  const auto checkpoint = open(torch_legacy(dict({{"w", tensor("0", 2)}}), kStorage));
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->files[0].container, "torch-legacy");
  EXPECT_EQ(as_text(checkpoint->entries[0].view.plain_bytes()), floats({1, 2}));
}

TEST_F(TorchLegacy, IsTruncatedWhereverItIsCut) {
  const std::string whole = torch_legacy(dict({{"w", tensor("0", 2)}}), kStorage);
  for (std::size_t size = 20; size < whole.size(); ++size) {
    EXPECT_EQ(error_of(whole.substr(0, size)).code, ErrorCode::truncated) << size;
  }
}

TEST_F(TorchLegacy, AnUnknownVersionIsAnError) {
  std::string file = torch_legacy(dict({{"w", tensor("0", 2)}}), kStorage);
  file.replace(file.find(number(1001)), 5, number(1002));
  EXPECT_EQ(error_of(file).code, ErrorCode::unsupported);
}

TEST_F(TorchLegacy, AStorageThatNothingNamesIsAnError) {
  EXPECT_EQ(error_of(torch_legacy(dict({{"w", tensor("7", 2)}}), kStorage)).code,
            ErrorCode::inconsistent);
}

TEST_F(TorchLegacy, AStorageOfTwoTypesIsAnError) {
  const std::string other = call(global("torch._utils", "_rebuild_tensor_v2"),
                                 {storage("0", 2, "DoubleStorage"), number(0), tuple({number(2)}),
                                  tuple({number(1)}), kFalse, kNothing});
  EXPECT_THAT(error_of(torch_legacy(dict({{"w", tensor("0", 2)}, {"v", other}}), kStorage)).what,
              HasSubstr("two element types"));
}

TEST_F(TorchLegacy, PicklesInFramesAreRecognized) {
  const std::string magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  std::string file = torch_legacy(dict({{"w", tensor("0", 2)}}), kStorage);
  file.replace(0, 2 + magic.size(), "\x80\x04\x95" + le64(magic.size()) + magic);
  EXPECT_TRUE(open(file));
}

TEST_F(TorchLegacy, ManyPicklesInARowAreBounded) {
  std::string file;
  for (int i = 0; i < 3000; ++i) file += pickled(global("m" + std::to_string(i), "f"));
  const auto checkpoint = open(file);
  ASSERT_TRUE(checkpoint);
  ASSERT_EQ(checkpoint->unread.size(), 1U);
  EXPECT_EQ(checkpoint->unread[0].code, ErrorCode::limit);
}

}  // namespace
}  // namespace samebits
