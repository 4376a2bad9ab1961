#include "samebits/family/activations.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

TEST(Activations, NamesOfOneFunction) {
  EXPECT_EQ(find_activation("swish")->function, find_activation("silu")->function);
  EXPECT_EQ(find_activation("gelu_new")->function, Activation::gelu_tanh);
  EXPECT_EQ(find_activation("mish"), nullptr);
}

TEST(Activations, TheNamesThatAreRunInWords) {
  EXPECT_EQ(run_activation_names(),
            "gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, silu, swish or relu");
}

TEST(Activations, TheUsualNameIsANameOfTheSameFunction) {
  for (const char* name : {"gelu_python", "swish"}) {
    const ActivationName& row = *find_activation(name);
    ASSERT_NE(find_activation(row.usual), nullptr) << name;
    EXPECT_EQ(find_activation(row.usual)->function, row.function) << name;
  }
}

TEST(Activations, ModulesAreKnownByTheirNames) {
  EXPECT_STREQ(usual_class("layernorm_before"), "LayerNorm");
  EXPECT_STREQ(usual_class("q_proj"), "Linear");
  EXPECT_EQ(usual_class("rotary"), nullptr);
}

}  // namespace
}  // namespace samebits
