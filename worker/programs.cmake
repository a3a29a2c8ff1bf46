find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)

# The loop and its threads: nothing here sees a training back end.
lrtune_library(lrtune_worker_runtime
  SOURCES inbox.cc job_runner.cc runtime.cc send_queue.cc stop_signals.cc task_thread.cc
  DEPENDS lrtune_worker_core lrtune_wire spdlog::spdlog Threads::Threads)

# lrtune_worker(NAME DEVICES LIBRARIES...): a worker program; DEVICES are those that its trainers are built for.
function(lrtune_worker name devices)
  add_executable(${name} main.cc trainer_choice.cc)
  target_compile_definitions(${name} PRIVATE LRTUNE_VERSION="${PROJECT_VERSION}" LRTUNE_WORKER_DEVICES="${devices}"
                                             $<$<BOOL:${LRTUNE_LIBTORCH}>:LRTUNE_WORKER_LIBTORCH>)
  target_link_libraries(${name} PRIVATE lrtune_build lrtune_worker_runtime lrtune_training_synthetic lrtune_checkpoint_channel
                                        CLI11::CLI11
                                        ${ARGN})
endfunction()

if(LRTUNE_LIBTORCH)
  # LINK_ONLY: LibTorch brings another fmt in its headers, which these sources must not see.
  lrtune_worker(lrtune-worker "cpu" $<LINK_ONLY:lrtune_training>)
  if(TARGET lrtune_training_cuda)
    lrtune_worker(lrtune-worker-cuda "cpu, cuda" $<LINK_ONLY:lrtune_training_cuda>)
  endif()
else()
  message(STATUS "lrtune-worker is built without LibTorch: it has the synthetic trainer only")
  lrtune_worker(lrtune-worker "cpu")
endif()

add_executable(lrtune-checkpoints checkpoint_channel/main.cc)
target_compile_definitions(lrtune-checkpoints PRIVATE LRTUNE_VERSION="${PROJECT_VERSION}")
target_link_libraries(lrtune-checkpoints PRIVATE lrtune_build lrtune_worker_runtime lrtune_checkpoint_channel CLI11::CLI11
                                                 spdlog::spdlog)
