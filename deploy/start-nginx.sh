#!/bin/sh
# Starts nginx in a container. TRUSTED_PROXIES names the proxies in front of it, as addresses and networks with commas between
# them: behind these the client is the rightmost address in X-Forwarded-For that is not one of them. Without the setting
# nobody is believed, and the client is whoever connects.
set -euf
folder=${TMPDIR:-/tmp}/server.d
mkdir -p "$folder"
networks=$(printf '%s' "${TRUSTED_PROXIES:-}" | tr ',' ' ')
for network in $networks; do
    case $network in
        *[!0-9A-Fa-f.:/]*)
            echo "TRUSTED_PROXIES: $network is no address and no network" >&2
            exit 1
            ;;
    esac
    echo "set_real_ip_from $network;"
done >"$folder/trusted-proxies.conf"
if [ -s "$folder/trusted-proxies.conf" ]; then
    echo "real_ip_header X-Forwarded-For; real_ip_recursive on;" >>"$folder/trusted-proxies.conf"
fi
exec nginx "$@"
