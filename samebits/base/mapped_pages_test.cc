#include "samebits/base/mapped_pages.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "samebits/base/test_folder.h"

namespace samebits {
namespace {

class MappedPages : public testing::Test {
 protected:
  const test_files::Folder folder_;
};

/// Pages of these bytes that are in this process's memory.
std::size_t resident(Bytes bytes) {
  std::ifstream maps("/proc/self/smaps");
  const auto at = reinterpret_cast<std::uintptr_t>(bytes.data());
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::size_t kilobytes = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx ", &begin, &end) == 2) inside = begin <= at && at < end;
    if (inside && std::sscanf(line.c_str(), "Rss: %zu", &kilobytes) == 1)
      return kilobytes * 1024 / static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  }
  return 0;
}

TEST_F(MappedPages, WhatIsDoneWithLeavesMemoryAndCanBeReadAgain) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::string content(64 * page, 'x');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i / 1000);
  const auto file = MappedFile::open(folder_.write("a", content));
  ASSERT_TRUE(file);
  const Bytes bytes = (*file)->bytes();
  ASSERT_EQ(as_text(bytes), content);
  ASSERT_EQ(resident(bytes), 64U);
  give_back(**file, bytes.subspan(page / 2, 10 * page));  // whole pages alone
  EXPECT_EQ(resident(bytes), 64U - 9U);
  give_back(**file, bytes);
  EXPECT_EQ(resident(bytes), 0U);
  EXPECT_EQ(as_text(bytes), content);
}

// Memory that no file can give back would be lost.
TEST_F(MappedPages, BytesThatLieElsewhereAreLeftAlone) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto file = MappedFile::open(folder_.write("a", std::string(4 * page, 'x')));
  ASSERT_TRUE(file);
  const std::vector<std::uint8_t> elsewhere(8 * page, 'y');
  give_back(**file, elsewhere);
  give_back(**file, {});
  EXPECT_THAT(elsewhere, testing::Each('y'));
}

}  // namespace
}  // namespace samebits
