#include "tests/rules/type_rules.h"

#include <gmock/gmock.h>

namespace lrtune::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Regression: a search's point and a plot's were one type to the linker.
TEST(TypeRules, EachTypeIsDefinedOnce) {
  const SourceTree tree = read_source_tree(LRTUNE_SOURCE_DIR);
  ASSERT_TRUE(tree.contains("coordinator/core/core.h"));
  for (const std::string& finding : check_types_have_one_definition(tree)) ADD_FAILURE() << finding;
}

std::string in_namespace(const std::string& name, const std::string& text) {
  return "namespace " + name + (name.empty() ? "{\n" : " {\n") + text + "}  // namespace\n";
}

TEST(TypeRules, ASecondDefinitionIsFound) {
  for (const std::string type : {"struct Point {\n};\n", "class Point final : public Base {\n};\n",
                                 "enum class Point : int { kA };\n", "struct Point {};\n"}) {
    EXPECT_THAT(check_types_have_one_definition(
                    {{"coordinator/plot/a.h", in_namespace("lrtune", "struct Point {\n};\n")},
                     {"worker/b.cc", in_namespace("lrtune", "\n" + type)}}),
                ElementsAre(HasSubstr("worker/b.cc:3: lrtune::Point is defined at "
                                      "coordinator/plot/a.h:2: too")))
        << type;
  }
}

TEST(TypeRules, WhatIsNoSecondDefinitionIsNotFound) {
  const std::string type = "struct Point {\n};\n";
  for (const std::string& other :
       {in_namespace("lrtune::wire", type), in_namespace("lrtune", in_namespace("", type)),
        in_namespace("lrtune", "struct Point;\n"),
        in_namespace("lrtune", "struct Outer {\n  struct Point {\n  };\n};\n"),
        in_namespace("lrtune", "struct Outer::Point {\n};\n")}) {
    EXPECT_THAT(check_types_have_one_definition(
                    {{"common/a.h", in_namespace("lrtune", type)}, {"common/b.cc", other}}),
                IsEmpty())
        << other;
  }
}

}  // namespace
}  // namespace lrtune::rules
