# The properties are run over the corpus in every build; the preset `fuzz` (clang) also makes one libFuzzer program a target.
set(fuzz_sources fuzz/target.cc fuzz/files.cc fuzz/frames.cc fuzz/policies.cc fuzz/store_documents.cc)
set(fuzz_libraries lrtune_wire lrtune_config lrtune_search)

lrtune_test(fuzz_corpus_test
  SOURCES fuzz/corpus_test.cc ${fuzz_sources}
  DEPENDS ${fuzz_libraries}
  LABELS unit)

if(LRTUNE_FUZZ)
  add_library(lrtune_fuzz STATIC ${fuzz_sources})
  target_link_libraries(lrtune_fuzz PUBLIC lrtune_build ${fuzz_libraries})
  add_custom_target(lrtune_fuzz_targets)
  foreach(target IN ITEMS to_coordinator to_worker to_checkpoint_service to_checkpoint_client yaml experiment key_file
                          policy store_document)
    add_executable(fuzz_${target} fuzz/libfuzzer.cc)
    target_compile_definitions(fuzz_${target} PRIVATE LRTUNE_FUZZ_TARGET=${target})
    target_link_libraries(fuzz_${target} PRIVATE lrtune_fuzz)
    target_link_options(fuzz_${target} PRIVATE -fsanitize=fuzzer)
    add_dependencies(lrtune_fuzz_targets fuzz_${target})
  endforeach()
endif()
