#include "samebits/base/cpu_limit.h"

#include <gtest/gtest.h>

#include "samebits/base/test_folder.h"

namespace samebits {
namespace {

/// A folder that stands for the root of a machine.
class ControlGroups : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    own_.write(path.substr(1), text + "\n");  // below the folder
  }
  void write_own(const std::string& groups, const std::string& mounts) const {
    write("/proc/self/cgroup", groups);
    write("/proc/self/mountinfo", "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n" + mounts);
  }

  const test_files::Folder own_;
  const std::string root_ = own_.path();
};

constexpr const char* kUnified = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw";
constexpr const char* kVersion1 =
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";

TEST_F(ControlGroups, LimitNothingWhereThereAreNone) {
  EXPECT_EQ(control_group_processors(root_), std::nullopt);
  write_own("0::/", kUnified);
  EXPECT_EQ(control_group_processors(root_), std::nullopt);
}

TEST_F(ControlGroups, OfVersion2LimitByTheLeastOfAGroupAndThoseAbove) {
  write_own("0::/a/b", kUnified);
  write("/sys/fs/cgroup/a/b/cpu.max", "max 100000");
  EXPECT_EQ(control_group_processors(root_), std::nullopt);
  write("/sys/fs/cgroup/a/cpu.max", "150000 100000");
  EXPECT_EQ(control_group_processors(root_), 1.5);
  write("/sys/fs/cgroup/a/b/cpu.max", "400000 100000");
  EXPECT_EQ(control_group_processors(root_), 1.5);
  write("/sys/fs/cgroup/a/b/cpu.max", "25000 100000");
  EXPECT_EQ(control_group_processors(root_), 0.25);
}

TEST_F(ControlGroups, OfVersion1LimitByQuotaAndPeriod) {
  write_own("5:memory:/m\n4:cpu,cpuacct:/a\n0::/", kVersion1);
  write("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1");
  write("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000");
  EXPECT_EQ(control_group_processors(root_), std::nullopt);
  write("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "300000");
  EXPECT_EQ(control_group_processors(root_), 3);
}

TEST_F(ControlGroups, OfAContainerAreTheRootOfWhatIsMountedThere) {
  write_own("0::/docker/x", "31 23 0:28 /docker/x /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw");
  write("/sys/fs/cgroup/cpu.max", "200000 100000");
  EXPECT_EQ(control_group_processors(root_), 2);
  write_own("0::/../outside", kUnified);
  EXPECT_EQ(control_group_processors(root_), 2);
  write_own("0::/dockers", "31 23 0:28 /docker /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw");
  EXPECT_EQ(control_group_processors(root_), 2);
}

TEST_F(ControlGroups, LimitNothingWhereTheyAreNotUnderstood) {
  write_own("0::/\nnonsense\n", std::string(kUnified) + "\nshort line\n1 2 3 4 5 6 -\n");
  for (const char* text : {"", "x y", "100000", "1 0", "-5 100000", "1 2 3"}) {
    write("/sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(control_group_processors(root_), std::nullopt) << text;
  }
}

TEST(AffinityProcessors, AreAtLeastOne) { EXPECT_GE(affinity_processors(), 1); }

}  // namespace
}  // namespace samebits
