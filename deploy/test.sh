#!/usr/bin/env bash
# The second command of the README: set up, build, and pass all tests.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'END'
usage: deploy/test.sh [--cpu | --cuda] [--preset PRESET] [--only PROGRAM ...] [CTEST OPTION ...]

Installs what is missing, builds the preset (dev unless said) and runs its tests. The last line of standard output is
"N passed, N failed"; the exit code is 0 only if tests ran and all of them passed. A test that was skipped,
disabled or not built counts as failed.

  --cpu, --cuda   as in deploy/setup.sh
  --only PROGRAM  build this test program and run its tests, not all; may be given several times
  CTEST OPTION    goes to ctest, for example -R policy
END
}

setup_options=()
preset=dev
programs=()
while (($# > 0)); do
  case $1 in
    --cpu | --cuda) setup_options+=("$1") ;;
    --preset)
      preset=${2:?--preset wants a name: dev, release, asan or tsan}
      shift ;;
    --only)
      programs+=("${2:?--only wants the name of a test program, such as core_test}")
      shift ;;
    --help | -h) usage; exit 0 ;;
    *) break ;;
  esac
  shift
done

# Counts the test cases of a JUnit file that ctest wrote: "passed failed". A whole program that ctest knows as one test
# counts as many as GoogleTest's report of it has; if it left none, or failed otherwise, it counts one more failure.
count_results() { # JUNIT_FILE FOLDER_OF_REPORTS
  /usr/bin/python3 - "$1" "$2" <<'END'
import os
import sys
import xml.etree.ElementTree


def cases_of(file):
    return list(xml.etree.ElementTree.parse(file).getroot().iter("testcase"))


passed = failed = 0
for case in cases_of(sys.argv[1]):
    good = case.get("status") == "run" and case.find("failure") is None
    report = os.path.join(sys.argv[2], case.get("name") + ".xml")
    inner = cases_of(report) if os.path.exists(report) else []
    bad = sum(one.find("failure") is not None or one.get("status") != "run" for one in inner)
    passed += len(inner) - bad if inner else good
    failed += bad + (not good and bad == 0)
print(passed, failed)
END
}

"$repo/deploy/setup.sh" "${setup_options[@]}"
"$repo/deploy/build.sh" "$preset" "${programs[@]}"

build="$repo/build/$preset"
# CTest knows a program that was not asked for by one test, NAME_NOT_BUILT (or its cases, if it was built before).
selection=()
((${#programs[@]} == 0)) || selection=(--exclude-regex '_NOT_BUILT$')
# With sanitizers CTest knows programs (cmake/LrtuneBuild.cmake), also those that were not asked for.
if ((${#programs[@]} > 0)) && [[ $preset == asan || $preset == tsan ]]; then
  selection=(--tests-regex "^($(IFS='|'; printf '%s' "${programs[*]}"))$")
fi
rm -rf "$build/gtest"
results="$build/test-results.xml"
rm -f "$results"
status=0
ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure --no-tests=error \
  --output-junit "$results" "${selection[@]}" "$@" || status=$?

read -r passed failed < <(if [[ -s $results ]]; then count_results "$results" "$build/gtest"; else printf '0 0\n'; fi)
if ((status != 0 && failed == 0)); then
  printf 'test: error: ctest ended with %d although it counts no failed test\n' "$status" >&2
  failed=1
fi
if ((passed + failed == 0)); then
  printf 'test: error: no test ran\n' >&2
  failed=1
fi
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
