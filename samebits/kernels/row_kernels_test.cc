// Layer norm, softmax and attention of every instruction set, against the definition: equal bits.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gmock/gmock.h>

#include "samebits/kernels/attention.h"
#include "samebits/kernels/kernel_case.h"
#include "samebits/kernels/layer_norm.h"
#include "samebits/kernels/reference.h"

namespace samebits {
namespace {

using kernel_case::available;
using kernel_case::expect_equal;
using kernel_case::kInf;
using kernel_case::kNan;
using kernel_case::numbers;

class RowKernels : public kernel_case::KernelCase {};

TEST_P(RowKernels, LayerNormIsTheDefinition) {
  for (const std::size_t width : {1U, 5U, 15U, 16U, 17U, 31U, 48U, 768U, 1001U}) {
    const auto x = numbers(3 * width, 1, 3);
    const auto gamma = numbers(width, 2);
    const auto beta = numbers(width, 3);
    std::vector<float> wanted(x.size());
    reference::layer_norm(x.data(), gamma.data(), beta.data(), 1e-12F, 3, width, wanted.data());
    ThreadPool pool(2);
    std::vector<float> out(x.size());
    layer_norm({*table_, pool}, x.data(), gamma.data(), beta.data(), 1e-12F, 3, width, out.data(),
               width);
    expect_equal(out, wanted, "layer_norm " + std::to_string(width));
  }
}

TEST_P(RowKernels, SoftmaxIsTheDefinition) {
  for (const std::size_t n : {1U, 2U, 15U, 16U, 17U, 50U, 197U, 300U}) {
    for (const float special : {0.0F, kNan, kInf, -kInf}) {
      auto x = numbers(n, 1, 20);
      if (special != 0) x[n / 2] = special;
      std::vector<float> wanted = x;
      for (float& value : wanted) value = value * 0.125F;
      reference::softmax(wanted.data(), n);
      table_->scale_softmax(x.data(), 0.125F, n);
      expect_equal(x, wanted, "softmax " + std::to_string(n));
    }
  }
}

/// The first `count` numbers of each of `parts` equal parts.
std::vector<float> first_rows(const std::vector<float>& x, std::size_t parts, std::size_t count) {
  std::vector<float> first;
  const std::size_t size = x.size() / parts;
  for (std::size_t part = 0; part < parts; ++part)
    first.insert(first.end(), x.data() + part * size, x.data() + part * size + count);
  return first;
}

TEST_P(RowKernels, AttentionIsTheDefinition) {
  struct Case {
    std::size_t images, tokens, heads, width;
  };
  for (const Case& c :
       {Case{1, 1, 1, 16}, Case{2, 5, 3, 16}, Case{1, 50, 2, 64}, Case{1, 197, 1, 64},
        Case{2, 33, 2, 80}, Case{1, 300, 1, 128}, Case{1, 17, 4, 24}}) {
    const std::size_t stride = 3 * c.heads * c.width;  // one fused buffer
    const std::size_t out_stride = c.heads * c.width;
    const auto qkv = numbers(c.images * c.tokens * stride, 1, 3);
    const float scale = 0.25F;
    std::vector<float> wanted(c.images * c.tokens * out_stride);
    for (std::size_t image = 0; image < c.images; ++image) {
      for (std::size_t head = 0; head < c.heads; ++head) {
        const float* q = qkv.data() + image * c.tokens * stride + head * c.width;
        reference::attention(q, q + out_stride, q + 2 * out_stride, c.tokens, c.width, stride,
                             scale, out_stride,
                             wanted.data() + image * c.tokens * out_stride + head * c.width);
      }
    }
    for (const int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      AttentionWorkspace workspace;
      for (const std::size_t queries : {c.tokens, (c.tokens + 1) / 2, std::size_t{1}}) {
        std::vector<float> out(c.images * queries * out_stride);
        attention({*table_, pool}, qkv.data(), qkv.data() + out_stride, qkv.data() + 2 * out_stride,
                  {.images = c.images,
                   .tokens = c.tokens,
                   .queries = queries,
                   .heads = c.heads,
                   .width = c.width,
                   .stride = stride,
                   .out_stride = out_stride,
                   .scale = scale},
                  out.data(), workspace);
        expect_equal(out, first_rows(wanted, c.images, queries * out_stride),
                     "attention " + std::to_string(c.tokens));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowKernels, testing::ValuesIn(available()),
                         [](const auto& each) { return isa_name(each.param); });

}  // namespace
}  // namespace samebits
