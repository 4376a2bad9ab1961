#include "samebits/checkpoint/dcp_tree.h"

#include <gtest/gtest.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {
namespace {

using pickle::Kind;

pickle::Pickle read_item(const std::string& text) {
  return pickle::read({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, "item");
}

DcpPath path_of_keys(const std::vector<std::string>& keys) {
  DcpPath path;
  for (const std::string& key : keys) path.push_back({.key = key});
  return path;
}

TEST(DcpTree, PutsItemsBackToTheirPlaces) {
  const std::string number = "K\x07.";
  const std::string list_in_itself("]q\0(K\x01h\0e.", 10);
  const pickle::Pickle seven = read_item(number), cycle = read_item(list_in_itself);
  ASSERT_FALSE(seven.error || cycle.error);
  DcpTree tree;
  EXPECT_TRUE(tree.add(path_of_keys({"state", "0", "step"}), seven.tree, seven.root));
  EXPECT_TRUE(tree.add({{"groups"}, {"1", true}, {"lr"}}, seven.tree, seven.root));
  EXPECT_TRUE(tree.add({{"groups"}, {"0", true}, {"params"}}, cycle.tree, cycle.root));
  const auto [made, root] = tree.finish();
  const NodeId state = made.get(root, "state");
  ASSERT_EQ(mapping_items(made, state).size(), 1u);
  const KeyValue first = mapping_items(made, state)[0];
  EXPECT_EQ(made.kind(first.key_node), Kind::integer);
  EXPECT_EQ(made.integer(made.get(first.value, "step")), 7);
  const auto groups = made.items(made.get(root, "groups"));
  ASSERT_EQ(groups.size(), 2u);
  const NodeId params = made.get(groups[0], "params");
  ASSERT_EQ(made.items(params).size(), 2u);
  EXPECT_EQ(made.items(params)[1], params);
  EXPECT_EQ(made.integer(made.get(groups[1], "lr")), 7);
}

TEST(DcpTree, KeepsObjectsWithTheirStatesAndNames) {
  const std::string text("cmodule\nName\n(K\x01tR}(X\x01\0\0\0aK\x02ub.", 31);
  const pickle::Pickle item = read_item(text);
  ASSERT_FALSE(item.error) << to_string(*item.error);
  DcpTree tree;
  EXPECT_TRUE(tree.add(path_of_keys({"a"}), item.tree, item.root));
  EXPECT_TRUE(tree.add(path_of_keys({"b"}), item.tree, item.root));
  const auto [made, root] = tree.finish();
  for (const char* key : {"a", "b"}) {
    const NodeId object = made.get(root, key);
    EXPECT_EQ(made.qualified_name(made.callable(object)), "module.Name");
    ASSERT_EQ(elements(made, made.args(object)).size(), 1u);
    EXPECT_EQ(made.integer(attribute(made, object, "a")), 2);
  }
}

TEST(DcpTree, TakesNoPathThatIsDeepOrEmpty) {
  const std::string number = "K\x07.";
  const pickle::Pickle seven = read_item(number);
  DcpTree tree;
  EXPECT_FALSE(tree.add({}, seven.tree, seven.root));
  EXPECT_FALSE(tree.add(DcpPath(kLimits.tree_depth + 1, {.key = "a"}), seven.tree, seven.root));
  EXPECT_TRUE(tree.add(DcpPath(kLimits.tree_depth, {.key = "a"}), seven.tree, seven.root));
}

}  // namespace
}  // namespace samebits
