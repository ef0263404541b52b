#!/bin/sh
# Makes a cluster of six servers that meet each other: form.sh PRIMARY PRIMARY PRIMARY REPLICA REPLICA REPLICA, by their names.
# It may run at any time, for it changes nothing that is done: slots go to a primary only if no node has them (one that has
# keys took their slots when it started), and only a node without slots becomes a replica, of the one it is paired with.
set -eu
seconds=60

at() { # NODE COMMAND…
    node=$1
    shift
    redis-cli -e -h "$node" "$@"
}

await() { # what is awaited, and a command that succeeds then
    awaited=$1
    shift
    until "$@"; do
        seconds=$((seconds - 1))
        [ "$seconds" -gt 0 ] || { echo "not within a minute: $awaited" >&2 && exit 1; }
        sleep 1
    done
}

knows_all() { # NODE COUNT
    [ "$(at "$1" cluster nodes | awk '$3 !~ /handshake|noaddr|fail/' | wc -l)" -ge "$2" ]
}

free_ranges() { # FIRST LAST, of slots
    at "$first" cluster nodes | awk -v low="$1" -v high="$2" '
        { for (field = 9; field <= NF; field++)
              if ($field ~ /^[0-9]/) {
                  count = split($field, range, "-")
                  for (slot = range[1] + 0; slot <= range[count] + 0; slot++) taken[slot]
              } }
        END { for (slot = low; slot <= high; slot++)
                  if (!(slot in taken)) {
                      for (last = slot; last < high && !((last + 1) in taken); last++);
                      print slot, last
                      slot = last
                  } }'
}

has_slots() { # NODE
    at "$1" cluster nodes | awk '$3 ~ /myself/ && NF > 8 { found = 1 } END { exit !found }'
}

is_replica() { # NODE
    at "$1" role | grep -qx slave
}

pair() { # NODE OTHER
    if ! is_replica "$1" && ! has_slots "$1"; then
        primary=$(at "$2" cluster nodes | awk '$3 ~ /myself/ { print ($3 ~ /master/ ? $1 : $4) }')
        at "$1" cluster replicate "$primary" >/dev/null
    fi
}

is_whole() {
    for member in $members; do
        at "$member" cluster info | tr -d '\r' | grep -qx cluster_state:ok || return 1
        at "$member" cluster info | tr -d '\r' | grep -qx cluster_slots_assigned:16384 || return 1
        ! is_replica "$member" || at "$member" role | grep -qx connected || return 1
    done
}

first=$1 members=$*
for member in $members; do
    await "$member knows all others" knows_all "$member" $#
done

low=0
for high in 5460 10922 16383; do
    free_ranges "$low" "$high" | while read -r start end; do
        at "$1" cluster addslotsrange "$start" "$end" >/dev/null
    done
    low=$((high + 1))
    shift
done

# shellcheck disable=SC2086 # names have no spaces
set -- $members
for number in 1 2 3; do
    pair "$4" "$1"
    pair "$1" "$4"
    shift
done
await "all nodes agree that each slot has a primary with a replica" is_whole
