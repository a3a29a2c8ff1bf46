# Settings that every target shares: language level, warnings, sanitizers, ccache.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # A precompiled header changes its time stamp at each build; ccache is told to look at contents.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime;${CCACHE_PROGRAM}")
endif()

add_library(lrtune_build INTERFACE)
target_include_directories(lrtune_build INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(lrtune_build INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                              -Wsign-conversion -Wno-missing-field-initializers -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12, once it inlines much, warns of std::variant and of std::string + without a reason (GCC bugs 105562 and
  # 105651). The dev preset keeps both warnings.
  # So it does of instrumented code, std::regex for one; the dev and release presets hold the warnings.
  if(LRTUNE_SANITIZE)
    target_compile_options(lrtune_build INTERFACE -Wno-error)
  endif()
  target_compile_options(lrtune_build INTERFACE $<$<CONFIG:Release>:-Wno-maybe-uninitialized;-Wno-restrict>)
endif()
if(LRTUNE_SANITIZE)
  add_compile_options(-fsanitize=${LRTUNE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LRTUNE_SANITIZE})
  if(LRTUNE_SANITIZE MATCHES "address.*undefined")
    # AddressSanitizer sees what these four would see but for misaligned access, and they double the time of
    # compiling (tests/unit/core_test.cc: 17 s with them, 9 s without).
    add_compile_options(-fno-sanitize=null,alignment,object-size,vptr)
  endif()
endif()
if(LRTUNE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "LRTUNE_FUZZ needs clang: libFuzzer is part of it (deploy/setup.sh --checks installs it)")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# lrtune_library(NAME SOURCES ... DEPENDS ...): a static library with the project's flags; DEPENDS are public.
function(lrtune_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC lrtune_build ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
endfunction()

# lrtune_test(NAME SOURCES ... DEPENDS ... [LABELS ...]): one GoogleTest program, each case a CTest test. With sanitizers the
# program is one CTest test: under AddressSanitizer LibTorch takes seconds to start, which hundreds of processes need not
# do. deploy/test.sh counts the cases all the same, by GoogleTest's report.
function(lrtune_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE lrtune_build ${ARG_DEPENDS} GTest::gmock_main)
  target_compile_definitions(${name} PRIVATE
    LRTUNE_FIXTURES="${PROJECT_SOURCE_DIR}/tests/fixtures" LRTUNE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  # CTest runs tests side by side: LibTorch's threads must not spin while they wait for one that has no core.
  set(environment "OMP_WAIT_POLICY=passive")
  if(LRTUNE_SANITIZE)
    # The longest first, so that no core is idle at the end.
    set(cost 1)
    if(name MATCHES "^(e2e|cluster|training)")
      set(cost 1000)
    endif()
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" COST ${cost} TIMEOUT 3600
      ENVIRONMENT "${environment};GTEST_OUTPUT=xml:${PROJECT_BINARY_DIR}/gtest/${name}.xml")
  else()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES LABELS "${ARG_LABELS}" ENVIRONMENT "${environment}")
  endif()
endfunction()
