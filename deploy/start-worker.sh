#!/bin/sh
# Starts a worker in a container, with the rule of `make run`: real accounts if the folder of cookies, or the environment,
# has any, otherwise the emulator, if there is one (profile demo). After a reboot Docker starts containers in no particular order, so a
# worker without accounts gives the emulator some seconds to appear; then it waits for an export like any other worker.
set -eu
tries=10

has_accounts() {
    [ -z "${OPENAI_BASE_URL:-}" ] || return 0
    ! grep -qs '^[[:space:]]*base_url' "$COOKIES_DIR/accounts.toml" || return 0
    for file in "$COOKIES_DIR"/*; do
        case ${file##*/} in README.md | accounts.toml | '*') ;; *) return 0 ;; esac
    done
    return 1
}

while ! has_accounts && [ "$tries" -gt 0 ]; do
    if timeout 2 getent hosts emulator >/dev/null; then
        echo "no accounts in $COOKIES_DIR: this worker asks the emulator" >&2
        # A copy that only this worker can read, as it wants them.
        umask 077
        COOKIES_DIR=$(mktemp -d)
        cp "$(dirname "$0")"/demo-cookies/* "$COOKIES_DIR"
        export COOKIES_DIR
        export BING_CREATE_URL=http://emulator:8190/turing/conversation/create
        export BING_CHAT_URL=ws://emulator:8190/sydney/ChatHub
        export BING_IMAGE_URL=http://emulator:8190
        break
    fi
    tries=$((tries - 1))
    sleep 1
done
exec python -m worker
