#include <gmock/gmock.h>

#include "tests/rules/include_rules.h"

namespace lrtune::rules {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(LayerRules, TheRepositoryKeepsThem) {
  const SourceTree tree = read_source_tree(LRTUNE_SOURCE_DIR);
  // A wrong folder would make every rule pass.
  ASSERT_TRUE(tree.contains("common/hash.h"));
  ASSERT_TRUE(tree.contains("coordinator/core/core.h"));
  ASSERT_TRUE(tree.contains("worker/core/worker_core.h"));
  for (const std::string& finding : check_layers(tree)) ADD_FAILURE() << finding;
}

TEST(LayerRules, CoordinatorAndWorkerMayNotIncludeEachOther) {
  EXPECT_THAT(check_layers({{"coordinator/core/a.cc", "#include \"worker/core/worker_core.h\"\n"}}),
              ElementsAre(AllOf(HasSubstr("coordinator/core/a.cc:1: "),
                                HasSubstr("worker/core/worker_core.h"))));
  EXPECT_THAT(check_layers({{"worker/core/a.cc", "\n#include \"coordinator/core/core.h\"\n"}}),
              ElementsAre(HasSubstr("worker/core/a.cc:2: ")));
}

TEST(LayerRules, CommonMayNotIncludeThePrograms) {
  EXPECT_THAT(check_layers({{"common/a.h", "#include \"coordinator/core/ids.h\"\n"}}), SizeIs(1));
  EXPECT_THAT(check_layers({{"common/policy/a.h", "#include \"common/config/experiment.h\"\n"}}),
              SizeIs(1));
}

TEST(LayerRules, ZeroMqIsForTheTransportOnly) {
  EXPECT_THAT(check_layers({{"common/wire/transport.cc", "#include <zmq.hpp>\n"}}), IsEmpty());
  EXPECT_THAT(check_layers({{"common/wire/codec.cc", "#include <zmq.hpp>\n"}}),
              ElementsAre(HasSubstr("zeromq")));
  EXPECT_THAT(check_layers({{"coordinator/runtime.cc", "#include <zmq.h>\n"}}),
              ElementsAre(HasSubstr("zeromq")));
}

TEST(LayerRules, TorchIsForTrainingOnly) {
  EXPECT_THAT(check_layers({{"worker/training/lenet.cc", "#include <torch/nn.h>\n"}}), IsEmpty());
  EXPECT_THAT(check_layers({{"worker/runtime.cc", "#include <ATen/ATen.h>\n"}}),
              ElementsAre(HasSubstr("torch")));
  EXPECT_THAT(check_layers({{"coordinator/cli/a.cc", "#  include  <c10/core/Device.h>\n"}}),
              SizeIs(1));
}

TEST(LayerRules, PureFoldersHaveNoThreadsFilesOrDatabase) {
  for (const std::string folder : {"coordinator/core", "coordinator/search", "coordinator/tuning",
                                   "coordinator/ranking", "common/policy", "worker/core"}) {
    for (const std::string header :
         {"thread", "mutex", "fstream", "SQLiteCpp/SQLiteCpp.h", "boost/asio.hpp",
          "yaml-cpp/yaml.h", "zmq.hpp", "torch/torch.h"}) {
      EXPECT_THAT(check_layers({{folder + "/a.cc", "#include <" + header + ">\n"}}), SizeIs(1))
          << folder << header;
    }
    EXPECT_THAT(check_layers({{folder + "/a.cc", "#include <chrono>\n#include <vector>\n"}}),
                IsEmpty())
        << folder;
  }
}

TEST(LayerRules, APureFolderMayNotReachAThreadThroughAnotherHeader) {
  const SourceTree tree = {{"coordinator/core/a.cc", "#include \"common/wire/outer.h\"\n"},
                           {"common/wire/outer.h", "#include \"common/wire/transport.h\"\n"},
                           {"common/wire/transport.h", "#include <zmq.hpp>\n"}};
  EXPECT_THAT(check_layers(tree),
              ElementsAre(AllOf(HasSubstr("coordinator/core/a.cc: reaches <zmq.hpp>"),
                                HasSubstr("common/wire/transport.h"))));
}

TEST(LayerRules, PureFoldersReadNoClock) {
  EXPECT_THAT(
      check_layers({{"coordinator/core/a.cc", "auto t = std::chrono::steady_clock::now();\n"}}),
      SizeIs(1));
  EXPECT_THAT(check_layers({{"worker/core/a.cc", "int n;\nclock_gettime(0, &t);\n"}}),
              ElementsAre(HasSubstr("worker/core/a.cc:2: ")));
  EXPECT_THAT(
      check_layers({{"coordinator/runtime.cc", "auto t = std::chrono::steady_clock::now();\n"}}),
      IsEmpty());
  EXPECT_THAT(check_layers({{"worker/core/a.cc", "// steady_clock::now() is the runtime's\n"}}),
              IsEmpty());
}

TEST(LayerRules, WhatTheTableDoesNotKnowIsAnError) {
  EXPECT_THAT(check_layers({{"coordinator/new_room/a.cc", "int a;\n"}}),
              ElementsAre(HasSubstr("no row")));
  EXPECT_THAT(check_layers({{"common/a.cc", "#include <curl/curl.h>\n"}}),
              ElementsAre(HasSubstr("no row")));
}

TEST(LayerRules, AnIncludeInACommentIsNone) {
  EXPECT_THAT(includes_of("// #include <zmq.hpp>\n/* \n#include <mutex>\n*/\n#include <vector>\n"),
              SizeIs(1));
  EXPECT_THAT(includes_of("const int a = 1'000; // '\n#include <vector>\n"), SizeIs(1));
}

}  // namespace
}  // namespace lrtune::rules
