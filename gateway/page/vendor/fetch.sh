#!/usr/bin/env bash
# Fetches the libraries of the page again, as package-lock.json pins them, and puts them here with their licences. With
# `--check` it only compares: any difference ends it with 1. SHA256SUMS lists what was fetched.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp package.json package-lock.json .npmrc "$work"
(cd "$work" && npm ci --silent --omit=dev --ignore-scripts)

from="$work/node_modules" to="$work/new"
mkdir "$to"
cp "$from/markdown-it/dist/browser/markdown-it.esm.min.mjs" "$to/markdown-it.mjs"
cp "$from/dompurify/dist/purify.es.mjs" "$to/purify.mjs"
cp "$from/@highlightjs/cdn-assets/es/highlight.min.js" "$to/highlight.mjs"
# markdown-it's bundle holds these five.
for part in markdown-it linkify-it entities mdurl uc.micro punycode.js; do
  found=("$from/$part"/LICENSE*)
  cp "${found[0]}" "$to/LICENSE.$part"
done
cp "$from/dompurify/LICENSE" "$to/LICENSE.dompurify"
cp "$from/@highlightjs/cdn-assets/LICENSE" "$to/LICENSE.highlight.js"
(cd "$to" && sha256sum -- * >"$work/SHA256SUMS")

if [[ ${1:-} == --check ]]; then
  cmp "$work/SHA256SUMS" SHA256SUMS
  sha256sum --quiet --check SHA256SUMS
else
  cp "$to"/* .
  cp "$work/SHA256SUMS" .
fi
