#!/usr/bin/env bash
# Carries out the README's steps for several machines, line by line as they stand there, with network namespaces as
# machines: the coordinator's, two with a worker each, and a person's, who has but the files that the README says to copy.
# It needs root and iproute2. Workers train with the synthetic trainer.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
programs=$(cd "${1:-$repo/build/dev}" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/lrtune-machines-XXXXXX")
prefix=lrtune$$
host=10.202.1.1
declare -A started=() # what runs, by the machine

clean_up() {
  local status=$? machine
  for machine in "${!started[@]}"; do kill "${started[$machine]}" 2>/dev/null || true; done
  wait
  for machine in switch head node1 node2; do ip netns delete "$prefix-$machine" 2>/dev/null || true; done
  if ((status == 0)); then rm -rf "$folder"; else printf 'failed; see %s\n' "$folder" >&2; fi
}
trap clean_up EXIT

add_machine() { # NAME NUMBER
  ip netns add "$prefix-$1"
  ip -n "$prefix-$1" link set lo up
  ip -n "$prefix-switch" link add "port$2" type veth peer name up0 netns "$prefix-$1"
  ip -n "$prefix-switch" link set "port$2" master switch up
  ip -n "$prefix-$1" address add "10.202.1.$2/24" dev up0
  ip -n "$prefix-$1" link set up0 up
  mkdir "$folder/$1"
}

# Becomes the command line, in the machine's folder: a relative path leads to its own files alone.
become() { # MACHINE COMMAND LINE
  cd "$folder/$1"
  export PATH="$folder/bin:$programs:$PATH"
  exec ip netns exec "$prefix-$1" bash -euc "$2"
}

on() { # MACHINE COMMAND LINE
  printf '%s$ %s\n' "$1" "$2"
  (become "$1" "$2")
}

in_background() { # MACHINE COMMAND LINE
  printf '%s$ %s &\n' "$1" "$2"
  : >"$folder/$1/program.log"
  (become "$1" "exec $2" >>"$folder/$1/program.log" 2>&1) &
  started[$1]=$!
}

until_log_has() { # MACHINE TEXT
  local log=$folder/$1/program.log
  timeout 60 grep -qm1 -F -- "$2" <(tail -n +1 -f --pid="${started[$1]}" "$log") && return 0
  printf 'no "%s" on %s:\n' "$2" "$1" >&2
  cat "$log" >&2
  return 1
}

ip netns add "$prefix-switch"
ip -n "$prefix-switch" link add switch type bridge
ip -n "$prefix-switch" link set switch up
add_machine head 1
add_machine node1 2
add_machine node2 3

mkdir "$folder/bin"
cat >"$folder/bin/lrtune-worker" <<END
#!/bin/sh
exec "$programs/lrtune-worker" "\$@" --trainer synthetic:iteration_us=2000
END
chmod +x "$folder/bin/lrtune-worker"
cat >"$folder/head/mine.yaml" <<'END'
name: mine
train: {dataset: {name: mnist}, model: lenet, optimizer: {name: momentum, momentum: 0.9}, batch: 100}
run: {iterations: 200, evaluate: {every: 50}}
search:
  method: random
  count: 12
  policies: [{function: [tri, sin, cos], k0: 0.01, k1: {log: [0.02, 0.2]}, l: 50}]
verify: {top: 2, repeats: 3}
END

# The commands of the README, in its order, with the address filled in and without what stands behind '#'.
steps=$(awk '/^## Several machines/ { in_part = 1 } in_part && /^```/ { if (fence++) exit; next } fence { print }' \
  "$repo/README.md" | sed -e "s/HOST/$host/g" -e 's/ *#.*//')
[[ -n $steps ]] || { printf 'the README has no steps for several machines\n' >&2; exit 1; }
person=""
while IFS= read -r step; do
  case $step in
    "lrtune keygen "*)
      on head "$step"
      on head "${step##*&& }" >/dev/null 2>&1 && { printf 'a key was made twice\n' >&2; exit 1; }
      on head "$(sed 's/.*&& //; s/node1/node2/' <<<"$step")" # the second machine, in the same way
      for node in node1 node2; do cp -r "$folder/head/keys/workers/$node" "$folder/$node/$node"; done ;;
    "lrtune coordinator "*)
      in_background head "$step"
      until_log_has head event=listening ;;
    "lrtune-worker "*)
      in_background node1 "$step"
      in_background node2 "${step//node1/node2}"
      until_log_has node1 event=welcome
      until_log_has node2 event=welcome ;;
    "export "*) person+="$step; " ;;
    "lrtune submit "*) on head "$person$step" | tee "$folder/result.txt" ;;
    *) printf 'the README has a step that is not known here: %s\n' "$step" >&2; exit 1 ;;
  esac
done <<<"$steps"

grep -q '(mine): done, 18 of 18 trials ended' "$folder/result.txt"
for node in node1 node2; do
  grep -q 'event=finished' "$folder/$node/program.log" || { printf '%s trained nothing\n' "$node" >&2; exit 1; }
done
on head "${person}lrtune workers list"
for machine in node1 node2 head; do
  kill -TERM "${started[$machine]}"
  wait "${started[$machine]}"
  unset "started[$machine]"
done
on head "lrtune store check"
printf 'the steps of the README for several machines work\n'
