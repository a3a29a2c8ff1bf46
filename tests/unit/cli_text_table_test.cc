#include <gtest/gtest.h>

#include "coordinator/report/text_table.h"

namespace lrtune {
namespace {

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("0.9833 ± 0.0004"), 15U);
  EXPECT_EQ(display_width("学習率"), 6U);
  EXPECT_EQ(display_width("e\u0301"), 1U);   // e with a combining acute accent
  EXPECT_EQ(display_width("\xff\xfe"), 2U);  // no UTF-8: a column a byte
  EXPECT_EQ(display_width(std::string_view("a\0b", 3)), 3U);
}

TEST(Shortened, CutsAtCharacters) {
  EXPECT_EQ(shortened("abcdef", 6), "abcdef");
  EXPECT_EQ(shortened("abcdef", 4), "abc…");
  EXPECT_EQ(shortened("学習率", 4), "学…");
  EXPECT_EQ(shortened("学習率", 5), "学習…");
  EXPECT_EQ(shortened("abc", 1), "…");
  EXPECT_EQ(shortened("abc", 0), "");
}

TextTable sample() {
  TextTable table({{"id", Align::kRight},
                   {"policy", Align::kLeft, true},
                   {"top-1", Align::kRight},
                   {"", Align::kLeft}});
  table.add_row({"4", "SIN2 k0=0.01 k1=0.06 l=2000", "0.9833 ± 0.0004", ""}, Ink::kGood);
  table.add_row({"12", "学習率", "-", "failed"});
  return table;
}

TEST(TextTable, AlignsColumns) {
  EXPECT_EQ(sample().text({}),
            "id  policy                                 top-1\n"
            " 4  SIN2 k0=0.01 k1=0.06 l=2000  0.9833 ± 0.0004\n"
            "12  学習率                                     -  failed\n");
}

TEST(TextTable, ShrinksToTheTerminal) {
  EXPECT_EQ(sample().text({.is_terminal = true, .width = 40}),
            "id  policy                 top-1\n"
            " 4  SIN2 k0=0.…  0.9833 ± 0.0004\n"
            "12  学習率                     -  failed\n");
}

TextTable with_extras() {
  TextTable table({{"policy", Align::kLeft, true},
                   {"top-1", Align::kRight},
                   {"at", Align::kRight, false, 1},
                   {"seconds", Align::kRight, false, 2}});
  table.add_row({"composite: FIX k0=0.03 until 250; FIX k0=0.01", "0.9833", "400", "12.0"});
  return table;
}

TEST(TextTable, LeavesOutWhatIsLeastWanted) {
  const auto at = [](int width) {
    return with_extras().text({.is_terminal = true, .width = width});
  };
  EXPECT_EQ(at(50),
            "policy                         top-1   at  seconds\n"
            "composite: FIX k0=0.03 unti…  0.9833  400     12.0\n");
  EXPECT_EQ(at(49),
            "policy                                 top-1   at\n"
            "composite: FIX k0=0.03 until 250; F…  0.9833  400\n"
            "left out for want of room: seconds\n");
  EXPECT_EQ(at(36),
            "policy                         top-1\n"
            "composite: FIX k0=0.03 unti…  0.9833\n"
            "left out for want of room: at, seco…\n");
  EXPECT_EQ(at(10), "policy   …\ncomposi… …\nleft out …\n");
}

TEST(TextTable, ColoursWholeLines) {
  EXPECT_EQ(sample().text({.is_terminal = true, .colour = true}),
            "\x1b[1mid  policy                                 top-1\x1b[0m\n"
            "\x1b[32m 4  SIN2 k0=0.01 k1=0.06 l=2000  0.9833 ± 0.0004\x1b[0m\n"
            "12  学習率                                     -  failed\n");
}

}  // namespace
}  // namespace lrtune
