#!/usr/bin/env bash
# Configures and builds one preset of CMakePresets.json in build/<preset>.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'END'
usage: deploy/build.sh PRESET [TARGET ...]

Builds the targets (all, unless named) of a preset: dev, release, asan, tsan or fuzz.
LRTUNE_JOBS sets the number of compilers at work; one a core unless set, fewer where memory is short.
END
}

# One compiler that reads LibTorch's headers needs up to 2 GB.
default_jobs() {
  local by_memory
  by_memory=$(awk '/^MemAvailable:/ { print int($2 / 2000000) }' /proc/meminfo)
  local jobs
  jobs=$(nproc)
  ((by_memory < jobs)) && jobs=$by_memory
  ((jobs >= 1)) || jobs=1
  printf '%s' "$jobs"
}

case ${1:-} in
  dev | release | asan | tsan | fuzz) ;;
  --help | -h) usage; exit 0 ;;
  *)
    printf 'build: error: unknown preset "%s"\n' "${1:-}" >&2
    usage >&2
    exit 2 ;;
esac
preset=$1
shift

cd "$repo"
log="$repo/.cache/configure-$preset.log"
mkdir -p "$repo/.cache"
if ! cmake --preset "$preset" "-DLRTUNE_LIBTORCH_DIR=${LRTUNE_LIBTORCH_DIR:-$repo/.libtorch}" >"$log" 2>&1; then
  cat "$log" >&2
  printf 'build: error: cmake could not configure the preset %s (see above)\n' "$preset" >&2
  exit 1
fi
target_options=()
(($# == 0)) || target_options=(--target "$@")
printf 'build: %s in build/%s\n' "$preset" "$preset"
cmake --build --preset "$preset" --parallel "${LRTUNE_JOBS:-$(default_jobs)}" "${target_options[@]}"
