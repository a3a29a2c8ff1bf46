add_library(lrtune_image_files STATIC support/image_files.cc support/jpeg_files.cc)
target_link_libraries(lrtune_image_files PUBLIC lrtune_training_data PRIVATE ZLIB::ZLIB PkgConfig::matio PkgConfig::turbojpeg)

lrtune_test(training_data_test
  SOURCES unit/training_cifar_test.cc unit/training_datasets_test.cc unit/training_device_name_test.cc
          unit/training_folder_test.cc unit/training_idx_test.cc
          unit/training_image_batch_test.cc unit/training_jpeg_test.cc unit/training_memory_gate_test.cc unit/training_metrics_test.cc unit/training_sampler_test.cc
          unit/training_svhn_test.cc unit/training_synthetic_test.cc
  DEPENDS lrtune_image_files lrtune_training_synthetic
  LABELS training)

if(LRTUNE_LIBTORCH)
  lrtune_test(training_libtorch_test
    SOURCES unit/training_folder_trainer_test.cc unit/training_input_test.cc unit/training_lenet_test.cc
            unit/training_ahead_batches_test.cc unit/training_loss_gradient_test.cc
            unit/training_resume_test.cc unit/training_revision_test.cc unit/training_threads_test.cc
            unit/training_torchscript_test.cc unit/training_trainer_test.cc
    DEPENDS lrtune_image_files lrtune_training
    LABELS training)
  lrtune_reuse_torch_header(training_libtorch_test)
endif()
