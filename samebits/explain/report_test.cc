#include "samebits/explain/report.h"

#include "samebits/explain/subjects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace samebits {
namespace {

Finding finding(Role role, Proof proof, std::string summary) {
  Finding made;
  made.cause = "weights.changed";
  made.role = role;
  made.proof = proof;
  made.summary = std::move(summary);
  return made;
}

int status_of(Verdict verdict, std::vector<Finding> findings = {}) {
  Report report;
  report.verdict = verdict;
  report.findings = std::move(findings);
  return exit_status(report);
}

TEST(ExitStatus, IsZeroOneTwoByVerdict) {
  EXPECT_EQ(status_of(Verdict::same), 0);
  EXPECT_EQ(status_of(Verdict::clean), 0);
  EXPECT_EQ(status_of(Verdict::different), 1);
  EXPECT_EQ(status_of(Verdict::risk), 1);
  EXPECT_EQ(status_of(Verdict::unknown), 2);
}

TEST(ExitStatus, OfSameIsOneOnlyWithARisk) {
  EXPECT_EQ(status_of(Verdict::same, {finding(Role::note, Proof::observed, "")}), 0);
  EXPECT_EQ(status_of(Verdict::same, {finding(Role::risk, Proof::observed, "")}), 1);
}

TEST(Findings, StandCausesFirstAndTheProvedBeforeTheSuspected) {
  const Findings findings = {
      finding(Role::note, Proof::proved, "n"),     finding(Role::cause, Proof::suspected, "c3"),
      finding(Role::risk, Proof::observed, "r1"),  finding(Role::risk, Proof::observed, "r2"),
      finding(Role::cause, Proof::proved, "c1"),   finding(Role::contributes, Proof::proved, "k"),
      finding(Role::cause, Proof::observed, "c2"),
  };
  std::vector<std::string> order;
  for (const Finding& each : findings) order.push_back(each.summary);
  EXPECT_THAT(order, testing::ElementsAre("c1", "c2", "c3", "k", "r1", "r2", "n"));
}

TEST(CountedText, AgreesWithItsNumber) {
  EXPECT_EQ(counted(1, "weight", "has", "have"), "1 weight has");
  EXPECT_EQ(counted(2, "weight", "has", "have"), "2 weights have");
  EXPECT_EQ(counted_of(1, 7, "weight", "has", "have"), "1 of 7 weights has");
  EXPECT_EQ(counted_of(1, 1, "weight", "was", "were"), "1 of 1 weight was");
  EXPECT_EQ(counted_of(0, 2, "weight", "was", "were"), "0 of 2 weights were");
}

}  // namespace
}  // namespace samebits
