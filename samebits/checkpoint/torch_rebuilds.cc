#include "samebits/checkpoint/torch_rebuilds.h"

#include <array>
#include <string>
#include <string_view>

namespace samebits {
namespace {

using pickle::Kind;

struct RebuildName {
  std::string_view name;
  Rebuild how;
};
constexpr std::array kRebuilds = std::to_array<RebuildName>({
    {"torch._utils._rebuild_tensor", Rebuild::tensor_v1},
    {"torch._utils._rebuild_tensor_v2", Rebuild::tensor_v2},
    {"torch._utils._rebuild_tensor_v3", Rebuild::tensor_v3},
    {"torch._utils._rebuild_qtensor", Rebuild::qtensor},
    {"torch._utils._rebuild_parameter", Rebuild::parameter},
    {"torch._utils._rebuild_parameter_with_state", Rebuild::parameter},
    {"torch.nn.parameter.Parameter", Rebuild::parameter},
    {"torch.nn.Parameter", Rebuild::parameter},
    {"torch.nn.parameter.Buffer", Rebuild::parameter},
    {"torch._utils._rebuild_sparse_tensor", Rebuild::sparse},
    {"torch._utils._rebuild_sparse_csr_tensor", Rebuild::sparse},
    {"torch._utils._rebuild_nested_tensor", Rebuild::nested},
    {"torch._utils._rebuild_meta_tensor_no_storage", Rebuild::meta},
    {"torch._tensor._rebuild_from_type_v2", Rebuild::from_type},
    {"torch._tensor._rebuild_from_type", Rebuild::from_type},
    {"torch._utils._rebuild_device_tensor_from_cpu_tensor", Rebuild::wrapped},
    {"torch._utils._rebuild_device_tensor_from_numpy", Rebuild::numpy},
    {"torch._utils._rebuild_xla_tensor", Rebuild::numpy},
    {"torch._utils._rebuild_wrapper_subclass", Rebuild::meta},
});

}  // namespace

std::optional<Rebuild> rebuild_of(const pickle::Tree& tree, pickle::NodeId node) {
  if (tree.kind(node) != Kind::object) return std::nullopt;
  const NodeId callable = tree.callable(node);
  if (tree.kind(callable) != Kind::global) return std::nullopt;
  const std::string name = tree.qualified_name(callable);
  for (const RebuildName& rebuild : kRebuilds) {
    if (rebuild.name == name) return rebuild.how;
  }
  return std::nullopt;
}

}  // namespace samebits
