#!/usr/bin/env bash
# Runs many seeds of the simulated cluster, all families, on one core, and says after each block how many have passed.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
program="$repo/build/dev/cluster_test"
first=1
seeds=1000000
families=15
block=100 # seeds of each family between two lines of output

usage() {
  cat <<'END_OF_USAGE'
usage: tests/sim/many_seeds.sh [--first SEED] [--seeds NUMBER] [--program PROGRAM]

Runs NUMBER seeds (1000000 unless said), an equal share of each family, from SEED (1 unless said) on. A seed that
fails ends it with its report; the exit code is 0 only if all passed.
END_OF_USAGE
}

while (($# > 0)); do
  case $1 in
    --first) first=${2:?--first wants a seed}; shift ;;
    --seeds) seeds=${2:?--seeds wants a number}; shift ;;
    --program) program=${2:?--program wants the path of cluster_test}; shift ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
while ((passed < seeds)); do
  if ! LRTUNE_SIM_FIRST=$first LRTUNE_SIM_SEEDS=$block "$program" --gtest_brief=1 >"$log" 2>&1; then
    cat "$log"
    printf 'failed after %d seeds, in the block of seeds %d to %d\n' "$passed" "$first" $((first + block - 1))
    exit 1
  fi
  first=$((first + block))
  passed=$((passed + families * block))
  printf '%d seeds passed, the next one is %d, %d s\n' "$passed" "$first" "$SECONDS"
done
