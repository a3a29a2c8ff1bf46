# The trainer on LibTorch. All but one file are the same with and without CUDA and are compiled once.
add_library(lrtune_training_objects OBJECT
  cpu_settings.cc device_data.cc lenet.cc libtorch_trainer.cc loss_watch.cc models.cc optimizers.cc
  training_run.cc)
target_compile_definitions(lrtune_training_objects PRIVATE LRTUNE_LIBTORCH_VERSION="${LibTorch_VERSION}")
target_precompile_headers(lrtune_training_objects PRIVATE torch_headers.h)
target_link_libraries(lrtune_training_objects PUBLIC lrtune_build lrtune_policy lrtune_training_data LibTorch::cpu)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(lrtune_training_objects PRIVATE -fpch-preprocess)  # for ccache
endif()

lrtune_library(lrtune_training
  SOURCES device_cpu.cc $<TARGET_OBJECTS:lrtune_training_objects>
  DEPENDS lrtune_policy lrtune_training_data LibTorch::cpu)

if(LRTUNE_CUDA AND TARGET LibTorch::cuda)
  lrtune_library(lrtune_training_cuda
    SOURCES device_cuda.cc $<TARGET_OBJECTS:lrtune_training_objects>
    DEPENDS lrtune_policy lrtune_training_data LibTorch::cuda)
  # Own kernels (.cu) will join this target where nvcc is found.
endif()
