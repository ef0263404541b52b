#!/bin/sh
# Starts a sentinel in a container: start-sentinel.sh NAME, in a folder where it keeps its copy of sentinel.conf. It writes
# what it learns into that, so that it knows with each start who the primary is.
set -eu
own=$PWD/sentinel.conf
if [ ! -e "$own" ]; then
    {
        cat "$(dirname "$0")/sentinel/sentinel.conf"
        echo "sentinel announce-ip $1"
    } >"$own.new"
    mv "$own.new" "$own"
fi
exec redis-server "$own" --sentinel
