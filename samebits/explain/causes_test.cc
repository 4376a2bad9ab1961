#include "samebits/explain/causes.h"

#include <gtest/gtest.h>

#include <set>

namespace samebits {
namespace {

TEST(Causes, HaveDistinctIdsAndMeanings) {
  std::set<std::string_view> ids;
  for (const Cause& each : causes()) {
    EXPECT_TRUE(ids.insert(each.id).second) << each.id;
    EXPECT_FALSE(each.meaning.empty()) << each.id;
  }
  EXPECT_EQ(ids.size(), 28u);
}

TEST(Causes, AreFoundById) { EXPECT_EQ(cause("rng.noise").id, "rng.noise"); }

TEST(CausesDeathTest, UnknownIdEndsTheProgram) {
  EXPECT_DEATH(cause("weights.chnaged"), "internal error");
}

TEST(Evidence, MustHaveTheKeysThatTheCausePromises) {
  Finding finding;
  finding.cause = "resume.missing";
  finding.evidence = {{"missing", Json::array()}};
  EXPECT_FALSE(has_evidence(finding));
  finding.evidence["present"] = Json::array();
  EXPECT_TRUE(has_evidence(finding));
}

}  // namespace
}  // namespace samebits
