#include "samebits/compare/name_filter.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

TEST(NameFilter, FindsTheExpressionAnywhereInAName) {
  const auto filter = NameFilter::make("attn\\.(weight|bias)$");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->takes("blocks.0.attn.weight"));
  EXPECT_FALSE(filter->takes("blocks.0.attn.weight_v"));
  EXPECT_FALSE(filter->takes("blocks.0.Attn.bias"));
  EXPECT_THAT(filter->taken({"a.attn.bias", "head", "attn.weight"}),
              testing::ElementsAre("a.attn.bias", "attn.weight"));
}

TEST(NameFilter, AnExclamationMarkTakesTheOthers) {
  const auto filter = NameFilter::make("!^head");
  ASSERT_TRUE(filter);
  EXPECT_FALSE(filter->takes("head.weight"));
  EXPECT_TRUE(filter->takes("overhead"));
}

TEST(NameFilter, ANameMayHoldAZeroByte) {
  const auto filter = NameFilter::make("end$");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->takes(std::string("a\0end", 5)));
  EXPECT_FALSE(filter->takes(std::string("end\0a", 5)));
}

TEST(NameFilter, WhatIsNoExpressionIsAUsageError) {
  for (const std::string& text : {std::string("("), std::string("a["), std::string(2000, 'a')}) {
    const auto filter = NameFilter::make(text);
    ASSERT_FALSE(filter) << text;
    EXPECT_EQ(filter.error().code, ErrorCode::usage);
  }
}

}  // namespace
}  // namespace samebits
