#!/usr/bin/env bash
# Asks a coordinator whether it lives or is ready, with nothing but bash: the containers' health check.
set -euo pipefail

usage() {
  cat <<'END'
usage: deploy/container/probe.sh [--help] [HOST [PORT [PATH]]]

Exit code 0 if GET PATH (/healthz unless said; /readyz for readiness) at HOST:PORT (127.0.0.1:9464) answers 200 within
5 seconds, else 1. What it answers is printed.
END
}

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
  usage
  exit 0
fi
host=${1:-127.0.0.1} port=${2:-9464} path=${3:-/healthz}

# Opening has no limit of its own: a server with too much to do lets it wait.
if [[ ${LRTUNE_PROBE:-} != limited ]]; then
  LRTUNE_PROBE=limited timeout 5 "$0" "$host" "$port" "$path" || exit 1
  exit 0
fi
exec 3<>"/dev/tcp/$host/$port"
printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$path" "$host" >&3
IFS= read -r -t 5 status <&3 || { printf 'no answer within 5 s\n' >&2; exit 1; }
while IFS= read -r -t 5 line <&3 && [[ ${line%$'\r'} ]]; do :; done
IFS= read -r -t 5 words <&3 || true
printf '%s\n' "${words:-${status%$'\r'}}"
[[ $status == 'HTTP/1.1 200 '* ]]
