#!/bin/sh
# Starts a Redis server in a container: start-redis.sh NAME, in the folder of its data. REDIS_URL says what it is: a server
# under Sentinel, a node of a cluster, or, with any other address, the only one, which is named redis.
set -eu
name=$1
etc=$(dirname "$0")
case ${REDIS_URL:-} in
    redis+sentinel://*) shape=sentinel ;;
    redis+cluster://*) shape=cluster ;;
    *)
        if [ "$name" != redis ]; then
            echo "$name needs REDIS_URL=redis+sentinel://… or redis+cluster://… in .env: docs/guides/fail-over.md" >&2
            exit 1
        fi
        # Which one it followed under Sentinel, if ever, doesn't count any more.
        rm -f sentinel.conf
        exec redis-server "$etc/redis.conf"
        ;;
esac

# The only one's data stay where they are when it becomes the first of several.
folder=$PWD
[ "$name" = redis ] || folder=$PWD/$shape
mkdir -p "$folder"
own=$folder/$shape.conf
# At first all servers under Sentinel follow redis; later each follows the one that Sentinel writes into this file.
follows=
if [ -e "$own" ]; then
    follows=$(grep '^replicaof ' "$own" || true)
elif [ "$shape" = sentinel ] && [ "$name" != redis ]; then
    follows="replicaof redis 6379"
fi
# All else is taken from the files anew with each start.
{
    cat "$etc/redis.conf" "$etc/$shape/redis.conf"
    echo "dir $folder"
    [ "$shape" = cluster ] || echo "replica-announce-ip $name"
    echo "$follows"
} >"$own.new"
mv "$own.new" "$own"

# A node of a cluster knows the others by their addresses, and Docker may give these to others while they are down. So it
# meets all that REDIS_URL names, with each start; those that start later meet it.
meet_others() {
    until redis-cli ping | grep -qx PONG; do sleep 1; done
    hosts=${REDIS_URL#*://}
    for host in $(printf '%s' "${hosts%%[/?]*}" | tr ',' ' '); do
        host=${host%:*}
        address=$(getent hosts "$host" | cut -d ' ' -f 1)
        [ "$host" = "$name" ] || [ -z "$address" ] || redis-cli cluster meet "$address" 6379
    done
}
[ "$shape" = sentinel ] || meet_others >/dev/null 2>&1 &
exec redis-server "$own"
