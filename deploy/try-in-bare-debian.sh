#!/usr/bin/env bash
# Shows that set-up and the README's two commands work on a bare Debian 12: makes such a root with debootstrap
# (minbase and git, nothing else), clones HEAD of this repository into it at a path with a space, and runs them there.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
clone='/opt/a clone/lrtune'

usage() {
  cat <<'END'
usage: deploy/try-in-bare-debian.sh [OPTION ...] [setup | quickstart | test | shell] ...

Runs the named steps in order in a fresh Debian 12 root; setup quickstart test unless named. Needs root and the
Debian package debootstrap. Nothing of the machine is changed: the mounts live in their own namespace, and the
root is deleted at the end.

  --root FOLDER    make the root there and keep it; one that exists is used again (default: a temporary folder)
  --mirror URL     Debian mirror (default: debootstrap's)
  --host-config    take over this machine's package configuration: apt sources and settings, pip.conf,
                   own certificate authorities, and the variables of proxies and PIP_INDEX_URL
  --help           this text

The system's temporary folder (TMPDIR) needs about 6 GB.
END
}

say() { printf 'bare: %s\n' "$*"; }

fail() {
  printf 'bare: error: %s\n' "$*" >&2
  exit 1
}

make_root() {
  if [[ -e $root/usr/bin/git ]]; then
    say "using the root in $root"
    return
  fi
  say "making a Debian 12 root in $root"
  mkdir -p "$root"
  debootstrap --variant=minbase --include=git bookworm "$root" ${mirror:+"$mirror"} >"$log" 2>&1 ||
    fail "debootstrap failed: $(grep -m1 '^[EW]: ' "$log" || tail -n 1 "$log") (details: $log)"
}

# What a machine behind its own mirror, proxy or certificate authority needs to reach package registries.
copy_host_config() {
  local source
  for source in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/auth.conf.d \
    /etc/pip.conf /usr/local/share/ca-certificates; do
    [[ -e $source ]] || continue
    mkdir -p "$root$(dirname "$source")"
    cp -a -T "$source" "$root$source"
  done
  # Certificates that the machine trusts already, for the time before ca-certificates is installed in the root.
  if [[ -f /etc/ssl/certs/ca-certificates.crt && ! -e $root/etc/ssl/certs/ca-certificates.crt ]]; then
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  fi
}

passed_variables() {
  local name
  printf '%s\n' HOME=/opt "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "TERM=${TERM:-dumb}" LANG=C.UTF-8
  ((host_config)) || return 0
  for name in http_proxy https_proxy no_proxy PIP_INDEX_URL PIP_DEFAULT_TIMEOUT; do
    [[ -z ${!name:-} ]] || printf '%s\n' "$name=${!name}"
  done
}

in_root() {
  local variables
  mapfile -t variables < <(passed_variables)
  env -i "${variables[@]}" chroot "$root" "$@"
}

# git refuses to clone a bundle over an older clone, so a kept root gets a new one.
clone_into_root() {
  local revision
  revision=$(git -C "$repo" rev-parse --short HEAD)
  say "cloning $revision into $clone"
  rm -rf "$root$clone"
  mkdir -p "$root$(dirname "$clone")"
  git -C "$repo" bundle create --quiet "$root/opt/lrtune.bundle" HEAD
  in_root git -c advice.detachedHead=false clone --quiet /opt/lrtune.bundle "$clone"
  rm "$root/opt/lrtune.bundle"
}

run_step() {
  local started=$SECONDS
  say "$1: starting"
  case $1 in
    setup)
      in_root "$clone/deploy/setup.sh"
      say "setup: once more, nothing is missing now"
      in_root "$clone/deploy/setup.sh" ;;
    quickstart) in_root env -C "$clone" deploy/quickstart.sh ;;
    test) in_root env -C "$clone" deploy/test.sh ;;
    shell) in_root env -C "$clone" bash -i ;;
  esac
  say "$1: done after $((SECONDS - started)) s"
}

# Runs in a mount and process namespace of its own: when it ends, however it ends, its mounts and processes are gone.
inside_namespace() {
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  if ((host_config)); then copy_host_config; fi
  clone_into_root
  local step
  for step in "${steps[@]}"; do run_step "$step"; done
}

remove_root() {
  if ((!keep)) && [[ -n $root ]]; then rm -rf --one-file-system "$root" "$log"; fi
}

root='' mirror='' host_config=0 keep=0 log='' steps=()
while (($# > 0)); do
  case $1 in
    --root) root=${2:?--root wants a folder} keep=1; shift ;;
    --mirror) mirror=${2:?--mirror wants a URL}; shift ;;
    --host-config) host_config=1 ;;
    --help | -h) usage; exit 0 ;;
    setup | quickstart | test | shell) steps+=("$1") ;;
    *)
      printf 'bare: error: unknown argument %s\n' "$1" >&2
      usage >&2
      exit 2 ;;
  esac
  shift
done
((${#steps[@]} > 0)) || steps=(setup quickstart test)

((EUID == 0)) || fail "debootstrap and chroot need root: run this script as root"
if [[ -n ${LRTUNE_BARE_ROOT:-} ]]; then
  root=$LRTUNE_BARE_ROOT
  inside_namespace
  exit
fi
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
((keep)) || root=$(mktemp -d)
root=$(realpath -m "$root")
trap remove_root EXIT
[[ $root != *[[:space:]]* ]] || fail "debootstrap cannot make a root at a path with a space: $root"
log="$root.debootstrap.log"
make_root
arguments=()
((!host_config)) || arguments+=(--host-config)
LRTUNE_BARE_ROOT=$root unshare --mount --pid --fork --kill-child "${BASH_SOURCE[0]}" "${arguments[@]}" "${steps[@]}"
say "all steps passed: ${steps[*]}"
