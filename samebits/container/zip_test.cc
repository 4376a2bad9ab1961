#include "samebits/container/zip.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/container/zip_builder.h"

namespace samebits {
namespace {

using namespace zip_builder;

/// Bytes that neither structure() nor an entry's data accounts for.
std::uint64_t unreferenced(const ZipArchive& zip) {
  auto ranges = zip.structure();
  for (const ZipEntry& entry : zip.entries())
    ranges.emplace_back(entry.data_offset, entry.data_offset + entry.compressed_size);
  std::uint64_t referenced = 0;
  for (const auto& [begin, end] : ranges) referenced += end - begin;
  return zip.file().size() - referenced;
}

std::string text(const ZipArchive& zip, const ZipEntry& entry) {
  std::vector<std::uint8_t> buffer;
  const Result<Bytes> bytes = zip.read(entry, buffer);
  return bytes ? std::string(as_text(*bytes)) : to_string(bytes.error());
}

struct Opened {
  explicit Opened(std::string file) : bytes(std::move(file)) {
    Result<ZipArchive> opened = ZipArchive::open(bytes_of(bytes), "t.zip");
    EXPECT_TRUE(opened) << to_string(opened.error());
    if (opened) zip = std::move(*opened);
  }
  std::string read(std::string_view name) const {
    const ZipEntry* entry = zip->find(name);
    return entry == nullptr ? "absent" : text(*zip, *entry);
  }
  std::string bytes;
  std::optional<ZipArchive> zip;
};

TEST(Zip, ReadsStoredRecordsInPlace) {
  const Opened t(archive({stored("t/data.pkl", "abc"), stored("t/empty", "")}).whole());
  ASSERT_EQ(t.zip->entries().size(), 2);
  const ZipEntry& entry = t.zip->entries()[0];
  EXPECT_EQ(entry.name, "t/data.pkl");
  EXPECT_EQ(entry.data_offset, 40);
  const Result<Bytes> bytes = t.zip->stored(entry);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->data(), bytes_of(t.bytes).data() + 40);
  EXPECT_EQ(as_text(*bytes), "abc");
  EXPECT_EQ(t.read("t/empty"), "");
  EXPECT_TRUE(t.zip->notes().empty());
  EXPECT_EQ(unreferenced(*t.zip), 0);
}

TEST(Zip, FindsTheRecordThatTorchTakes) {
  // What torch 2.13 loads of such archives; the search is held against it in tests/parity.
  const std::vector<std::string> names = {"t/data.pkl", "t/data/0", "t/version"};
  const std::vector<std::string> expected = {"old", "old", "new", "old"};
  for (std::size_t place = 0; place <= names.size(); ++place) {
    std::vector<Record> records;
    for (const std::string& name : names) records.push_back(stored(name, "old"));
    const auto at = records.begin() + static_cast<std::ptrdiff_t>(place);
    records.insert(at, stored("t/DATA/0", "new"));
    EXPECT_EQ(Opened(archive(records).whole()).read("t/data/0"), expected[place]) << place;
  }
}

TEST(Zip, ReadsAnEmptyArchive) {
  const Opened t(archive({}).whole());
  EXPECT_TRUE(t.zip->entries().empty());
  EXPECT_EQ(unreferenced(*t.zip), 0);
}

TEST(Zip, InflatesDeflatedRecords) {
  const std::string data(100'000, 'x');
  const Opened t(archive({deflated("a", data)}).whole());
  EXPECT_EQ(t.read("a"), data);
  const Result<Bytes> in_place = t.zip->stored(t.zip->entries()[0]);
  ASSERT_FALSE(in_place);
  EXPECT_EQ(in_place.error().code, ErrorCode::unsupported);
}

TEST(Zip, InflatesAnEmptyRecord) {
  EXPECT_EQ(Opened(archive({deflated("a", "")}).whole()).read("a"), "");
}

TEST(Zip, ComputesTheCrcOfUncompressedBytes) {
  const Opened t(archive({stored("a", "123456789"), deflated("b", "123456789")}).whole());
  for (const ZipEntry& entry : t.zip->entries()) {
    EXPECT_EQ(t.zip->actual_crc32(entry), 0xcbf43926u);
    EXPECT_EQ(entry.crc32, 0xcbf43926u);
  }
}

TEST(Zip, ReadsARecordWithAWrongCrcAndShowsIt) {
  Record record = stored("a", "123456789");
  record.central.crc = record.local.crc = 1;
  const Opened t(archive({record}).whole());
  EXPECT_EQ(t.read("a"), "123456789");
  EXPECT_EQ(t.zip->entries()[0].crc32, 1);
  EXPECT_EQ(t.zip->actual_crc32(t.zip->entries()[0]), 0xcbf43926u);
}

TEST(Zip, FindsEveryNameAndNoOther) {
  std::vector<Record> records;
  for (int i = 0; i < 300; ++i)
    records.push_back(stored("data/" + std::to_string(i), std::to_string(i)));
  const Opened t(archive(records).whole());
  for (int i = 0; i < 300; ++i) EXPECT_EQ(t.read("data/" + std::to_string(i)), std::to_string(i));
  for (const char* name : {"", "data/", "data/300", "z"}) EXPECT_EQ(t.zip->find(name), nullptr);
}

// torch: data aligned to 64 bytes by an extra field that the directory lacks; bit 3 set, zeros in
// the local header, a descriptor; zip64 end records in every file.
TEST(Zip, ReadsWhatTorchWrites) {
  Record record = stored("t/data/0", "12345678");
  record.local = {
      .name = "t/data/0", .flags = 0x808, .extra = "FB" + le16(22) + std::string(22, 'Z')};
  record.central.flags = 0x808;
  record.descriptor = "PK\7\10" + le32(record.central.crc) + le32(8) + le32(8);
  Archive made = archive({record});
  const std::uint64_t end64 = made.body.size() + made.directory.size();
  made.directory += end64_records(made.end, end64);
  const Opened t(made.whole());
  EXPECT_EQ(t.zip->entries()[0].data_offset, 64);
  EXPECT_EQ(t.read("t/data/0"), "12345678");
  EXPECT_TRUE(t.zip->notes().empty());
  EXPECT_EQ(unreferenced(*t.zip), 0);
}

TEST(Zip, AccountsForDataDescriptorsOfEveryForm) {
  for (const bool wide : {false, true}) {
    for (const char* signature : {"PK\7\10", ""}) {
      Record record = stored("a", "abc");
      record.local.flags = record.central.flags = 8;
      record.local.crc = record.local.size = record.local.compressed_size = 0;
      const std::string size = wide ? le64(3) : le32(3);
      record.descriptor = signature + le32(record.central.crc) + size + size;
      const Opened t(archive({record, stored("b", "")}).whole());
      EXPECT_TRUE(t.zip->notes().empty());
      EXPECT_EQ(unreferenced(*t.zip), 0);
    }
  }
}

TEST(Zip, TakesSizesAndOffsetsFromZip64Fields) {
  Record record = stored("b", "abc");
  const Record first = stored("a", "");
  record.central.extra = "UT" + le16(1) + "x" + le16(1) + le16(24) + le64(3) + le64(3) + le64(31);
  record.central.size = record.central.compressed_size = record.central.offset = 0xffffffff;
  record.local.extra = le16(1) + le16(16) + le64(3) + le64(3);
  record.local.size = record.local.compressed_size = 0xffffffff;
  const Opened t(archive({first, record}).whole());
  EXPECT_EQ(t.read("b"), "abc");
  EXPECT_EQ(t.zip->find("b")->header_offset, 31);
  EXPECT_TRUE(t.zip->notes().empty());
  EXPECT_EQ(unreferenced(*t.zip), 0);
}

TEST(Zip, TakesOnlyDeferredValuesFromAZip64Field) {
  Record record = stored("a", "abc");
  record.central.extra = le16(1) + le16(8) + le64(3);
  record.central.compressed_size = 0xffffffff;
  EXPECT_EQ(Opened(archive({record}).whole()).read("a"), "abc");
}

TEST(Zip, TakesTheDirectoryFromAZip64EndRecord) {
  Archive made = archive({stored("a", "abc")});
  const End wide = made.end;
  made.directory += end64_records(wide, made.body.size() + made.directory.size());
  made.end = {0, 0xffff, 0xffff, 0xffffffff, 0xffffffff};
  for (const char* prefix : {"", "junk"}) {
    made.prefix = prefix;
    const Opened t(made.whole());
    EXPECT_EQ(t.read("a"), "abc");
    EXPECT_EQ(unreferenced(*t.zip), made.prefix.size());
  }
}

TEST(Zip, ReadsPastJunkThatOffsetsDoNotCount) {
  Archive made = archive({stored("a", "abc")});
  made.prefix = "#!/bin/sh\n";
  const Opened t(made.whole());
  EXPECT_EQ(t.read("a"), "abc");
  EXPECT_EQ(t.zip->entries()[0].header_offset, 10);
  EXPECT_EQ(unreferenced(*t.zip), 10);
  ASSERT_EQ(t.zip->notes().size(), 1);
  EXPECT_EQ(t.zip->notes()[0].what, "10 bytes stand before the archive");
}

TEST(Zip, ReadsPastJunkThatOffsetsCount) {
  Record record = stored("a", "abc");
  record.central.offset = 10;
  Archive made = archive({record});
  made.prefix = "#!/bin/sh\n";
  made.end.offset += 10;
  const Opened t(made.whole());
  EXPECT_EQ(t.read("a"), "abc");
  EXPECT_EQ(unreferenced(*t.zip), 10);
  ASSERT_EQ(t.zip->notes().size(), 1);
}

TEST(Zip, AnEndRecordInsideARecordIsData) {
  const std::string nested = archive({stored("inner", "xyz")}).whole();
  const Opened t(archive({stored("a", nested), stored("b", "PK\5\6 and no more")}).whole());
  ASSERT_EQ(t.zip->entries().size(), 2);
  EXPECT_EQ(t.read("a"), nested);
  EXPECT_TRUE(t.zip->notes().empty());
}

TEST(Zip, LooksLikeAZip) {
  const Archive made = archive({stored("a", "abc")});
  EXPECT_TRUE(ZipArchive::looks_like(bytes_of(made.whole())));
  EXPECT_TRUE(ZipArchive::looks_like(bytes_of("junk" + made.whole())));
  EXPECT_TRUE(ZipArchive::looks_like(bytes_of(archive({}).whole())));
  EXPECT_TRUE(ZipArchive::looks_like(bytes_of("PK\3\4 cut off")));
}

// A legacy stream whose last tensor happens to hold the four bytes.
TEST(Zip, DoesNotLookLikeAZip) {
  EXPECT_FALSE(ZipArchive::looks_like({}));
  EXPECT_FALSE(ZipArchive::looks_like(bytes_of("PK")));
  EXPECT_FALSE(ZipArchive::looks_like(bytes_of("\x80\2 PK\5\6" + std::string(100, 'x'))));
}

}  // namespace
}  // namespace samebits
