#include "samebits/base/atomic_directory.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "samebits/base/atomic_write.h"
#include "samebits/base/test_folder.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

bool is_old(const std::string& name) { return name == "old"; }

class AtomicDirectoryTest : public testing::Test {
 protected:
  Result<void> write(bool replace) const {
    SAMEBITS_TRY(AtomicDirectory made, AtomicDirectory::create(path_, replace, is_old));
    SAMEBITS_TRY_VOID(atomic_write(made.temporary() + "/new", "text"));
    return made.commit();
  }
  std::ptrdiff_t names() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
  const test_files::Folder own_;
  const std::string folder_ = own_.path();
  std::string path_ = folder_ + "/out";
};

TEST_F(AtomicDirectoryTest, AppearsWhole) {
  ASSERT_TRUE(write(false));
  EXPECT_TRUE(fs::exists(path_ + "/new"));
  EXPECT_EQ(names(), 1);
}

TEST_F(AtomicDirectoryTest, ASlashAtTheEndIsTheSameName) {
  path_ += "/";
  ASSERT_TRUE(write(false));
  EXPECT_EQ(names(), 1);
}

TEST_F(AtomicDirectoryTest, WithoutCommitNothingIsLeft) {
  {
    auto made = AtomicDirectory::create(path_, false, is_old);
    ASSERT_TRUE(made);
    ASSERT_TRUE(atomic_write(made->temporary() + "/new", "text"));
    EXPECT_EQ(names(), 1);
  }
  EXPECT_EQ(names(), 0);
}

TEST_F(AtomicDirectoryTest, ASignalsHandlerLeavesNothing) {
  auto made = AtomicDirectory::create(path_, false, is_old);
  ASSERT_TRUE(made);
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(
        atomic_write(made->temporary() + "/" + std::string(40, 'x') + std::to_string(i), ""));
  remove_temporary_directory();
  EXPECT_EQ(names(), 0);
}

TEST_F(AtomicDirectoryTest, WhatStandsThereIsNotReplacedUnlessAsked) {
  fs::create_directory(path_);
  std::ofstream(path_ + "/old") << "old";
  const Result<void> refused = write(false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
  EXPECT_TRUE(fs::exists(path_ + "/old"));
  ASSERT_TRUE(write(true));
  EXPECT_FALSE(fs::exists(path_ + "/old"));
  EXPECT_TRUE(fs::exists(path_ + "/new"));
  EXPECT_EQ(names(), 1);
}

TEST_F(AtomicDirectoryTest, WhatWouldNotBeWrittenAgainStaysThere) {
  fs::create_directory(path_);
  std::ofstream(path_ + "/mine") << "mine";
  const Result<void> refused = write(true);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("mine"), std::string::npos);
  EXPECT_TRUE(fs::exists(path_ + "/mine"));
  EXPECT_EQ(names(), 1);
}

TEST_F(AtomicDirectoryTest, AnEmptyDirectoryIsFilledAndAFileIsNot) {
  fs::create_directory(path_);
  ASSERT_TRUE(write(false));
  fs::remove_all(path_);
  std::ofstream(path_) << "a file";
  EXPECT_EQ(write(true).error().code, ErrorCode::usage);
}

}  // namespace
}  // namespace samebits
