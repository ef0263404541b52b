#!/usr/bin/env bash
# Sets up what tests/package builds and installs with, in an environment beside this file. PYTHON (python3) makes it.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [[ ! -e .venv-tools/.ready || tools.txt -nt .venv-tools/.ready ]]; then
  rm -rf .venv-tools
  "${PYTHON:-python3}" -m venv .venv-tools
  .venv-tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r ../../requirements/pip.txt
  .venv-tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r tools.txt
  touch .venv-tools/.ready
fi
