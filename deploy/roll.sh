#!/bin/sh
# Replaces the containers of a service by new ones, of the image that is there now, without losing a question: the new ones
# run before the old ones end, one after another, and each of these ends what it has begun. In the folder of
# docker-compose.yml: deploy/roll.sh gateway
set -eu
service=$1
old=$(docker compose ps --quiet "$service")
count=$(printf '%s\n' "$old" | grep -c .)
docker compose up --detach --no-deps --no-recreate --wait --scale "$service=$((2 * count))" "$service"
for container in $old; do
    docker stop "$container"
    docker rm "$container"
done
