#!/usr/bin/env bash
# Checks what deploy/ holds for services: systemd units, container files, Prometheus rules.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'END'
usage: deploy/check-deployment.sh [--help]

  units       systemd-analyze verify says nothing, and systemd-analyze security an exposure of at most 2.0 (coordinator)
              and 2.5 (worker)
  containers  shellcheck on what the Containerfile runs; what it copies is there
  rules       promtool check and test

Needs systemd and shellcheck (packages/debian-checks.txt). promtool is taken from PATH; where there is none, Debian's package
prometheus is unpacked into .cache and not installed, since it would start a server.
END
}

fail() {
  printf 'check-deployment: error: %s\n' "$*" >&2
  exit 1
}

case ${1:-} in
  --help | -h) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A unit is verified with a program that is there in place of its own, and a template as an instance.
check_unit() { # FILE EXPOSURE (in tenths)
  local unit=$1 exposure=$2 said
  local place="$work/${unit/@/@cpu}"
  sed -E 's#^(ExecStart=)/usr/local/bin/lrtune(-worker)? #\1/bin/true #' "$repo/deploy/systemd/$unit" >"$place"
  grep -q '^ExecStart=/bin/true ' "$place" || fail "$unit starts no /usr/local/bin/lrtune"
  # Of an unknown key it only speaks; its exit code is 0.
  said=$(systemd-analyze verify --man=no "$place" 2>&1) || fail "$unit: $said"
  [[ -z $said ]] || fail "$unit: $said"
  systemd-analyze security --offline=yes --threshold="$exposure" "$place" >"$work/security" ||
    { grep '✗' "$work/security" >&2; fail "$unit is exposed: $(tail -n 1 "$work/security")"; }
  printf '%s: verified; %s\n' "$unit" "$(sed -n 's/.*\(Overall exposure level.*: [0-9.]*\).*/\1/p' "$work/security")"
}

# Every variable that a unit uses is set in its example, and the other way round.
check_environment() { # UNIT EXAMPLE
  local used set
  used=$(sed -n '/^ExecStart=/p' "$repo/deploy/systemd/$1" | grep -oE 'LRTUNE_[A-Z]+' | sort -u)
  set=$(grep -oE '^LRTUNE_[A-Z]+' "$repo/deploy/systemd/$2" | sort -u)
  [[ $used == "$set" ]] || fail "$1 uses ${used//$'\n'/ }, $2 sets ${set//$'\n'/ }"
}

check_container() {
  local file="$repo/deploy/container/Containerfile" joined source
  # One instruction a line.
  joined=$(sed -e '/^#/d' -e ':again' -e '/\\$/{N;s/\\\n//;b again' -e '}' "$file")
  sed -n 's/^RUN //p' <<<"$joined" >"$work/runs"
  [[ -s $work/runs ]] || fail "the Containerfile runs nothing"
  { printf '#!/bin/sh\nset -e\n'; cat "$work/runs"; } >"$work/runs.sh"
  shellcheck "$work/runs.sh" || fail "what the Containerfile runs (see above)"
  while read -r source; do
    [[ -e $repo/$source ]] || fail "the Containerfile copies $source, which is not there"
  done < <(sed -n '/^COPY --from/d; s/^COPY \(.*\) [^ ]*$/\1/p' <<<"$joined" | tr ' ' '\n')
  grep -q '^USER lrtune$' "$file" || fail "the containers run as root"
  printf 'Containerfile: %d RUN lines checked\n' "$(wc -l <"$work/runs")"
}

find_promtool() {
  local cached="$repo/.cache/prometheus/usr/bin/promtool"
  if command -v promtool; then return; fi
  if [[ ! -x $cached ]]; then
    mkdir -p "$repo/.cache/prometheus"
    (cd "$work" && apt-get download prometheus >/dev/null 2>"$work/apt" </dev/null) ||
      fail "the package prometheus cannot be downloaded: $(tail -n 1 "$work/apt")"
    dpkg -x "$work"/prometheus_*.deb "$repo/.cache/prometheus"
  fi
  printf '%s\n' "$cached"
}

check_rules() {
  local promtool
  promtool=$(find_promtool)
  "$promtool" check rules "$repo/deploy/prometheus/lrtune.rules.yml"
  (cd "$repo/deploy/prometheus" && "$promtool" test rules lrtune.rules.test.yml)
}

check_unit lrtune-coordinator.service 20
check_unit lrtune-worker@.service 25
check_environment lrtune-coordinator.service coordinator.env.example
check_environment lrtune-worker@.service worker.env.example
check_container
check_rules
printf 'check-deployment: all is well\n'
