#!/usr/bin/env bash
# The first command of the README: set up, build, and tune a real network on real images.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'END'
usage: deploy/quickstart.sh [--cpu | --cuda] [OPTION ...]

Installs what is missing, builds lrtune and runs experiments/quickstart.yaml. The result is printed on standard
output, everything else on standard error. Run again, it resumes and repeats no finished trial.

  --cpu, --cuda   as in deploy/setup.sh
  OPTION          goes to `lrtune run`, for example --workers 2 or --device cuda
END
}

setup_options=()
while [[ ${1:-} == --cpu || ${1:-} == --cuda ]]; do
  setup_options+=("$1")
  shift
done
if [[ ${1:-} == --help || ${1:-} == -h ]]; then
  usage
  exit 0
fi

"$repo/deploy/setup.sh" "${setup_options[@]}" >&2
targets=(lrtune lrtune-worker lrtune-checkpoints)
# Only with all CUDA libraries can the CUDA worker start.
grep -qx 'variant: cuda' "${LRTUNE_LIBTORCH_DIR:-$repo/.libtorch}/lrtune-stamp" && targets+=(lrtune-worker-cuda)
"$repo/deploy/build.sh" release "${targets[@]}" >&2
exec "$repo/build/release/lrtune" run "$repo/experiments/quickstart.yaml" "$@"
