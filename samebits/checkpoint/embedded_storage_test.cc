// Tensors as pickle.dump() writes them: each storage a stream of torch.save inside the pickle.
#include "samebits/checkpoint/embedded_storage.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

std::string bytes_of(const std::string& content) { return "B" + le32(content.size()) + content; }

std::string loaded_from(const std::string& stream) {
  return call(global("torch.storage", "_load_from_bytes"), {bytes_of(stream)});
}

/// A float32 vector of two over that storage.
std::string vector_over(const std::string& stored) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {stored, number(0), tuple({number(2)}), tuple({number(1)}), kFalse,
               call(global("collections", "OrderedDict"), {})});
}

std::string stream_of(const std::vector<float>& values) {
  return torch_legacy(storage("7", static_cast<std::uint32_t>(values.size())),
                      {{"7", floats(values)}});
}

class EmbeddedStorages : public testing::Test {
 protected:
  Checkpoint open(const std::string& value) {
    auto checkpoint = open_checkpoint(folder_.write("file.pkl", pickled(value)));
    EXPECT_TRUE(checkpoint) << to_string(checkpoint.error());
    return *std::move(checkpoint);
  }
  Folder folder_;
};

TEST_F(EmbeddedStorages, AreReadWhereTheyStand) {
  const Checkpoint checkpoint = open(dict({{"w", vector_over(loaded_from(stream_of({1, 2})))},
                                           {"v", vector_over(loaded_from(stream_of({3, 4})))}}));
  ASSERT_EQ(checkpoint.entries.size(), 2U);
  EXPECT_TRUE(checkpoint.unread.empty());
  const Bytes file = checkpoint.files[0].map->bytes();
  for (std::size_t i = 0; i < 2; ++i) {
    const StoredTensor& tensor = checkpoint.entries[i];
    const std::string expected = i == 0 ? floats({1, 2}) : floats({3, 4});
    EXPECT_EQ(as_text(tensor.view.plain_bytes()), expected);
    EXPECT_EQ(as_text(file.subspan(tensor.offset, 8)), expected);
  }
  EXPECT_NE(checkpoint.entries[0].storage, checkpoint.entries[1].storage);
  for (const CallSummary& call : checkpoint.calls) EXPECT_TRUE(call.plain) << call.global;
}

TEST_F(EmbeddedStorages, OfOneObjectAreOneStorage) {
  const std::string kept = "q\x01", again = "h\x01";
  const std::string first = call(global("torch._utils", "_rebuild_tensor_v2"),
                                 {loaded_from(stream_of({1, 2})) + kept, number(0),
                                  tuple({number(2)}), tuple({number(1)}), kFalse, kNothing});
  const Checkpoint checkpoint = open(dict({{"w", first}, {"v", vector_over(again)}}));
  ASSERT_EQ(checkpoint.entries.size(), 2U);
  EXPECT_EQ(checkpoint.entries[0].storage, checkpoint.entries[1].storage);
}

TEST_F(EmbeddedStorages, AnythingElseInTheBytesIsACallThatIsNotPlain) {
  const std::string whole = stream_of({1, 2});
  const std::string acting =
      torch_legacy(call(global("os", "system"), {text("true")}), {{"7", floats({1})}});
  for (const std::string& stream :
       {std::string("no stream"), whole + "x", whole.substr(0, whole.size() - 1), acting,
        torch_legacy(dict({{"w", tensor("0", 2)}}), {{"0", floats({1, 2})}}), std::string()}) {
    const Checkpoint checkpoint = open(dict({{"w", vector_over(loaded_from(stream))}}));
    ASSERT_FALSE(checkpoint.calls.empty());
    const auto listed =
        std::ranges::find(checkpoint.calls, "torch.storage._load_from_bytes", &CallSummary::global);
    ASSERT_NE(listed, checkpoint.calls.end());
    EXPECT_FALSE(listed->plain);
    ASSERT_EQ(checkpoint.entries.size(), 1U);
    EXPECT_FALSE(checkpoint.entries[0].readable);
    EXPECT_FALSE(checkpoint.unread.empty());
  }
}

TEST_F(EmbeddedStorages, AClaimOfMoreThanThereIsIsAnError) {
  std::string stream = stream_of({1, 2});
  stream.replace(stream.size() - 16, 8, le64(std::uint64_t{1} << 62U));
  const auto read = read_embedded_storage(
      {reinterpret_cast<const std::uint8_t*>(stream.data()), stream.size()}, "file", 100);
  ASSERT_FALSE(read);
  EXPECT_THAT(to_string(read.error()), HasSubstr("file"));
}

}  // namespace
}  // namespace samebits
