lrtune_test(worker_parts_test
  SOURCES unit/worker_parts_test.cc
  DEPENDS lrtune_worker_runtime
  LABELS unit)
lrtune_test(worker_runtime_test
  SOURCES unit/worker_runtime_test.cc
  DEPENDS lrtune_worker_runtime lrtune_training_synthetic
  LABELS unit)
