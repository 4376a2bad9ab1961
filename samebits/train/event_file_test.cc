#include "samebits/train/event_file.h"

#include <filesystem>
#include <set>
#include <string_view>

#include <gmock/gmock.h>

#include "samebits/base/test_folder.h"

namespace samebits {
namespace {

TEST(EventFile, ItsChecksumIsThatOfCastagnoli) {
  const std::string_view digits = "123456789";
  EXPECT_EQ(crc32c(reinterpret_cast<const std::uint8_t*>(digits.data()), digits.size()),
            0xe3069283U);
  EXPECT_EQ(crc32c(nullptr, 0), 0U);
}

TEST(EventFile, ALaterOneHasALaterNameWhateverTheClockSays) {
  const test_files::Folder folder;
  EXPECT_FALSE(has_event_files(folder.path()));
  std::vector<std::string> last;
  for (const double now : {1.7e9, 1.7e9 + 0.5, 1.6e9}) {
    ASSERT_TRUE(EventFile::open(folder.path(), 0, now));
    std::set<std::string> names;
    for (const auto& each : std::filesystem::directory_iterator(folder.path()))
      names.insert(each.path().filename().string());
    last.push_back(*names.rbegin());
    EXPECT_EQ(names.size(), last.size());
  }
  EXPECT_THAT(last, testing::ElementsAre("events.out.tfevents.1700000000.samebits",
                                         "events.out.tfevents.1700000001.samebits",
                                         "events.out.tfevents.1700000002.samebits"));
  EXPECT_TRUE(has_event_files(folder.path()));
}

TEST(EventFile, ADirectoryThatIsNotThereIsAnError) {
  EXPECT_EQ(EventFile::open("/nonexistent", 0, 1).error().code, ErrorCode::io);
}

}  // namespace
}  // namespace samebits
