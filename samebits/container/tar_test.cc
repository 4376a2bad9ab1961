#include "samebits/container/tar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace samebits {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string octal(std::uint64_t value, std::size_t digits) {
  std::string text(digits, '0');
  for (; value != 0; value /= 8) text[--digits] = static_cast<char>('0' + value % 8);
  return text;
}

/// A header with its checksum, after `change`.
struct Block {
  std::string bytes = std::string(512, '\0');

  Block(const std::string& name, std::uint64_t size, char type = '0') {
    put(0, name);
    put(124, octal(size, 11));
    bytes[156] = type;
    put(257, std::string("ustar\0"
                         "00",
                         8));
  }
  Block& put(std::size_t at, const std::string& text) {
    bytes.replace(at, text.size(), text);
    return *this;
  }
  std::string sealed(int error = 0) const {
    std::string block = bytes;
    block.replace(148, 8, 8, ' ');
    std::uint64_t sum = 0;
    for (const char c : block) sum += static_cast<std::uint8_t>(c);
    return block.replace(148, 7, octal(sum + static_cast<std::uint64_t>(error), 6) + '\0');
  }
};

std::string padded(std::string data) {
  data.resize((data.size() + 511) / 512 * 512);
  return data;
}

std::string member(const std::string& name, const std::string& data, char type = '0') {
  return Block(name, data.size(), type).sealed() + padded(data);
}

std::string pax(const std::string& records) { return member("PaxHeaders/x", records, 'x'); }

const std::string kEnd(1024, '\0');

TarArchive opened_tar(const std::string& file) {
  Result<TarArchive> tar = TarArchive::open(bytes_of(file), "t.tar");
  EXPECT_TRUE(tar) << to_string(tar.error());
  return tar ? std::move(*tar) : TarArchive{};
}

std::string opening_tar(const std::string& file) {
  const Result<TarArchive> tar = TarArchive::open(bytes_of(file), "t.tar");
  return tar ? "opens" : error_code_name(tar.error().code);
}

std::vector<std::string> tar_notes(const std::string& file) {
  std::vector<std::string> texts;
  for (const ContainerNote& note : opened_tar(file).notes) texts.push_back(note.what);
  return texts;
}

std::vector<std::string> names(const std::string& file) {
  std::vector<std::string> texts;
  for (const TarMember& m : opened_tar(file).members) texts.push_back(m.name);
  return texts;
}

TEST(Tar, ListsMembersWhereTheyLie) {
  const std::string file = member("pickle", "abc") + member("storages", std::string(513, 'x')) +
                           member("tensors", "") + kEnd;
  const TarArchive tar = opened_tar(file);
  ASSERT_EQ(tar.members.size(), 3);
  EXPECT_EQ(tar.members[0].offset, 512);
  EXPECT_EQ(tar.members[0].size, 3);
  EXPECT_EQ(tar.members[1].header, 1024);
  EXPECT_EQ(tar.members[2].header, 1024 + 512 + 1024);
  EXPECT_EQ(tar.find("storages"), &tar.members[1]);
  EXPECT_EQ(tar.find("storage"), nullptr);
  EXPECT_THAT(tar.notes, IsEmpty());
}

TEST(Tar, JoinsTheUstarPrefixButNotThatOfGnu) {
  Block block("b", 0);
  block.put(345, "a");
  EXPECT_THAT(names(block.sealed() + kEnd), ElementsAre("a/b"));
  block.put(257, "ustar  ");
  EXPECT_THAT(names(block.sealed() + kEnd), ElementsAre("b"));
}

TEST(Tar, ReadsANameThatFillsItsField) {
  const std::string name(100, 'n');
  EXPECT_THAT(names(member(name, "") + kEnd), ElementsAre(name));
}

TEST(Tar, ReadsGnuLongNames) {
  const std::string name(600, 'n');
  const std::string file = member("././@LongLink", name + '\0', 'L') + member("n", "abc") + kEnd;
  EXPECT_THAT(names(file), ElementsAre(name));
}

TEST(Tar, SkipsGnuLongLinks) {
  const std::string file = member("././@LongLink", "target", 'K') + member("n", "", '2') + kEnd;
  EXPECT_THAT(names(file), ElementsAre("n"));
}

TEST(Tar, ReadsPaxNamesAndSizes) {
  const std::string file = pax("12 path=a/b\n10 size=3\n") + Block("x", 0).sealed() +
                           padded("abc") + member("y", "") + kEnd;
  const TarArchive tar = opened_tar(file);
  ASSERT_EQ(tar.members.size(), 2);
  EXPECT_EQ(tar.members[0].name, "a/b");
  EXPECT_EQ(tar.members[0].size, 3);
  EXPECT_EQ(tar.members[1].name, "y");
}

TEST(Tar, ReadsSizesInBase256) {
  Block block("a", 0);
  block.put(124, '\x80' + std::string(10, '\0') + '\3');
  EXPECT_EQ(opened_tar(block.sealed() + padded("abc") + kEnd).members.at(0).size, 3);
}

TEST(Tar, ReadsOldHeadersWithoutMagic) {
  Block block("a", 3, '\0');
  block.put(257, std::string(8, '\0'));
  const std::string file = block.sealed() + padded("abc") + kEnd;
  EXPECT_TRUE(TarArchive::looks_like(bytes_of(file)));
  EXPECT_EQ(opened_tar(file).members.at(0).type, '0');
}

TEST(Tar, AnOldDirectoryEndsInASlash) {
  EXPECT_EQ(opened_tar(Block("a/", 0, '\0').sealed() + kEnd).members.at(0).type, '5');
}

TEST(Tar, LooksLikeATar) {
  EXPECT_TRUE(TarArchive::looks_like(bytes_of(member("a", ""))));
  EXPECT_TRUE(TarArchive::looks_like(bytes_of(Block("a", 0).sealed(1))));  // by its magic
  EXPECT_FALSE(TarArchive::looks_like({}));
  EXPECT_FALSE(TarArchive::looks_like(bytes_of(kEnd)));
  EXPECT_FALSE(TarArchive::looks_like(bytes_of(std::string(512, 'x'))));
}

TEST(Tar, AWrongChecksumIsMalformed) {
  EXPECT_EQ(opening_tar(Block("a", 0).sealed(1) + kEnd), "malformed");
}

TEST(Tar, ABrokenSizeIsMalformed) {
  for (const std::string& size : {std::string("12x"), std::string("-1"), std::string(12, '\xff'),
                                  '\x80' + std::string(11, '\xff')}) {
    Block block("a", 0);
    block.put(124, size + std::string(12 - size.size(), '\0'));
    EXPECT_EQ(opening_tar(block.sealed() + kEnd), "malformed") << size;
  }
}

TEST(Tar, AMemberPastTheEndIsTruncated) {
  EXPECT_EQ(opening_tar(Block("a", 2000).sealed() + kEnd), "truncated");
  EXPECT_EQ(opening_tar(Block("a", 077777777777).sealed() + kEnd), "truncated");
  EXPECT_EQ(opening_tar(member("a", "abc") + "half a header"), "truncated");
}

TEST(Tar, AHugePaxSizeIsTruncated) {
  EXPECT_EQ(opening_tar(pax("29 size=18446744073709551615\n") + member("a", "")), "truncated");
}

TEST(Tar, ABrokenExtendedHeaderIsMalformed) {
  for (const char* records :
       {"x", "5", "12path=a/b\n", "99 path=a/b\n", "0 path=a\n", "2 path=a\n", "11 path=a/b\n",
        "8 path_a\n", "11 size=3x\n\n", "99999999999999999999999 a=b\n"})
    EXPECT_EQ(opening_tar(pax(records) + member("a", "") + kEnd), "malformed") << records;
}

TEST(Tar, ASparseMemberIsUnsupported) {
  EXPECT_EQ(opening_tar(member("a", "", 'S') + kEnd), "unsupported");
  EXPECT_EQ(opening_tar(pax("22 GNU.sparse.major=1\n") + member("a", "") + kEnd), "unsupported");
}

TEST(Tar, LinksAndDevicesAreNotedAndHaveNoData) {
  for (const char type : {'1', '2', '3', '4', '6'}) {
    const std::string file = Block("a", 3, type).sealed() + member("b", "") + kEnd;
    EXPECT_THAT(tar_notes(file),
                ElementsAre(HasSubstr("states a size"), HasSubstr("no regular file")));
    EXPECT_EQ(opened_tar(file).members.at(0).size, 0);
    EXPECT_EQ(opened_tar(file).members.at(1).header, 512);
  }
}

TEST(Tar, NamesThatLeaveTheArchiveAreNoted) {
  EXPECT_THAT(tar_notes(member("/a", "") + kEnd), ElementsAre(HasSubstr("is absolute")));
  EXPECT_THAT(tar_notes(member("../a", "") + kEnd), ElementsAre(HasSubstr("leaves its folder")));
}

TEST(Tar, DuplicateNamesAreNotedAndTheLastIsFound) {
  const std::string file = member("a", "old") + member("a", "new") + kEnd;
  EXPECT_THAT(tar_notes(file), ElementsAre("there is more than one member a"));
  const TarArchive tar = opened_tar(file);
  EXPECT_EQ(tar.find("a"), &tar.members[1]);
}

TEST(Tar, TwoNamesForOneMemberAreNoted) {
  const std::string file = member("L", "one", 'L') + pax("12 path=two\n") + member("a", "") + kEnd;
  EXPECT_THAT(tar_notes(file), ElementsAre(HasSubstr("two extended headers")));
}

TEST(Tar, AGlobalNameIsNotedAndIgnored) {
  const std::string file = member("g", "12 path=a/b\n", 'g') + member("x", "") + kEnd;
  EXPECT_THAT(tar_notes(file), ElementsAre(HasSubstr("global extended header")));
  EXPECT_THAT(names(file), ElementsAre("x"));
}

TEST(Tar, AnExtendedHeaderWithoutAMemberIsNoted) {
  EXPECT_THAT(tar_notes(pax("12 path=a/b\n") + kEnd), ElementsAre(HasSubstr("before no member")));
}

TEST(Tar, AMissingEndMarkIsNoted) {
  EXPECT_THAT(tar_notes(member("a", "abc")), ElementsAre("the archive has no end mark"));
  const std::string unpadded = Block("a", 3).sealed() + "abc";
  EXPECT_EQ(opened_tar(unpadded).members.at(0).size, 3);
}

TEST(Tar, BytesAfterTheEndAreNoted) {
  EXPECT_THAT(tar_notes(member("a", "") + kEnd + member("b", "")),
              ElementsAre("bytes follow the end of the archive"));
}

}  // namespace
}  // namespace samebits
