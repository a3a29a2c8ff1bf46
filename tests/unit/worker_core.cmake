lrtune_test(worker_core_test
  SOURCES unit/worker_session_test.cc unit/worker_attempts_test.cc unit/worker_watch_test.cc unit/worker_core_random_test.cc
           support/wire_samples.cc
  DEPENDS lrtune_worker_core
  LABELS unit)
