#!/usr/bin/env bash
# Runs exported policies in PyTorch, Keras and optax and compares them with `lrtune schedule`:
#
#   tests/handout/check_frameworks.sh [LRTUNE]
#
# LRTUNE is build/dev/lrtune unless given. The frameworks are installed into .cache/handout, in the pinned versions of
# requirements.txt; one that cannot be had is named and not run, which is no failure.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
lrtune=${1:-$repo/build/dev/lrtune}
site=$repo/.cache/handout
libtorch=${LRTUNE_LIBTORCH_DIR:-$repo/.libtorch}
# Debian's own: another python3 may come first in PATH, and LibTorch's wheel is for this one.
python=/usr/bin/python3

[[ -x $lrtune ]] || { printf 'handout: there is no program %s; deploy/build.sh dev makes it\n' "$lrtune" >&2; exit 2; }

# A folder that was filled from another list of versions is filled anew.
install() {
  cmp -s "$here/requirements.txt" "$site/installed.txt" && return
  rm -rf "$site"
  mkdir -p "$site" || return
  printf 'handout: installing jax, keras and optax into .cache/handout\n'
  "$python" -m pip install --quiet --disable-pip-version-check --no-input --root-user-action ignore --retries 5 --timeout 60 \
    --only-binary=:all: --target "$site" --requirement "$here/requirements.txt" || return
  cp "$here/requirements.txt" "$site/installed.txt"
}

status=0
check() { # FORMAT MODULE
  if ! "$python" -c "import $2; print('handout:', '$2', $2.__version__)" 2>"$site/error.log"; then
    printf 'handout: %s cannot be had, so its exports were NOT RUN: %s\n' "$2" "$(tail -n 1 "$site/error.log")"
    return
  fi
  "$python" "$here/check_export.py" "$lrtune" "$1" || status=1
}

if ! install; then
  printf 'handout: the Python package index gave none of the frameworks in requirements.txt: they are NOT RUN\n'
fi
export PYTHONPATH=$site:$libtorch KERAS_BACKEND=jax JAX_PLATFORMS=cpu PYTHONDONTWRITEBYTECODE=1
check pytorch torch
check optax optax
check keras keras
exit $status
