lrtune_library(lrtune_sim
  SOURCES support/sim/trace.cc support/sim/scenario.cc support/sim/sim_network.cc support/sim/sim_training.cc
          support/sim/sim_store.cc support/sim/sim_worker.cc support/sim/sim_coordinator.cc
          support/sim/sim_cluster.cc support/sim/cluster_checks.cc
          support/sim/acknowledged.cc support/sim/sim_people.cc
  DEPENDS lrtune_core lrtune_worker_core lrtune_wire lrtune_config lrtune_policy)

# 14 families of 1,000 seeds; under a sanitizer, which makes them some ten times slower, of 50.
lrtune_test(cluster_test
  SOURCES sim/cluster_test.cc
  DEPENDS lrtune_sim
  LABELS sim)
if(LRTUNE_SANITIZE)
  target_compile_definitions(cluster_test PRIVATE LRTUNE_SIM_DEFAULT_SEEDS=50 LRTUNE_SIM_SHARDS=1)
else()
  target_compile_definitions(cluster_test PRIVATE LRTUNE_SIM_DEFAULT_SEEDS=1000 LRTUNE_SIM_SHARDS=4)
endif()

lrtune_test(sim_regression_test
  SOURCES sim/regression_test.cc unit/core_harness.cc
  DEPENDS lrtune_core lrtune_config
  LABELS sim)

# Each file of planted/ breaks a copy of one source, whose object goes before the library that has the right one. Only
# without sanitizers and in the dev preset: what they show does not depend on how the program is built.
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT LRTUNE_SANITIZE)
  file(GLOB planted_bugs CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/sim/planted/*.txt")
  add_library(planted_bug_test_main OBJECT sim/planted_bug_test.cc)
  target_link_libraries(planted_bug_test_main PRIVATE lrtune_sim GTest::gtest)
  # Broken code may leave a function unused; its speed and its debug information are of no interest.
  add_library(planted_bug_build INTERFACE)
  target_compile_options(planted_bug_build INTERFACE -w -O0 -g0)
  add_custom_target(planted_bug_tests)
  foreach(planted IN LISTS planted_bugs)
    get_filename_component(name "${planted}" NAME_WE)
    file(STRINGS "${planted}" source REGEX "^file: " LIMIT_COUNT 1)
    string(REPLACE "file: " "${PROJECT_SOURCE_DIR}/" source "${source}")
    set(broken "${CMAKE_CURRENT_BINARY_DIR}/planted/${name}.cc")
    add_custom_command(OUTPUT "${broken}"
      COMMAND "${CMAKE_COMMAND}" -D "PLANTED=${planted}" -D "SOURCE_DIR=${PROJECT_SOURCE_DIR}" -D "OUTPUT=${broken}"
              -P "${CMAKE_CURRENT_SOURCE_DIR}/sim/plant_bug.cmake"
      DEPENDS "${planted}" "${source}" "${CMAKE_CURRENT_SOURCE_DIR}/sim/plant_bug.cmake" VERBATIM)
    add_executable(planted_${name} "${broken}" $<TARGET_OBJECTS:planted_bug_test_main>)
    target_link_libraries(planted_${name} PRIVATE lrtune_sim planted_bug_build GTest::gtest GTest::gtest_main)
    target_link_options(planted_${name} PRIVATE -s)
    add_dependencies(planted_bug_tests planted_${name})
    gtest_discover_tests(planted_${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60 PROPERTIES LABELS sim)
  endforeach()
endif()
