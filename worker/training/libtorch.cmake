# The trainer on LibTorch. All but one file are the same with and without CUDA and are compiled once.
add_library(lrtune_training_objects OBJECT
  ahead_batches.cc autocast.cc cpu_settings.cc device_data.cc folder_batches.cc input.cc libtorch_trainer.cc loss_gradient.cc loss_watch.cc
  m_opt_meter.cc memory_batches.cc run_tensors.cc training_run.cc)
target_precompile_headers(lrtune_training_objects PRIVATE torch_headers.h)
target_link_libraries(lrtune_training_objects PUBLIC lrtune_build lrtune_policy lrtune_training_data lrtune_checkpoints LibTorch::cpu)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(lrtune_training_objects PRIVATE -fpch-preprocess)  # for ccache
endif()

# lrtune_reuse_torch_header(TARGET): compiles TARGET with the precompiled header of the trainer.
function(lrtune_reuse_torch_header target)
  target_precompile_headers(${target} REUSE_FROM lrtune_training_objects)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # A program's -fPIE would make g++ turn the header down, which was compiled for libraries.
    target_compile_options(${target} PRIVATE -fpch-preprocess -fPIC)
  endif()
endfunction()

include(networks.cmake)

lrtune_library(lrtune_training
  SOURCES device_cpu.cc recorded_work_cpu.cc $<TARGET_OBJECTS:lrtune_training_objects>
  DEPENDS lrtune_policy lrtune_training_data lrtune_training_networks lrtune_checkpoints LibTorch::cpu)
lrtune_reuse_torch_header(lrtune_training)

if(LRTUNE_CUDA AND TARGET LibTorch::cuda)
  lrtune_library(lrtune_training_cuda
    SOURCES device_cuda.cc recorded_work_cuda.cc $<TARGET_OBJECTS:lrtune_training_objects>
    DEPENDS lrtune_policy lrtune_training_data lrtune_training_networks lrtune_checkpoints LibTorch::cuda)
  lrtune_reuse_torch_header(lrtune_training_cuda)
  # Own kernels (.cu) will join this target where nvcc is found.
endif()
