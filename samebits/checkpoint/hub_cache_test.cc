#include "samebits/checkpoint/hub_cache.h"

#include <gtest/gtest.h>

#include "samebits/base/test_folder.h"

namespace samebits {
namespace {

class HubCache : public testing::Test {
 protected:
  HubCache() {
    folder_.write("models--google--vit/snapshots/abc123/config.json", "{}");
    folder_.write("models--google--vit/snapshots/def456/config.json", "{}");
    folder_.write("models--google--vit/refs/main", "abc123");
    folder_.write("models--google--vit/refs/pr/1", "def456\n");
    folder_.write("models--bert/snapshots/abc123/config.json", "{}");
  }
  /// Without the cache's own folder; "none" or the error's hint otherwise.
  std::string found(const std::string& name) const {
    const auto snapshot = find_snapshot(folder_.path(), name);
    if (!snapshot) return snapshot.error().hint;
    return *snapshot ? (*snapshot)->substr(folder_.path().size() + 1) : "none";
  }
  test_files::Folder folder_;
};

TEST_F(HubCache, ANameIsTheSnapshotOfMain) {
  EXPECT_EQ(found("google/vit"), "models--google--vit/snapshots/abc123");
}

TEST_F(HubCache, ARevisionIsABranchOrACommit) {
  EXPECT_EQ(found("google/vit@pr/1"), "models--google--vit/snapshots/def456");
  EXPECT_EQ(found("google/vit@def456"), "models--google--vit/snapshots/def456");
}

TEST_F(HubCache, WhatTheCacheDoesNotHaveIsNone) {
  for (const char* name : {"google/other", "vit", "", "google/vit/x", "google/", "/vit", "."})
    EXPECT_EQ(found(name), "none") << name;
  const auto without = find_snapshot("", "google/vit");
  ASSERT_TRUE(without);
  EXPECT_FALSE(*without);
}

TEST_F(HubCache, ARevisionThatIsNotThereIsAnErrorThatListsThem) {
  EXPECT_EQ(found("google/vit@dev"), "Name one that it has: google/vit@abc123, def456");
  EXPECT_EQ(found("bert"), "Name one that it has: bert@abc123");  // no refs/main
}

TEST_F(HubCache, NothingLeadsOutOfTheCache) {
  folder_.write("models--google--vit/refs/evil", "../../..");
  EXPECT_EQ(found("google/vit@evil"), "Name one that it has: google/vit@abc123, def456");
  EXPECT_EQ(found("google/vit@../x"), "none");
  EXPECT_EQ(found("../models--google--vit"), "none");
  EXPECT_EQ(found("google/.."), "none");
}

}  // namespace
}  // namespace samebits
