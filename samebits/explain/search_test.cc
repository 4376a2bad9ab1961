// The search on a runner whose behaviour is planted.
#include "samebits/explain/search.h"

#include <map>

#include <fmt/format.h>

#include <gmock/gmock.h>

#include "samebits/explain/minimal_subset.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Each subject is a row of numbers, one a factor; the outputs are a function of them and of what
/// is drawn.
class ToyRunner : public Runner {
 public:
  using Values = std::map<std::string, float>;
  std::vector<Values> subjects;
  std::function<float(const Values&)> compute = [](const Values& values) {
    float sum = 0;
    for (const auto& [name, value] : values) sum += value;
    return sum;
  };
  std::set<std::size_t> noisy, dropping;
  std::set<std::string> impossible;  // factors whose exchange is an error
  int runs = 0;

  bool draws_noise(std::size_t subject) const override { return noisy.contains(subject); }
  bool draws_dropout(std::size_t subject) const override { return dropping.contains(subject); }

  std::vector<Factor> differing(std::size_t a, std::size_t b) override {
    std::vector<Factor> factors;
    for (const auto& [name, value] : subjects[a]) {
      if (subjects[b].at(name) != value) factors.push_back({Factor::Kind::weights, name});
    }
    return factors;
  }

  /// "g1:x" belongs to g1.
  std::string group_of(const Factor& factor) const override {
    return factor.name.substr(0, factor.name.find(':'));
  }

  Result<VitOutputs> run(const RunSpec& spec, const TracePoint& trace) override {
    ++runs;
    Values values = subjects[spec.subject];
    for (const Factor& factor : spec.exchanged) {
      if (impossible.contains(factor.name))
        return fail({.code = ErrorCode::unsupported, .what = "planted"});
      values[factor.name] = subjects[spec.donor].at(factor.name);
    }
    float result = compute(values);
    if (noisy.contains(spec.subject)) result += 100 * static_cast<float>(spec.seeds.noise);
    if (dropping.contains(spec.subject)) result += 1e4F * static_cast<float>(spec.seeds.dropout);
    if (trace) {
      const std::vector<float> early = {values.begin()->second};
      trace("early", early, {1});
      const std::vector<float> late = {result};
      trace("late", late, {1});
    }
    VitOutputs outputs;
    outputs.arrays.push_back({"last_hidden_state", {1}, {result}});
    return outputs;
  }
};

SearchOutcome searched(ToyRunner& runner, std::function<bool()> more = [] { return true; }) {
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < runner.subjects.size(); ++i)
    labels.emplace_back(1, static_cast<char>('A' + i));
  auto outcome = search(runner, labels, {.threads = 1, .more = std::move(more)});
  EXPECT_TRUE(outcome);
  return *std::move(outcome);
}

std::vector<std::string> names(const std::vector<Factor>& factors) {
  std::vector<std::string> names;
  for (const Factor& factor : factors) names.push_back(factor.name);
  return names;
}

TEST(Search, EqualSubjectsAreEqual) {
  ToyRunner runner;
  runner.subjects = {{{"x", 1}}, {{"x", 1}}};
  const SearchOutcome outcome = searched(runner);
  EXPECT_TRUE(outcome.pairs[0].equal);
  EXPECT_THAT(outcome.pairs[0].minimal, IsEmpty());
}

TEST(Search, NoiseIsSharedAndSeen) {
  ToyRunner runner;
  runner.subjects = {{{"x", 1}}, {{"x", 1}}};
  runner.noisy = {0, 1};
  const SearchOutcome outcome = searched(runner);
  EXPECT_TRUE(outcome.pairs[0].equal);
  EXPECT_EQ(outcome.noise_twice.differing, 1U);
  EXPECT_NE(outcome.own[0].arrays[0].values, outcome.own[1].arrays[0].values);
}

TEST(Search, DropoutIsRepeatedForEachThatDrawsIt) {
  ToyRunner runner;
  runner.subjects = {{{"x", 1}}, {{"x", 1}}, {{"x", 1}}};
  runner.dropping = {1, 2};
  const SearchOutcome outcome = searched(runner);
  ASSERT_EQ(outcome.dropout_twice.size(), 2U);
  EXPECT_EQ(outcome.dropout_twice[0].a, "B");
  EXPECT_EQ(outcome.dropout_twice[0].differing, 1U);
}

TEST(Search, OneFactorOfManyIsFound) {
  ToyRunner runner;
  runner.subjects = {{{"a", 1}, {"b", 2}, {"c", 4}, {"d", 8}},
                     {{"a", 0}, {"b", 0}, {"c", 0}, {"d", 0}}};
  runner.compute = [](const auto& values) { return values.at("c"); };
  const SearchOutcome outcome = searched(runner);
  EXPECT_THAT(names(outcome.pairs[0].differing), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(names(outcome.pairs[0].minimal), ElementsAre("c"));
  EXPECT_TRUE(outcome.pairs[0].is_minimal);
  EXPECT_EQ(outcome.pairs[0].parting, "early");
}

TEST(Search, TwoFactorsThatMustGoTogetherAreFound) {
  ToyRunner runner;
  runner.subjects = {{{"a", 1}, {"b", 2}, {"c", 4}, {"d", 8}},
                     {{"a", 0}, {"b", 0}, {"c", 0}, {"d", 0}}};
  runner.compute = [](const auto& values) { return values.at("a") + values.at("d"); };
  EXPECT_THAT(names(searched(runner).pairs[0].minimal), ElementsAre("a", "d"));
}

/// 60 factors in six groups, all of which differ.
ToyRunner differing_throughout() {
  ToyRunner runner;
  runner.subjects.resize(2);
  for (int i = 0; i < 60; ++i) {
    const std::string name = fmt::format("g{}:{}", i / 10, i % 10);
    runner.subjects[0][name] = static_cast<float>(i);
    runner.subjects[1][name] = static_cast<float>(i + 1);
  }
  return runner;
}

TEST(Search, WhereNoGroupCanBeLeftOutItEndsThere) {
  ToyRunner runner = differing_throughout();
  const SearchOutcome outcome = searched(runner);
  EXPECT_EQ(outcome.pairs[0].minimal.size(), 60U);
  EXPECT_TRUE(outcome.pairs[0].by_group);
  EXPECT_FALSE(outcome.pairs[0].is_minimal);
  EXPECT_LE(runner.runs, 20);
}

TEST(Search, WhereAGroupCanBeLeftOutItGoesDownToFactors) {
  ToyRunner runner = differing_throughout();
  runner.compute = [](const auto& values) { return values.at("g2:3") + values.at("g4:1"); };
  const SearchOutcome outcome = searched(runner);
  EXPECT_THAT(names(outcome.pairs[0].minimal), ElementsAre("g2:3", "g4:1"));
  EXPECT_TRUE(outcome.pairs[0].is_minimal);
  EXPECT_FALSE(outcome.pairs[0].by_group);
}

TEST(Search, FactorsThatCancelOutAreLeft) {
  ToyRunner runner;
  runner.subjects = {{{"a", 1}, {"b", 2}}, {{"a", 2}, {"b", 1}}};
  const SearchOutcome outcome = searched(runner);
  EXPECT_TRUE(outcome.pairs[0].equal);  // the sums are equal, though nothing else is
}

TEST(Search, WhatCannotBeExchangedStaysUnexplained) {
  ToyRunner runner;
  runner.subjects = {{{"a", 1}}, {{"a", 2}}};
  runner.impossible = {"a"};
  const SearchOutcome outcome = searched(runner);
  EXPECT_FALSE(outcome.pairs[0].equal);
  EXPECT_FALSE(outcome.pairs[0].explained);
  EXPECT_EQ(outcome.pairs[0].points.size(), 2U);
}

TEST(Search, AnEndOfThePatienceIsSaid) {
  ToyRunner runner;
  runner.subjects = {{{"a", 1}, {"b", 2}, {"c", 4}}, {{"a", 0}, {"b", 0}, {"c", 0}}};
  const SearchOutcome outcome = searched(runner, [] { return false; });
  EXPECT_TRUE(outcome.pairs[0].explained);
  EXPECT_FALSE(outcome.pairs[0].is_minimal);
  EXPECT_EQ(outcome.pairs[0].minimal.size(), 3U);
}

// Every subset of some items is what is needed once; the search must find just that.
TEST(MinimalSubset, FindsEverySubset) {
  const std::vector<int> items = {0, 1, 2, 3, 4, 5, 6};
  for (unsigned wanted = 1; wanted < 128; ++wanted) {
    const std::function<bool(const std::vector<int>&)> has = [&](const std::vector<int>& some) {
      unsigned found = 0;
      for (const int item : some) found |= 1U << item;
      return (found & wanted) == wanted;
    };
    const auto result = minimal_subset<int>(items, has, [] { return true; });
    unsigned found = 0;
    for (const int item : result.items) found |= 1U << item;
    EXPECT_EQ(found, wanted);
    EXPECT_TRUE(result.minimal);
  }
}

TEST(MinimalSubset, OfEitherOfTwoItTakesOne) {
  const std::function<bool(const std::vector<int>&)> has = [](const std::vector<int>& some) {
    return std::count(some.begin(), some.end(), 3) > 0 ||
           std::count(some.begin(), some.end(), 5) > 0;
  };
  EXPECT_EQ(minimal_subset<int>({1, 2, 3, 4, 5, 6}, has, [] { return true; }).items.size(), 1U);
}

TEST(MinimalSubset, IsQuickWhereOneOfManyIsNeeded) {
  std::vector<int> items(300);
  for (int i = 0; i < 300; ++i) items[static_cast<std::size_t>(i)] = i;
  int runs = 0;
  const std::function<bool(const std::vector<int>&)> has = [&](const std::vector<int>& some) {
    ++runs;
    return std::count(some.begin(), some.end(), 211) > 0;
  };
  EXPECT_EQ(minimal_subset<int>(items, has, [] { return true; }).items, std::vector<int>{211});
  EXPECT_LT(runs, 25);
}

}  // namespace
}  // namespace samebits
