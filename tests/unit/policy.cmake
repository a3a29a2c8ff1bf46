find_package(rapidcheck REQUIRED)

lrtune_test(policy_test
  SOURCES unit/plateau_test.cc unit/policy_golden_test.cc unit/policy_property_test.cc unit/policy_math_test.cc
          unit/policy_json_test.cc support/property_seed.cc
  DEPENDS lrtune_policy lrtune_config rapidcheck
  LABELS unit)

# By hand: build/release/lrtune_bench_policy
find_package(benchmark REQUIRED)
add_executable(lrtune_bench_policy bench/policy_bench.cc)
target_link_libraries(lrtune_bench_policy PRIVATE lrtune_build lrtune_policy benchmark::benchmark_main)
