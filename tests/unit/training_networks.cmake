if(LRTUNE_LIBTORCH)
  lrtune_test(training_networks_test
    SOURCES unit/training_networks_test.cc unit/training_optimizers_test.cc unit/training_parity_test.cc
    DEPENDS lrtune_training_networks
    LABELS training)
  lrtune_reuse_torch_header(training_networks_test)
endif()
