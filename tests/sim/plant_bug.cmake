# cmake -D PLANTED=FILE -D SOURCE_DIR=REPOSITORY -D OUTPUT=FILE.cc -P plant_bug.cmake
#
# Copies the source that the planted bug is for and breaks the copy. PLANTED has the lines "file: PATH" and "bug: WHAT IT
# DOES", and then pairs of passages, each behind a line "--- right" and a line "--- planted". Each right passage must
# stand in the source exactly once: a bug that no longer fits is an error and not a test that passes for nothing.
cmake_minimum_required(VERSION 3.25)
get_filename_component(name "${PLANTED}" NAME_WE)
file(READ "${PLANTED}" planted)
if(NOT planted MATCHES "^file: ([^\n]+)\nbug: ([^\n]+)\n--- right\n")
  message(FATAL_ERROR "planted bug ${name}: the file begins with the lines file:, bug: and --- right")
endif()
set(path "${CMAKE_MATCH_1}")
set(bug "${CMAKE_MATCH_2}")
file(READ "${SOURCE_DIR}/${path}" source)

# Cuts `text` at the first line MARK: `before` and `after` it; `after` is empty if there is none.
macro(cut text mark)
  string(FIND "${text}" "${mark}\n" at)
  if(at EQUAL -1)
    set(before "${text}")
    set(after "")
  else()
    string(LENGTH "${mark}\n" length)
    string(SUBSTRING "${text}" 0 ${at} before)
    math(EXPR at "${at} + ${length}")
    string(SUBSTRING "${text}" ${at} -1 after)
  endif()
endmacro()

cut("${planted}" "--- right")
set(rest "${after}")
while(NOT rest STREQUAL "")
  cut("${rest}" "--- planted")
  set(right "${before}")
  set(rest "${after}")
  cut("${rest}" "--- right")
  set(wrong "${before}")
  set(rest "${after}")
  string(FIND "${source}" "${right}" first)
  string(FIND "${source}" "${right}" last REVERSE)
  if(right STREQUAL "" OR first EQUAL -1)
    message(FATAL_ERROR "planted bug ${name}: ${path} has no such passage:\n${right}")
  elseif(NOT first EQUAL last)
    message(FATAL_ERROR "planted bug ${name}: ${path} has this passage more than once:\n${right}")
  endif()
  string(REPLACE "${right}" "${wrong}" source "${source}")
endwhile()

# The test says which bug it is; the link fails if the broken copy is not in the program.
file(WRITE "${OUTPUT}" "${source}
namespace lrtune::sim {
extern const char* const kPlantedBug;
const char* const kPlantedBug = \"${name} (${path}): ${bug}\";
}  // namespace lrtune::sim
")
