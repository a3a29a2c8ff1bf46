#!/usr/bin/env bash
# Installs what lrtune needs to be built: Debian packages, and LibTorch into a folder that git ignores.
# Running it again does nothing when nothing is missing.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lists="$repo/deploy/packages"
log="$repo/.cache/setup.log"
libtorch="${LRTUNE_LIBTORCH_DIR:-$repo/.libtorch}"

usage() {
  cat <<'END'
usage: deploy/setup.sh [--cpu | --cuda] [--checks]

Installs the Debian packages and the LibTorch that lrtune is built with. What is there already is left alone.

  --cpu      LibTorch for a machine without a GPU (0.6 GB to download, 1.2 GB on disk)
  --cuda     LibTorch with all CUDA libraries (2.7 GB to download, 4.1 GB on disk)
             Default: --cuda where there is an NVIDIA driver, --cpu elsewhere.
  --checks   also what .ci/run needs: clang with its fuzzer, clang-format, clang-tidy, shellcheck, systemd-analyze
  --help     this text

LRTUNE_LIBTORCH_DIR says where LibTorch goes; <repository>/.libtorch unless set.
END
}

say() { printf 'setup: %s\n' "$*"; }

fail() {
  printf 'setup: error: %s\n' "$*" >&2
  exit 1
}

has_nvidia_driver() {
  command -v nvidia-smi >/dev/null || [[ -e /proc/driver/nvidia || -e /dev/nvidiactl ]]
}

# Entries of a list, comments and empty lines left out.
entries() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$@"; }

wheel_names() { entries "$@" | cut -d' ' -f1; }

# ---- Debian packages ----

# Prints those of its arguments that are not installed.
missing_packages() {
  local name status
  declare -A installed=()
  while read -r status name; do
    [[ $status == installed ]] && installed[$name]=1
    # dpkg-query ends with 1 when a package is unknown to it; such a package is missing.
  done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for name in "$@"; do [[ -n ${installed[$name]:-} ]] || printf '%s\n' "$name"; done
}

as_root() {
  if ((EUID == 0)); then
    env "$@"
  else
    sudo env "$@"
  fi
}

check_privilege() {
  ((EUID == 0)) && return
  local what="$1 Debian packages are missing and only root may install them"
  command -v sudo >/dev/null || fail "$what: run this script as root, or install sudo. Missing: $2"
  sudo -n true 2>/dev/null && return
  [[ -t 0 ]] || fail "$what: sudo asks for a password and there is no terminal to ask on. Missing: $2"
  sudo -v || fail "$what: sudo refused. Missing: $2"
}

apt() {
  local pass=(DEBIAN_FRONTEND=noninteractive) name
  for name in http_proxy https_proxy no_proxy; do
    [[ -n ${!name:-} ]] && pass+=("$name=${!name}")
  done
  as_root "${pass[@]}" apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@" </dev/null >>"$log" 2>&1
}

explain_apt_failure() {
  local system=unknown
  # shellcheck source=/dev/null
  [[ -r /etc/os-release ]] && system=$(. /etc/os-release && printf '%s' "${PRETTY_NAME:-unknown}")
  if grep -qE 'Temporary failure resolving|Could not (resolve|connect)|Unable to connect|Failed to fetch' "$log"; then
    fail "the Debian packages could not be downloaded: check this machine's network (details: $log)"
  elif grep -q 'Unable to locate package' "$log"; then
    fail "this system ($system) lacks a package that Debian 12 has:$(
      sed -n 's/^E: Unable to locate package / /p' "$log" | tr -d '\n') (details: $log)"
  fi
  fail "apt-get could not install the Debian packages: $(grep -m1 '^E: ' "$log" || printf 'no reason given') (details: $log)"
}

install_debian_packages() {
  command -v dpkg-query >/dev/null ||
    fail "this script knows Debian 12 only; elsewhere install what deploy/packages/debian-build.txt names by hand"
  local wanted missing
  mapfile -t wanted < <(entries "$@")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if ((${#missing[@]} == 0)); then
    say "Debian packages: all ${#wanted[@]} are there"
    return
  fi
  check_privilege "${#missing[@]}" "${missing[*]}"
  say "Debian packages: installing ${#missing[@]} of ${#wanted[@]}: ${missing[*]}"
  # A broken package source that is not ours must not stop us, so only the installation decides.
  apt update || true
  apt install --yes --no-install-recommends "${missing[@]}" || explain_apt_failure
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  ((${#missing[@]} == 0)) || fail "apt-get reported success but did not install: ${missing[*]} (details: $log)"
  say "Debian packages: done"
}

# ---- LibTorch ----

# What the stamp file of a complete folder of this variant holds.
stamp_of() {
  printf 'variant: %s\n' "$1"
  wheel_names "$lists/libtorch-cpu.txt"
  [[ $1 == cpu ]] || wheel_names "$lists/libtorch-cuda.txt"
}

has_variant() { [[ -f $libtorch/lrtune-stamp && $(<"$libtorch/lrtune-stamp") == "$(stamp_of "$1")" ]]; }

check_free_space() {
  local needed_mb=$1 parent=$2 free_kb
  free_kb=$(df --output=avail -k "$parent" | tail -n 1)
  ((free_kb / 1024 >= needed_mb)) ||
    fail "LibTorch needs $needed_mb MB of free disk space in $parent, there are $((free_kb / 1024)) MB"
}

# Downloads the wheels of the lists, checks their hashes, and unpacks them into the folder.
fetch_wheels() {
  local folder=$1 list wheel
  shift
  # Another python3 may come first in PATH; Debian's own is the one whose pip was installed above.
  local python=/usr/bin/python3
  for list in "$@"; do
    "$python" -m pip download --disable-pip-version-check --no-cache-dir --no-input --retries 5 --timeout 60 \
      --no-deps --require-hashes --only-binary=:all: --python-version 3.11 \
      --dest "$folder/wheels" --requirement "$list" </dev/null >>"$log" 2>&1 || explain_pip_failure
  done
  for wheel in "$folder"/wheels/*.whl; do
    "$python" -m zipfile -e "$wheel" "$folder/tree" >>"$log" 2>&1 ||
      fail "$(basename "$wheel") could not be unpacked into $folder: is the disk full? (details: $log)"
    rm "$wheel"
  done
}

explain_pip_failure() {
  if grep -q 'No space left on device' "$log"; then
    fail "LibTorch could not be downloaded: no space left on the disk of $libtorch or ${TMPDIR:-/tmp} (details: $log)"
  elif grep -q 'CERTIFICATE_VERIFY_FAILED' "$log"; then
    fail "LibTorch could not be downloaded: the package index, or a proxy before it, shows a certificate that this machine does not trust (details: $log)"
  elif grep -q 'DO NOT MATCH THE HASHES' "$log"; then
    fail "a downloaded wheel of LibTorch is not the one that deploy/packages names (its hash differs); nothing was installed (details: $log)"
  fi
  fail "LibTorch could not be downloaded from the Python package index: check this machine's network (details: $log)"
}

# The CUDA variant holds all of the CPU one.
libtorch_is_there() {
  local present
  for present in cuda cpu; do
    if [[ $present == cuda || $1 == cpu ]] && has_variant "$present"; then
      say "LibTorch: the ${present^^} variant is in $libtorch"
      return 0
    fi
  done
  return 1
}

# Into a folder beside the wanted one, then renamed: an interrupted download leaves nothing that looks complete.
install_libtorch() {
  local variant=$1
  if libtorch_is_there "$variant"; then return; fi
  [[ $(uname -m) == x86_64 ]] || fail "the LibTorch named in deploy/packages is for x86-64 and this machine is $(uname -m)"
  if [[ -n ${LRTUNE_LIBTORCH_DIR:-} && -e $libtorch && ! -f $libtorch/lrtune-stamp && -n $(ls -A "$libtorch") ]]; then
    fail "LRTUNE_LIBTORCH_DIR=$libtorch is not empty and was not made by this script: name another folder, or empty it"
  fi
  local parent lists_needed=("$lists/libtorch-cpu.txt") size_mb=2000
  parent=$(dirname "$libtorch")
  mkdir -p "$parent" || fail "the folder $parent cannot be made"
  [[ -w $parent ]] || fail "the folder $parent cannot be written"
  exec 9>"$libtorch.lock"
  flock 9
  # Another set-up may have finished while this one waited.
  if libtorch_is_there "$variant"; then return; fi
  partial="$libtorch.partial"
  trap 'rm -rf "$partial"' EXIT
  rm -rf "$partial"
  mkdir -p "$partial/wheels" "$partial/tree"
  if [[ $variant == cuda ]]; then
    size_mb=7000
    lists_needed+=("$lists/libtorch-cuda.txt")
    if has_variant cpu; then
      cp -al "$libtorch/." "$partial/tree"
      rm "$partial/tree/lrtune-stamp"
      lists_needed=("$lists/libtorch-cuda.txt")
    fi
  fi
  check_free_space "$size_mb" "$parent"
  say "LibTorch: downloading the ${variant^^} variant into $libtorch: $(wheel_names "${lists_needed[@]}" | paste -sd' ')"
  export TMPDIR="$partial"
  fetch_wheels "$partial" "${lists_needed[@]}"
  [[ -f $partial/tree/torch/lib/libtorch_cpu.so && -d $partial/tree/torch/include/ATen ]] ||
    fail "the torch wheel does not hold LibTorch's libraries and headers (details: $log)"
  stamp_of "$variant" >"$partial/tree/lrtune-stamp"
  rm -rf "$libtorch"
  mv "$partial/tree" "$libtorch"
  say "LibTorch: done"
}

# ---- main ----

variant=
package_lists=("$lists/debian-build.txt")
for argument in "$@"; do
  case $argument in
    --cpu | --cuda)
      [[ -z $variant || $variant == "${argument#--}" ]] || { printf 'setup: error: --cpu and --cuda exclude each other\n' >&2; exit 2; }
      variant=${argument#--} ;;
    --checks) package_lists+=("$lists/debian-checks.txt") ;;
    --help | -h) usage; exit 0 ;;
    *)
      printf 'setup: error: unknown option %s\n' "$argument" >&2
      usage >&2
      exit 2 ;;
  esac
done
if [[ -z $variant ]]; then
  if has_nvidia_driver; then variant=cuda; else variant=cpu; fi
fi

if ! { mkdir -p "$repo/.cache" && : >"$log"; } 2>/dev/null; then
  fail "$repo cannot be written; set-up keeps its log and LibTorch there"
fi
install_debian_packages "${package_lists[@]}"
install_libtorch "$variant"
say "everything is there (LibTorch: $variant)"
