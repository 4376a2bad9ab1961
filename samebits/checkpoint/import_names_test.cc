#include "samebits/checkpoint/import_names.h"

#include <gtest/gtest.h>

#include "samebits/checkpoint/plain_call_table.h"

namespace samebits {
namespace {

TEST(FindPlainCall, KnowsWhatOnlyHoldsData) {
  for (const char* name : {"torch._utils._rebuild_tensor_v2", "torch.FloatStorage",
                           "torch.cuda.FloatStorage", "collections.OrderedDict"})
    EXPECT_EQ(find_plain_call(name) != nullptr, std::string(name) != "torch.cuda.FloatStorage");
  for (const char* name : {"torch.load", "torch.hub.load", "builtins.eval"})
    EXPECT_EQ(find_plain_call(name), nullptr) << name;
}

TEST(CanAct, KnowsWhatReachesTheMachine) {
  for (const char* name : {"os.system", "posix.system", "builtins.eval", "__builtin__.exec",
                           "subprocess.Popen", "runpy.run_path", "webbrowser.open"})
    EXPECT_TRUE(can_act(name)) << name;
  for (const char* name : {"collections.OrderedDict", "my.Model", "uuid.UUID", "builtins.set"})
    EXPECT_FALSE(can_act(name)) << name;
}

TEST(IsStandardLibrary, KnowsEveryPythonsModulesAndNoOthers) {
  for (const char* name : {"BaseHTTPServer.X", "builtins.map", "__builtin__.map", "_operator.x",
                           "zoneinfo.ZoneInfo", "copy_reg.x"})
    EXPECT_TRUE(is_standard_library(name)) << name;
  for (const char* name : {"__main__.Net", "__torch__.Net", "torch.nn.Linear", "my.Model", ""})
    EXPECT_FALSE(is_standard_library(name)) << name;
}

}  // namespace
}  // namespace samebits
