#!/usr/bin/env bash
# Sets up what tests/browser needs besides Chromium: axe-core, which finds what people with disabilities can't use.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if ! command -v npm >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
fi
if [[ ! -e node_modules/.ready || package-lock.json -nt node_modules/.ready ]]; then
  npm ci --silent
  touch node_modules/.ready
fi
