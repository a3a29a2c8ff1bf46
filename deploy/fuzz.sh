#!/usr/bin/env bash
# Builds the libFuzzer targets of tests/fuzz with clang, AddressSanitizer and UndefinedBehaviorSanitizer, and runs them in turn.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build="$repo/build/fuzz"
kept="$repo/tests/fixtures/fuzz"

usage() {
  cat <<'END'
usage: deploy/fuzz.sh [--seconds N] [--keep] [TARGET ...]

Runs each target (all in tests/fixtures/fuzz, unless named) for N seconds, 60 unless said, and prints a line a target.
What it finds new goes into build/fuzz/corpus, an input that breaks something into build/fuzz/crashes; the exit code is 1 then.

  --keep   afterwards, put what reaches code that tests/fixtures/fuzz does not reach there: the fewest inputs that do

An input that broke something belongs into tests/fixtures/fuzz/TARGET under a name that says what it broke.
END
}

seconds=60
keep=false
targets=()
while (($# > 0)); do
  case $1 in
    --seconds)
      seconds=${2:?--seconds wants a number}
      [[ $seconds =~ ^[1-9][0-9]*$ ]] || { printf 'fuzz: error: --seconds wants a number above 0, not %s\n' "$seconds" >&2; exit 2; }
      shift ;;
    --keep) keep=true ;;
    --help | -h) usage; exit 0 ;;
    -*) printf 'fuzz: error: unknown option %s\n' "$1" >&2; usage >&2; exit 2 ;;
    *)
      [[ -d $kept/$1 ]] || { printf 'fuzz: error: there is no target %s; there are: %s\n' "$1" "$(cd "$kept" && echo *)" >&2; exit 2; }
      targets+=("$1") ;;
  esac
  shift
done
((${#targets[@]} > 0)) || mapfile -t targets < <(cd "$kept" && printf '%s\n' *)

"$repo/deploy/build.sh" fuzz "${targets[@]/#/fuzz_}"
# Whatever the input, nothing may take a minute (of a busy machine and with the sanitizers) or 1 GB. A frame is at most 64 KiB; a file of
# that size is long enough to reach everything, and shorter ones are tried more often.
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
limits=(-timeout=60 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=70000 -print_final_stats=1 -use_value_profile=1)

# The last number behind a word in libFuzzer's log.
figure() { awk -v word="$1" '{ for (i = 1; i < NF; ++i) if ($i == word) value = $(i + 1) } END { print value + 0 }' "$2"; }

run() { # TARGET
  local log="$build/logs/$1.log" crashes="$build/crashes/$1-" status=0 found dictionary=() TIMEFORMAT='cpu-seconds %U'
  mkdir -p "$build/corpus/$1" "$build/crashes" "$build/logs"
  [[ ! -f $repo/tests/fuzz/$1.dict ]] || dictionary=("-dict=$repo/tests/fuzz/$1.dict")
  {
    time "$build/fuzz_$1" "${limits[@]}" "${dictionary[@]}" "-artifact_prefix=$crashes" "-max_total_time=$seconds" \
      "$build/corpus/$1" "$kept/$1" </dev/null || status=$?
  } >"$log" 2>&1
  found=$(find "$build/crashes" -name "$1-*" -newer "$started" | wc -l)
  if ((status != 0 && found == 0)); then found=1; fi
  printf '%-22s %11d %8d %12.0f %9d %8d\n' "$1" "$(figure stat::number_of_executed_units: "$log")" "$seconds" \
    "$(figure cpu-seconds "$log")" "$(figure cov: "$log")" "$found"
  if ((found > 0)); then
    grep -E -m 3 '^(==|SUMMARY|terminate|  what)|ERROR' "$log" || true
    printf '  log: %s\n' "$log"
    return 1
  fi
}

started=$(mktemp)
trap 'rm -f "$started"' EXIT
failed=0
printf '%-22s %11s %8s %12s %9s %8s\n' target runs seconds cpu-seconds coverage crashes
for target in "${targets[@]}"; do
  run "$target" || failed=1
  if $keep && ((failed == 0)); then
    "$build/fuzz_$target" -set_cover_merge=1 -use_counters=0 -max_len=4096 "$kept/$target" "$build/corpus/$target" >"$build/logs/$target-keep.log" 2>&1
  fi
done
exit "$failed"
