# `make run` and `make test` do everything; the rest are their parts.
PYTHON ?= python3
# Another one holds another Python's packages: see .ci/pythons.
VENV := .venv
BIN = $(VENV)/bin
# A process that a test's time limit ended isn't replaced: xdist would run that test in it again and again.
PYTEST := $(BIN)/python -m pytest --max-worker-restart=0

.PHONY: run test check coverage install lock faults abuse abuse-long soak external external-all browser package bench load reference docs links translations up

run: $(VENV)/.run
	@exec $(BIN)/python -m bing_chat_gateway serve

# All but the long kinds of tests, and a sample of each of those. Four at once keep two cores busy, since tests wait half
# of the time; three with coverage, which costs time of its own. In the order of their names: files of few long tests
# would be last otherwise, alone.
SHORT := --dist loadfile --no-loadscope-reorder -m "(not faults and not abuse and not external and not browser and not package) or sample"

test: $(VENV)/.ready
	$(PYTEST) -n 4 $(SHORT) $(TEST_OPTIONS)
	@echo "left out, because they take minutes: make browser, make faults, make abuse, make soak, make external, make package"

# Real processes that are killed, frozen and cut off, with the upstream's ledger as the truth; and the state machine of all
# scripts for longer than `make test` has it.
faults: $(VENV)/.ready
	MACHINE_EXAMPLES=80 $(PYTEST) tests/faults tests/support/faults tests/wire/test_machine.py -n 2 --dist loadfile $(TEST_OPTIONS)

# What one client can do to the others, with the upstream's ledger as the measure of time.
abuse: $(VENV)/.ready
	$(PYTEST) tests/abuse -n 2 --dist loadfile $(TEST_OPTIONS)

# One client at its worst beside six others: `make abuse-long ABUSE_OPTIONS="--minutes 1"`.
abuse-long: $(VENV)/.ready
	$(BIN)/python -m tools.abuse $(ABUSE_OPTIONS)

soak: $(VENV)/.ready
	$(BIN)/python -m tools.soak $(SOAK_OPTIONS)

# Other people's programs; installs them first.
external: $(VENV)/.ready
	bash tests/external/setup.sh
	$(PYTEST) tests/external $(TEST_OPTIONS)

# All client programs at work, also those that not every run has, and records their results for `make reference`.
external-all: $(VENV)/.ready
	ALL_PROGRAMS=1 bash tests/external/setup.sh
	ALL_PROGRAMS=1 RECORD_RESULTS=1 $(PYTEST) tests/external -k programs $(TEST_OPTIONS)

# The package: built, installed from a registry in several ways, and run.
package: $(VENV)/.ready
	PYTHON=$(PYTHON) bash tests/package/setup.sh
	$(PYTEST) tests/package $(TEST_OPTIONS)

browser: $(VENV)/.ready
	bash tests/browser/setup.sh
	$(PYTEST) tests/browser -n 2 --dist loadfile $(TEST_OPTIONS)

check: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml

# docs/reference, from the code, and the table of client programs, from what `make external-all` recorded.
reference: $(VENV)/.ready
	$(BIN)/python -m tools.reference
	$(BIN)/python -m tools.client_programs

# The site in both languages, for the gateway to serve: gateway/docs/site.zip.
docs: $(VENV)/.ready
	$(BIN)/python -m tools.site

# Whether the addresses that the documents name answer; needs the internet.
links: $(VENV)/.ready
	$(BIN)/python -m sphinx --quiet --builder linkcheck docs docs/_build/links

# The catalogues of the Chinese site: new sentences are empty, changed ones fuzzy, until someone translates them.
translations: $(VENV)/.ready
	$(BIN)/python -c 'from pathlib import Path; from tools.site import extract_messages; extract_messages(Path("docs/_build/messages"))'
	$(BIN)/sphinx-intl update -p docs/_build/messages -d docs/locale -l zh_CN -w 0 --no-obsolete

# Branch coverage of what runs in production.
coverage: $(VENV)/.ready
	$(PYTEST) -n 3 $(SHORT) --cov --cov-report=term-missing --cov-fail-under=95 $(TEST_OPTIONS)

# The load kit; three minutes. The results stay in bench/results.
bench: $(VENV)/.ready
	$(BIN)/python -m bench --rest --output bench/results $(BENCH_OPTIONS) >/dev/null
	@cat bench/results/table.md

# Users of every kind before a running service; a page plots their response times meanwhile (LOAD_OPTIONS: locust's own).
HOST = http://127.0.0.1:5000

load: .venv-load/.ready
	@exec .venv-load/bin/python -m locust -f bench/scenario/locustfile.py --host $(HOST) --web-host 127.0.0.1 $(LOAD_OPTIONS)

.venv-load/.ready: requirements/load.txt requirements/pip.txt
	test -x .venv-load/bin/python || $(PYTHON) -m venv .venv-load
	.venv-load/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/pip.txt
	.venv-load/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/load.txt
	@touch $@

up:
	docker compose --profile demo up --build

install: $(VENV)/.ready

# Bytecode is left to the first start, which compiles only what it imports. pip shows how far it is.
PIP_OPTIONS := --disable-pip-version-check --no-compile --require-hashes
INSTALL := $(BIN)/python -m pip install $(PIP_OPTIONS)

# What runs; all else comes on top of it. Python's own way to bring pip into .venv takes as long as everything else.
$(VENV)/.run: requirements/run.txt requirements/pip.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed")'
	@echo "Installing what runs into $(VENV), once: half a minute, or longer over a slow line."
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(BIN)/python install $(PIP_OPTIONS) --quiet -r requirements/pip.txt 2>/dev/null || \
	  { $(BIN)/python -m ensurepip >/dev/null && $(INSTALL) --quiet -r requirements/pip.txt; }
	@$(INSTALL) -r requirements/run.txt
	@touch $@

$(VENV)/.ready: requirements/dev.txt $(VENV)/.run
	@echo "Installing what tests, checks and documents need into $(VENV), once: a minute or two."
	@$(INSTALL) -r requirements/dev.txt
	@touch $@

# Compile requirements/*.in, and those of other people's programs; needs uv.
lock:
	for part in $(addprefix requirements/,pip gateway worker run tracing docs dev load) \
	  $(basename $(wildcard tests/external/requirements/*.in bench/peers/requirements/*.in)); do \
	  uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-strip-extras \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	    $$part.in -o $$part.txt || exit 1; \
	done
