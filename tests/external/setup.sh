#!/usr/bin/env bash
# Sets up the programs that tests/external runs, each in an environment of its own beside this file. What is there
# stays. PYTHON (python3) makes the environments; PYTHON27 names a Python 2.7, if it is not where it is looked for.
# With ALL_PROGRAMS=1 it sets up those too that not every run has (`make external-all`).
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${PYTHON:-python3}

has() { command -v "$1" >/dev/null; }

# Debian's packages for what is missing.
packages=()
has node || packages+=(nodejs)
has npm || packages+=(npm)
has chromium || packages+=(chromium)
if ((${#packages[@]})); then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# Whether an environment is there and newer than its list of packages.
ready() { [[ -e $1/.ready && ! $2 -nt $1/.ready ]]; }

python27() {
  local found
  for found in "${PYTHON27:-}" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python python2.7; do
    if [[ -n $found ]] && "$found" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null; then
      echo "$found"
      return
    fi
  done
  return 1
}

autobahn() {
  local found
  if ! found=$(python27); then
    echo "No Python 2.7: Autobahn's cases can't run. PYTHON27 may name one." >&2
    return
  fi
  rm -rf .venv-virtualenv .venv-autobahn
  "$python" -m venv .venv-virtualenv
  # The last virtualenv that can make an environment for Python 2.7; it brings the pip for it along.
  .venv-virtualenv/bin/pip install --quiet --disable-pip-version-check virtualenv==20.21.1
  .venv-virtualenv/bin/virtualenv --quiet --no-periodic-update --python "$found" .venv-autobahn
  .venv-autobahn/bin/pip install --quiet --disable-pip-version-check --no-python-version-warning -r requirements/autobahn.txt
  rm -rf .venv-virtualenv
  touch .venv-autobahn/.ready
}

# The pip that comes with Python can't tell a pin with an extra from none, and each environment would get one of its own.
newest_pip() {
  rm -rf .venv-pip
  "$python" -m venv .venv-pip
  .venv-pip/bin/pip install --quiet --disable-pip-version-check --require-hashes -r ../../requirements/pip.txt
  touch .venv-pip/.ready
}

# An environment from a list with hashes: .venv-NAME from requirements/NAME.txt. Bytecode is left to the first start.
environment() {
  rm -rf ".venv-$1"
  "$python" -m venv --without-pip ".venv-$1"
  .venv-pip/bin/pip --python ".venv-$1/bin/python" install --quiet --disable-pip-version-check --no-compile \
    --require-hashes -r "requirements/$1.txt"
  touch ".venv-$1/.ready"
}

packages_of_npm() {
  npm ci --silent
  touch node_modules/.ready
}

# A folder of npm/, whose programs are run by the Node in npm/node24. What its lock says, as by `npm ci`; but that fails
# where a package names optional ones for other systems that the registry lacks, as Qwen Code does.
program_of_npm() {
  npm install --prefix "npm/$1" --no-save --silent
  touch "npm/$1/node_modules/.ready"
}

ready .venv-autobahn requirements/autobahn.txt || autobahn
names=(schemathesis openai litellm llama transformers sse langchain llm pydantic-ai instructor anthropic chatlas)
folders=(node24 openai ai-sdk codex claude-code openai-agents anthropic)
if [[ ${ALL_PROGRAMS:-} == 1 ]]; then
  names+=(llama-index haystack smolagents autogen semantic-kernel strands agno)
  names+=(aider gptme)
  folders+=(langchain qwen-code opencode cline continue)
fi
ready .venv-pip ../../requirements/pip.txt || newest_pip
for name in "${names[@]}"; do
  ready ".venv-$name" "requirements/$name.txt" || environment "$name"
done
ready node_modules package-lock.json || packages_of_npm
for name in "${folders[@]}"; do
  ready "npm/$name/node_modules" "npm/$name/package-lock.json" || program_of_npm "$name"
done
# locust's users have an environment that `make load` makes.
make --quiet -C ../.. PYTHON="$python" .venv-load/.ready
