lrtune_library(lrtune_sim
  SOURCES support/sim/trace.cc support/sim/scenario.cc support/sim/sim_network.cc support/sim/sim_training.cc
          support/sim/sim_store.cc support/sim/sim_worker.cc support/sim/sim_coordinator.cc
          support/sim/sim_cluster.cc support/sim/cluster_checks.cc
          support/sim/acknowledged.cc
  DEPENDS lrtune_core lrtune_worker_core lrtune_wire lrtune_config lrtune_policy)

# 11 families of 1,000 seeds; under a sanitizer, which makes them some ten times slower, of 200.
lrtune_test(cluster_test
  SOURCES sim/cluster_test.cc
  DEPENDS lrtune_sim
  LABELS sim)
if(LRTUNE_SANITIZE)
  target_compile_definitions(cluster_test PRIVATE LRTUNE_SIM_DEFAULT_SEEDS=200 LRTUNE_SIM_SHARDS=1)
else()
  target_compile_definitions(cluster_test PRIVATE LRTUNE_SIM_DEFAULT_SEEDS=1000 LRTUNE_SIM_SHARDS=4)
endif()

lrtune_test(sim_regression_test
  SOURCES sim/regression_test.cc unit/core_harness.cc
  DEPENDS lrtune_core lrtune_config
  LABELS sim)
