// Zip archives whose parts contradict each other: what is fatal, and what is noted.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/base/limits.h"
#include "samebits/container/zip.h"
#include "samebits/container/zip_builder.h"

namespace samebits {
namespace {

using namespace zip_builder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What opening says: the error's code, or "opens".
std::string opening(const std::string& file) {
  const Result<ZipArchive> zip = ZipArchive::open(bytes_of(file), "t.zip");
  return zip ? "opens" : error_code_name(zip.error().code);
}

std::vector<std::string> notes(const std::string& file) {
  const Result<ZipArchive> zip = ZipArchive::open(bytes_of(file), "t.zip");
  if (!zip) return {to_string(zip.error())};
  std::vector<std::string> texts;
  for (const ContainerNote& note : zip->notes()) texts.push_back(note.what);
  return texts;
}

/// What reading the first entry says: its text, or the error's code.
std::string reading(const std::string& file) {
  const Result<ZipArchive> zip = ZipArchive::open(bytes_of(file), "t.zip");
  if (!zip) return "not opened: " + to_string(zip.error());
  std::vector<std::uint8_t> buffer;
  const Result<Bytes> bytes = zip->read(zip->entries()[0], buffer);
  return bytes ? std::string(as_text(*bytes)) : error_code_name(bytes.error().code);
}

/// Both headers of a record changed alike.
template <class Change>
Record changed(Record record, Change change) {
  change(record.local);
  change(record.central);
  return record;
}

TEST(ZipHostile, NoEndRecordIsMalformed) {
  EXPECT_EQ(opening(""), "malformed");
  EXPECT_EQ(opening(local_header({.name = "a"}) + std::string(100, 'x')), "malformed");
}

TEST(ZipHostile, EveryTruncationIsAnError) {
  const std::string whole = archive({stored("a", "abc"), deflated("b", "abc")}).whole();
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(opening(whole.substr(0, size)), "opens") << size;
}

TEST(ZipHostile, ADirectoryOutsideTheFileIsMalformed) {
  Archive made = archive({stored("a", "abc")});
  made.end.offset += 1;
  EXPECT_EQ(opening(made.whole()), "malformed");
  made.end.offset = 0xffffffff;
  EXPECT_EQ(opening(made.whole()), "malformed");
}

TEST(ZipHostile, ADirectoryOfImpossibleSizeIsInconsistent) {
  Archive made = archive({stored("a", "abc")});
  made.end.size = 0xfffffff0;
  EXPECT_EQ(opening(made.whole()), "inconsistent");
  made = archive({stored("a", "abc")});
  made.end.entries = made.end.entries_here = 2;  // no room for two headers
  EXPECT_EQ(opening(made.whole()), "inconsistent");
}

TEST(ZipHostile, ADirectoryLongerThanItsEntriesIsInconsistent) {
  Archive made = archive({stored("a", "abc"), stored("b", "abc")});
  made.end.entries = made.end.entries_here = 1;
  EXPECT_EQ(opening(made.whole()), "inconsistent");
}

TEST(ZipHostile, ADirectoryHeaderWithoutItsSignatureIsMalformed) {
  Archive made = archive({stored("a", "abc"), stored("b", "abc")});
  made.directory[made.directory.size() / 2] = 'X';
  EXPECT_EQ(opening(made.whole()), "malformed");
}

TEST(ZipHostile, TooManyEntriesAreALimit) {
  Archive made = archive({stored("a", "abc")});
  const std::uint64_t many = kLimits.archive_entries + 1;
  made.directory += end64_records({0, many, many, made.end.size, made.end.offset},
                                  made.body.size() + made.directory.size());
  EXPECT_EQ(opening(made.whole()), "limit");
}

TEST(ZipHostile, SeveralVolumesAreUnsupported) {
  Archive made = archive({stored("a", "abc")});
  made.end.disk = 1;
  EXPECT_EQ(opening(made.whole()), "unsupported");
  made = archive({stored("a", "abc")});
  made.end.entries_here = 0;
  EXPECT_EQ(opening(made.whole()), "unsupported");
  Record record = stored("a", "abc");
  record.central.disk = 3;
  EXPECT_EQ(opening(archive({record}).whole()), "unsupported");
}

TEST(ZipHostile, AnUnknownMethodIsUnsupported) {
  const Record record = changed(stored("a", "abc"), [](Header& h) { h.method = 14; });
  EXPECT_EQ(opening(archive({record}).whole()), "unsupported");
}

TEST(ZipHostile, ARecordOutsideTheFileIsTruncated) {
  Record record = stored("a", "abc");
  record.central.compressed_size = 1000;
  EXPECT_EQ(opening(archive({record}).whole()), "truncated");
  record = stored("a", "abc");
  record.central.offset = 0x7fffffff;
  EXPECT_EQ(opening(archive({record}).whole()), "truncated");
}

TEST(ZipHostile, AnOffsetThatOverflowsIsTruncated) {
  Record record = stored("a", "abc");
  record.central.offset = 0xffffffff;
  record.central.extra = le16(1) + le16(8) + le64(~0ull);
  Archive made = archive({record});
  EXPECT_EQ(opening(made.whole()), "truncated");
  made.prefix = "junk";
  EXPECT_EQ(opening(made.whole()), "truncated");
}

TEST(ZipHostile, AnOffsetToNoLocalHeaderIsMalformed) {
  Record record = stored("a", "abc");
  record.central.offset = 1;
  EXPECT_EQ(opening(archive({record}).whole()), "malformed");
}

TEST(ZipHostile, TwoEntriesOfOneRecordOverlap) {
  Archive made = archive({stored("a", "abc")});
  Header again = stored("b", "abc").central;
  made.directory += central_header(again);
  made.end = {0, 2, 2, made.directory.size(), made.body.size()};
  EXPECT_EQ(opening(made.whole()), "inconsistent");
}

// The zip bomb of overlapping files: each record's data holds the next record's header.
TEST(ZipHostile, ARecordInsideAnotherOverlaps) {
  const Record inner = stored("b", "abc");
  const Record outer = stored("a", local_header(inner.local) + inner.data);
  Archive made = archive({outer});
  Header central = inner.central;
  central.offset = 31;
  made.directory += central_header(central);
  made.end = {0, 2, 2, made.directory.size(), made.body.size()};
  EXPECT_EQ(opening(made.whole()), "inconsistent");
}

TEST(ZipHostile, ARecordThatReachesIntoTheDirectoryOverlaps) {
  Record record = stored("a", "abc");
  record.central.compressed_size = 4;
  EXPECT_EQ(opening(archive({record}).whole()), "inconsistent");
}

TEST(ZipHostile, AZip64FieldThatLacksAValueIsMalformed) {
  Record record = stored("a", "abc");
  record.central.size = record.central.compressed_size = 0xffffffff;
  record.central.extra = le16(1) + le16(8) + le64(3);
  EXPECT_EQ(opening(archive({record}).whole()), "malformed");
}

TEST(ZipHostile, AnExtraFieldThatOverrunsIsMalformed) {
  Record record = stored("a", "abc");
  record.central.size = 0xffffffff;
  record.central.extra = le16(1) + le16(9) + le64(3);
  EXPECT_EQ(opening(archive({record}).whole()), "malformed");
}

TEST(ZipHostile, TwoZip64FieldsAreMalformed) {
  Record record = stored("a", "abc");
  record.central.size = 0xffffffff;
  record.central.extra = le16(1) + le16(8) + le64(3) + le16(1) + le16(8) + le64(4);
  EXPECT_EQ(opening(archive({record}).whole()), "malformed");
}

TEST(ZipHostile, AZip64LocatorToNothingIsMalformed) {
  Archive made = archive({stored("a", "abc")});
  made.directory += std::string(56, 'x') + "PK\6\7" + le32(0) + le64(3) + le32(1);
  EXPECT_EQ(opening(made.whole()), "malformed");
}

TEST(ZipHostile, AZip64EndRecordOfImpossibleSizeIsMalformed) {
  for (const std::uint64_t size : {std::uint64_t{43}, std::uint64_t{45}, ~std::uint64_t{0}}) {
    Archive made = archive({stored("a", "abc")});
    std::string end64 = end64_records(made.end, made.body.size() + made.directory.size());
    end64.replace(4, 8, le64(size));
    made.directory += end64;
    EXPECT_EQ(opening(made.whole()), "malformed") << size;
  }
}

TEST(ZipHostile, EndRecordsThatDisagreeAreNoted) {
  Archive made = archive({stored("a", "abc")});
  made.directory += end64_records(made.end, made.body.size() + made.directory.size());
  made.end.entries = made.end.entries_here = 7;
  EXPECT_THAT(notes(made.whole()), ElementsAre("the end record contradicts the zip64 end record"));
}

TEST(ZipHostile, TwoZip64EndRecordsAreNoted) {
  Archive made = archive({stored("a", "abc")});
  const std::string end64 = end64_records(made.end, made.body.size() + made.directory.size());
  std::string long_end64 = end64.substr(0, 56) + end64;
  long_end64.replace(4, 8, le64(44 + 56));
  made.directory += long_end64;
  EXPECT_THAT(notes(made.whole()), ElementsAre(HasSubstr("two zip64 end records")));
}

TEST(ZipHostile, ALocalHeaderThatDiffersIsNoted) {
  const auto note_of = [](auto change) {
    Record record = stored("data/0", "abc");
    change(record.local);
    return notes(archive({record}).whole());
  };
  const std::string who = "the local header of data/0 says ";
  EXPECT_THAT(note_of([](Header& h) { h.name = "data/1"; }), ElementsAre(who + "name data/1"));
  EXPECT_THAT(note_of([](Header& h) { h.method = 8; }), ElementsAre(who + "method 8"));
  EXPECT_THAT(note_of([](Header& h) { h.flags = 1; }), ElementsAre(who + "flags 1"));
  EXPECT_THAT(note_of([](Header& h) { h.size = 2; }), ElementsAre(who + "size 2"));
  EXPECT_THAT(note_of([](Header& h) { h.crc = 2; }), ElementsAre(who + "another CRC-32"));
  EXPECT_THAT(note_of([](Header& h) { h.compressed_size = 2; }),
              ElementsAre(who + "compressed size 2"));
  EXPECT_THAT(note_of([](Header& h) {
                h.size = 0xffffffff;
                h.extra = le16(1) + le16(99);
              }),
              ElementsAre(HasSubstr("broken zip64 extra field"), who + "size 4294967295"));
}

TEST(ZipHostile, ADataDescriptorThatDiffersIsNoted) {
  Record record = changed(stored("a", "abc"), [](Header& h) { h.flags = 8; });
  record.descriptor = "PK\7\10" + le32(1) + le32(3) + le32(3);
  EXPECT_THAT(notes(archive({record}).whole()), ElementsAre(HasSubstr("data descriptor of a")));
}

TEST(ZipHostile, DuplicateNamesAreNotedAndTheOneOfTorchsSearchIsFound) {
  const std::string file = archive({stored("a", "first"), stored("a", "second")}).whole();
  EXPECT_THAT(notes(file), ElementsAre("there is more than one record a"));
  const Result<ZipArchive> zip = ZipArchive::open(bytes_of(file), "t.zip");
  EXPECT_EQ(zip->find("a"), &zip->entries()[1]);
}

TEST(ZipHostile, NamesThatDifferInCaseAreNoted) {
  const std::string file = archive({stored("DATA.pkl", ""), stored("data.pkl", "")}).whole();
  EXPECT_THAT(notes(file), ElementsAre(HasSubstr("differ only in case")));
}

TEST(ZipHostile, NamesThatLeaveTheArchiveAreNoted) {
  const auto note_of = [](const std::string& name) {
    return notes(archive({stored(name, "")}).whole());
  };
  EXPECT_THAT(note_of("/etc/passwd"), ElementsAre(HasSubstr("is absolute")));
  EXPECT_THAT(note_of("C:x"), ElementsAre(HasSubstr("is absolute")));
  EXPECT_THAT(note_of("a/../../b"), ElementsAre(HasSubstr("leaves its folder")));
  EXPECT_THAT(note_of(".."), ElementsAre(HasSubstr("leaves its folder")));
  EXPECT_THAT(note_of("a\\b"), ElementsAre(HasSubstr("backslash")));
  EXPECT_THAT(note_of(std::string("a\0b", 3)), ElementsAre(HasSubstr("NUL")));
  EXPECT_THAT(note_of("a..b/.c/..."), IsEmpty());
}

TEST(ZipHostile, AFlagThatLiesIsNotedAndTheRecordIsRead) {
  for (const int flag : {0x1, 0x20, 0x40, 0x2000}) {
    for (const Record& record : {stored("a", "abc"), deflated("a", "abc")}) {
      const std::string file = archive({changed(record, [&](Header& h) {
                                 h.flags = static_cast<std::uint16_t>(flag);
                               })}).whole();
      EXPECT_THAT(notes(file), ElementsAre(HasSubstr("is flagged as encrypted or patched")));
      EXPECT_EQ(reading(file), "abc");
    }
  }
}

TEST(ZipHostile, AnEncryptedRecordIsUnsupported) {
  const auto encrypt = [](Header& h) {
    h.flags = 1;
    h.crc ^= 1;
  };
  EXPECT_EQ(reading(archive({changed(stored("a", "abc"), encrypt)}).whole()), "unsupported");
  EXPECT_EQ(reading(archive({changed(deflated("a", "abc"), encrypt)}).whole()), "unsupported");
  const auto longer = [](Header& h) {  // the 12 bytes before encrypted data
    h.flags = 1;
    h.size -= 12;
  };
  EXPECT_EQ(reading(archive({changed(stored("a", "0123456789abcdef"), longer)}).whole()),
            "unsupported");
}

TEST(ZipHostile, AStoredRecordOfTwoSizesIsNotedAndInconsistent) {
  const std::string file =
      archive({changed(stored("a", "abc"), [](Header& h) { h.size = 2; })}).whole();
  EXPECT_THAT(notes(file), ElementsAre(HasSubstr("is stored in 3 bytes, but declares 2")));
  EXPECT_EQ(reading(file), "inconsistent");
}

TEST(ZipHostile, ADeflatedRecordOfMoreOrFewerBytesThanDeclaredIsInconsistent) {
  const std::string data(500, 'x');
  for (const std::uint32_t size : {0, 499, 501, 1000}) {
    const auto lie = [&](Header& h) { h.size = size; };
    EXPECT_EQ(reading(archive({changed(deflated("a", data), lie)}).whole()), "inconsistent");
  }
}

TEST(ZipHostile, ADeflatedRecordBeyondTheLimitsIsALimit) {
  const auto declare = [](std::uint32_t size) {
    const auto lie = [&](Header& h) { h.size = size; };
    return reading(archive({changed(deflated("a", std::string(500, 'x')), lie)}).whole());
  };
  EXPECT_EQ(declare(static_cast<std::uint32_t>(kLimits.inflate_bytes) + 1), "limit");
  EXPECT_EQ(declare(60 << 20), "limit");  // more than so few bytes can give
}

TEST(ZipHostile, BrokenDeflatedDataIsMalformed) {
  Record record = deflated("a", "abc");
  record.data[0] = '\7';  // block type 3
  EXPECT_EQ(reading(archive({record}).whole()), "malformed");
}

TEST(ZipHostile, CutOffDeflatedDataIsTruncated) {
  Record record = deflated("a", "abcdefgh");
  record.data.pop_back();
  --record.local.compressed_size;
  --record.central.compressed_size;
  EXPECT_EQ(reading(archive({record}).whole()), "truncated");
}

TEST(ZipHostile, BytesAfterDeflatedDataAreInconsistent) {
  Record record = deflated("a", "abc");
  record.data += "x";
  ++record.local.compressed_size;
  ++record.central.compressed_size;
  EXPECT_EQ(reading(archive({record}).whole()), "inconsistent");
}

TEST(ZipHostile, ACommentIsNoted) {
  Archive made = archive({stored("a", "abc")});
  made.comment = "hello";
  EXPECT_THAT(notes(made.whole()), ElementsAre("the archive has a comment of 5 bytes"));
}

TEST(ZipHostile, ACommentThatIsCutOffIsNoted) {
  Archive made = archive({stored("a", "abc")});
  made.comment = "hello";
  std::string file = made.whole();
  file.pop_back();
  EXPECT_THAT(notes(file), testing::Contains("the archive's comment is cut off"));
}

TEST(ZipHostile, BytesAfterTheEndAreNoted) {
  EXPECT_THAT(notes(archive({stored("a", "abc")}).whole() + "xyz"),
              ElementsAre("3 bytes follow the end of the archive"));
}

TEST(ZipHostile, AnEndRecordInTheCommentIsNoted) {
  Archive made = archive({stored("a", "abc")});
  made.comment = "PK\5\6" + std::string(30, 'x');
  EXPECT_THAT(notes(made.whole()), testing::Contains(HasSubstr("more than one end-of-central")));
  EXPECT_EQ(reading(made.whole()), "abc");
}

// Two whole archives in a row: the last one counts, for torch and for Python.
TEST(ZipHostile, AnArchiveBeforeTheArchiveIsNoted) {
  const std::string file =
      archive({stored("a", "old")}).whole() + archive({stored("a", "new")}).whole();
  EXPECT_EQ(opening(archive({stored("a", "new")}).whole()), "opens");
  EXPECT_THAT(notes(file), testing::Contains(HasSubstr("more than one end-of-central")));
}

// torch goes where the end record points, Python's zipfile to what stands right before it.
TEST(ZipHostile, ADirectoryThatDoesNotEndAtItsEndRecordIsNoted) {
  Archive made = archive({stored("a", "abc")});
  made.directory += made.directory;
  const std::string file = made.whole();
  EXPECT_THAT(notes(file), ElementsAre(HasSubstr("does not end at its end record")));
  EXPECT_EQ(reading(file), "abc");
}

}  // namespace
}  // namespace samebits
