# Benchmarks, by hand; README.md beside this file says how. None is a test.
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)
add_executable(lrtune_bench_throughput bench/throughput_bench.cc)
target_link_libraries(lrtune_bench_throughput PRIVATE lrtune_build lrtune_runtime lrtune_config lrtune_worker_runtime CLI11::CLI11
                                                      spdlog::spdlog)

add_executable(lrtune_bench_many_workers bench/many_workers_bench.cc bench/simulated_workers.cc)
target_link_libraries(lrtune_bench_many_workers PRIVATE lrtune_build lrtune_runtime lrtune_config CLI11::CLI11 spdlog::spdlog)

add_executable(lrtune_bench_checkpoint_traffic bench/checkpoint_traffic_bench.cc)
target_link_libraries(lrtune_bench_checkpoint_traffic PRIVATE lrtune_build lrtune_runtime lrtune_config lrtune_worker_runtime
                                                              lrtune_checkpoint_channel CLI11::CLI11 spdlog::spdlog)

if(LRTUNE_LIBTORCH)
  add_executable(lrtune_bench_training_step bench/training_step_bench.cc)
  target_link_libraries(lrtune_bench_training_step PRIVATE lrtune_build lrtune_training CLI11::CLI11)
  lrtune_reuse_torch_header(lrtune_bench_training_step)

  add_executable(lrtune_bench_checkpoint bench/checkpoint_bench.cc)
  target_link_libraries(lrtune_bench_checkpoint PRIVATE lrtune_build lrtune_training lrtune_checkpoint_channel CLI11::CLI11)
  lrtune_reuse_torch_header(lrtune_bench_checkpoint)

  add_executable(lrtune_bench_jpeg bench/jpeg_bench.cc)
  target_link_libraries(lrtune_bench_jpeg PRIVATE lrtune_build lrtune_training_data CLI11::CLI11)
endif()

add_executable(lrtune_bench_search bench/search_bench.cc)
target_link_libraries(lrtune_bench_search PRIVATE lrtune_build lrtune_search CLI11::CLI11)
