# Every target is explained by `make help`. CI runs `make check` and nothing else.
PY := .venv/bin/python
ARGS ?=
export UV_CUSTOM_COMPILE_COMMAND := make lock
LOCK := requirements-dev.txt
STAMP := .venv/$(shell (python3 --version; cat $(LOCK)) | sha256sum | cut -c1-16).stamp
# Deploy checks look at production-like settings: https, a long key, no demo.
DEPLOY := SITE_URL=https://portal.example.com SECRET_KEY=$$(python3 -c 'import secrets; print(secrets.token_hex(40))') \
  REDIS_URL=redis://localhost/0 EMAIL_URL=smtp://localhost:25 MAIL_FROM=portal@example.com \
  DATABASE_URL=postgresql://portal_web:x@127.0.0.1:1/portal PYTHONWARNINGS="ignore::RuntimeWarning"

.PHONY: help test check fix lint types arch migrations deploy cov lock env

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

env: $(STAMP) ## Make or renew .venv from the locked requirements

$(STAMP):
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Latchkey needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")'
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python cannot make environments: install its venv package (Debian: apt-get install python3-venv)."; exit 1; }
	python3 -m venv .venv
	$(PY) -m pip install -q --disable-pip-version-check uv==0.13.8 \
	  && VIRTUAL_ENV=$(CURDIR)/.venv .venv/bin/uv pip sync -q --require-hashes $(LOCK) \
	  || $(PY) -m pip install -q --disable-pip-version-check --require-hashes -r $(LOCK)
	@rm -f .venv/*.stamp && touch $@

test: env ## Run the tests against an own PostgreSQL and Valkey (ARGS="-k wall" narrows them)
	$(PY) -m pytest -n 2 $(ARGS)

check: lint types arch migrations deploy cov ## Exactly what CI runs

fix: env ## Format, and mend what can be mended by itself
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lint: env ## Formatting, lint rules and spelling
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/codespell -q 3 --skip "*.txt,*.svg,./.venv,./var" .

types: env ## mypy, strict, tests included
	.venv/bin/mypy .

arch: env ## Imports go one way
	.venv/bin/lint-imports

migrations: env ## No model change without its migration
	$(DEPLOY) $(PY) manage.py makemigrations --check --dry-run

deploy: env ## Django's checks under production settings, warnings are failures
	$(DEPLOY) $(PY) manage.py check --deploy --fail-level WARNING

cov: env ## The tests with branch coverage
	$(PY) -m pytest -n 2 --cov --cov-report=term --cov-fail-under=90 $(ARGS)

lock: env ## Renew the hash-locked requirements from the .in files
	for name in "" -demo -dev; do VIRTUAL_ENV=$(CURDIR)/.venv .venv/bin/uv pip compile -q --universal \
	  --python-version 3.11 --generate-hashes -o requirements$$name.txt requirements$$name.in || exit 1; done
