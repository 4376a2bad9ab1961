#include "samebits/base/mapped_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "samebits/base/test_folder.h"

namespace samebits {
namespace {

class MappedFileTest : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& content) const {
    return own_.write(name, content);
  }
  const test_files::Folder own_;
  const std::string folder_ = own_.path();
};

TEST_F(MappedFileTest, ShowsTheFilesBytes) {
  const std::string path = write("a", std::string("ab\0c", 4));
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  EXPECT_EQ(as_text((*file)->bytes()), std::string_view("ab\0c", 4));
  EXPECT_EQ((*file)->path(), path);
  EXPECT_GT((*file)->modified(), 1'000'000'000);
  (*file)->will_read(0, 1 << 30);
  (*file)->will_read(1 << 30, 1);
}

TEST_F(MappedFileTest, AnEmptyFileHasNoBytes) {
  const auto file = MappedFile::open(write("empty", ""));
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->size(), 0u);
}

TEST_F(MappedFileTest, HardLinksHaveOneInode) {
  const std::string path = write("a", "x");
  std::filesystem::create_hard_link(path, folder_ + "/b");
  const auto a = MappedFile::open(path);
  const auto b = MappedFile::open(folder_ + "/b");
  ASSERT_TRUE(a && b);
  EXPECT_EQ((*a)->inode(), (*b)->inode());
  EXPECT_EQ((*a)->device(), (*b)->device());
}

TEST_F(MappedFileTest, OutlivesItsName) {
  const std::string path = write("a", "content");
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  std::filesystem::remove(path);
  EXPECT_EQ(as_text((*file)->bytes()), "content");
}

void expect_io(const std::string& path, const std::string& what) {
  const auto file = MappedFile::open(path);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::io);
  EXPECT_EQ(file.error().file, path);
  EXPECT_NE(file.error().what.find(what), std::string::npos) << file.error().what;
}

TEST_F(MappedFileTest, AMissingFileIsAnError) {
  expect_io(folder_ + "/none", "cannot open: No such file or directory");
}

TEST_F(MappedFileTest, AFolderIsNotARegularFile) { expect_io(folder_, "not a regular file"); }

TEST_F(MappedFileTest, ADeviceIsNotARegularFile) { expect_io("/dev/null", "not a regular file"); }

TEST_F(MappedFileTest, APipeIsNotARegularFileAndDoesNotBlock) {
  const std::string path = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  expect_io(path, "not a regular file");
}

}  // namespace
}  // namespace samebits
