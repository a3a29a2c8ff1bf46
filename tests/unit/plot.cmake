lrtune_test(plot_test
  SOURCES unit/plot_test.cc
  DEPENDS lrtune_plot
  LABELS unit)
