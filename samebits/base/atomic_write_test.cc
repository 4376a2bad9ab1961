#include "samebits/base/atomic_write.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "samebits/base/test_folder.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

class AtomicWriteTest : public testing::Test {
 protected:
  static std::string read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  std::ptrdiff_t files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
  const test_files::Folder own_;
  const std::string folder_ = own_.path();
  const std::string path_ = folder_ + "/report.json";
};

TEST_F(AtomicWriteTest, MakesTheFile) {
  ASSERT_TRUE(atomic_write(path_, std::string_view("a\0b", 3)));
  EXPECT_EQ(read(path_), std::string("a\0b", 3));
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicWriteTest, ReplacesTheFileAndKeepsItsPermissions) {
  std::ofstream(path_) << "something longer";
  ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
  ASSERT_TRUE(atomic_write(path_, "new"));
  EXPECT_EQ(read(path_), "new");
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0640));
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicWriteTest, AnOldReaderKeepsTheOldContent) {
  std::ofstream(path_) << "old";
  std::ifstream open(path_);
  ASSERT_TRUE(atomic_write(path_, "new"));
  std::string text;
  open >> text;
  EXPECT_EQ(text, "old");
}

TEST_F(AtomicWriteTest, FollowsASymbolicLink) {
  std::ofstream(folder_ + "/real") << "old";
  fs::create_symlink("real", path_);
  ASSERT_TRUE(atomic_write(path_, "new"));
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_EQ(read(folder_ + "/real"), "new");
}

TEST_F(AtomicWriteTest, WritesInParts) {
  auto file = AtomicFile::create(path_);
  ASSERT_TRUE(file);
  const std::uint8_t bytes[] = {'x', 'y'};
  ASSERT_TRUE(file->write(bytes));
  EXPECT_FALSE(fs::exists(path_));
  ASSERT_TRUE(file->write(bytes));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(read(path_), "xyxy");
}

TEST_F(AtomicWriteTest, WithoutCommitTheTargetStaysAndNothingIsLeft) {
  std::ofstream(path_) << "old";
  {
    auto file = AtomicFile::create(path_);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write(Bytes(reinterpret_cast<const std::uint8_t*>("new"), 3)));
  }
  EXPECT_EQ(read(path_), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicWriteTest, AMissingFolderIsAnError) {
  const auto result = atomic_write(folder_ + "/none/report.json", "x");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::io);
  EXPECT_EQ(result.error().file, folder_ + "/none/report.json");
}

TEST_F(AtomicWriteTest, AFolderAsTargetIsAnError) {
  const auto result = atomic_write(folder_, "x");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what, "not a regular file");
}

TEST_F(AtomicWriteTest, ADeviceIsNotReplaced) {
  EXPECT_FALSE(atomic_write("/dev/null", "x"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(AtomicWriteTest, FollowsASymbolicLinkToWhatDoesNotExistYet) {
  fs::create_directory(folder_ + "/below");
  fs::create_symlink("below/real", path_);
  EXPECT_EQ(written_path(path_), folder_ + "/below/real");
  ASSERT_TRUE(atomic_write(path_, "new"));
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_EQ(read(folder_ + "/below/real"), "new");
  fs::create_symlink("loop", folder_ + "/loop");
  EXPECT_FALSE(written_path(folder_ + "/loop").empty());
}

TEST_F(AtomicWriteTest, AFileThatIsBeingWrittenHasNoName) {
  auto file = AtomicFile::create(path_);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write(Bytes(reinterpret_cast<const std::uint8_t*>("new"), 3)));
  if (files() != 0) GTEST_SKIP() << "this file system needs names";
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(read(path_), "new");
}

TEST_F(AtomicWriteTest, ATemporaryNameWorksAsWell) {
  for (const std::string old : {"", "old"}) {
    if (!old.empty()) std::ofstream(path_) << old;
    auto file = AtomicFile::create_named(path_);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write(Bytes(reinterpret_cast<const std::uint8_t*>("new"), 3)));
    EXPECT_EQ(files(), old.empty() ? 1 : 2);
    ASSERT_TRUE(file->commit());
    EXPECT_EQ(read(path_), "new");
    EXPECT_EQ(files(), 1);
  }
}

TEST_F(AtomicWriteTest, TemporaryNamesAreRemovedOnDemandAndOnlyWhileTheyExist) {
  std::ofstream(path_) << "old";
  ASSERT_TRUE(AtomicFile::create_named(path_)->commit());
  std::vector<AtomicFile> open;
  for (int i = 0; i < 3; ++i) open.push_back(*AtomicFile::create_named(path_));
  EXPECT_EQ(files(), 4);
  remove_temporary_files();
  EXPECT_EQ(files(), 1);
  open.clear();
  remove_temporary_files();
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicWriteTest, ATargetMayHaveTheLongestName) {
  const std::string longest = folder_ + "/" + std::string(255, 'x');
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(atomic_write(longest, "new"));
  EXPECT_EQ(files(), 1);
  EXPECT_FALSE(atomic_write(longest + "x", "new"));
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicWriteTest, AFailedWriteLeavesTheTargetAndNothingElse) {
  std::ofstream(path_) << "old";
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {.rlim_cur = 4, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto result = atomic_write(path_, "longer than four");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::io);
  EXPECT_EQ(read(path_), "old");
  EXPECT_EQ(files(), 1);
}

}  // namespace
}  // namespace samebits
