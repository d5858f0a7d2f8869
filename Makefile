# Every target is explained by `make help`. CI runs `make check` and nothing else.
PY := .venv/bin/python
ARGS ?=
export UV_CUSTOM_COMPILE_COMMAND := make lock
LOCK := requirements-dev.txt
stamp = .venv/$(shell (python3 --version; cat $(1)) | sha256sum | cut -c1-16).stamp
STAMP := $(call stamp,$(LOCK))
# The demo needs less than the tests; the tests' environment holds all of it, so it does for both.
DEMO_LOCK := requirements-demo.txt
DEMO_ENV := $(or $(wildcard $(STAMP)),$(call stamp,$(DEMO_LOCK)))
MINISTACK_LOCK := tests/awsaccess/sandbox/requirements-ministack.txt
UV := uv==0.13.8
PORT ?= 8000
# Deploy checks look at production-like settings: https, a long key, no demo.
DEPLOY := SITE_URL=https://portal.example.com SECRET_KEY=$$(python3 -c 'import secrets; print(secrets.token_hex(40))') \
  REDIS_URL=redis://localhost/0 EMAIL_URL=smtp://localhost:25 MAIL_FROM=portal@example.com \
  DATABASE_URL=postgresql://portal_web:x@127.0.0.1:1/portal PYTHONWARNINGS="ignore::RuntimeWarning"

.PHONY: papers pdfa help demo demo-reset messages bench browser ministack screenshots test check fix lint types arch migrations deploy cov lock env

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(DEMO_ENV) ## Run everything on this machine, with sample data and a simulated AWS (PORT=8000)
	@PORT=$(PORT) exec $(PY) -m portal.demo

demo-reset: $(DEMO_ENV) ## Forget the demo's data; the next `make demo` starts over
	@exec $(PY) -m portal.demo reset

env: $(STAMP) ## Make or renew .venv from the locked requirements

# $(1) environment, $(2) lock. One clear sentence for each thing that a fresh machine may lack.
define install
@command -v python3 >/dev/null || { echo "Latchkey needs Python 3.11 or newer: there is no python3."; exit 1; }
@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Latchkey needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")'
@python3 -c 'import ensurepip, ssl, venv' 2>/dev/null || { echo "This Python cannot make environments: install its venv package (Debian: apt-get install python3-venv)."; exit 1; }
@[ ! -L $(1) ] || { echo "$(1) is a link to an environment that other checkouts use, and it does not hold what $(2) locks: remove the link, or make it where it lies."; exit 1; }
@echo "Installing $(2) into $(1)."
python3 -m venv --clear $(1)
$(1)/bin/python -m pip install -q --disable-pip-version-check $(UV) \
  && VIRTUAL_ENV=$(CURDIR)/$(1) $(1)/bin/uv pip sync -q --require-hashes $(2) \
  || $(1)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $(2)
@rm -f $(1)/*.stamp && touch $@
endef

$(STAMP):
	$(call install,.venv,$(LOCK))

ifneq ($(DEMO_ENV),$(STAMP))
$(DEMO_ENV):
	$(call install,.venv,$(DEMO_LOCK))
endif

browser: ## Install Chromium for the browser tests, where this user may
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	    || { echo "The browser tests need Chromium: install it (Debian: apt-get install chromium)."; exit 1; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

ministack: $(if $(wildcard $(MINISTACK_LOCK)),var/ministack/made.stamp) ## A second simulated AWS, which judges ours, and the AWS CLI, in an environment of their own

var/ministack/made.stamp: $(MINISTACK_LOCK)
	$(call install,var/ministack,$(MINISTACK_LOCK))

bench: env ## Measure, each against its anchor in the same run (NAME=boot measures one, ARGS go to it)
	@failed=; for script in $(or $(NAME:%=bench/%.py),$(wildcard bench/*.py)); do $(PY) $$script $(ARGS) || failed="$$failed $$script"; done; \
	  test -z "$$failed" || { echo "Not measured:$$failed"; exit 1; }

screenshots: env ## Pictures of every page and mail, light, dark and phone, into docs/screenshots
	$(PY) -m pytest -q -p no:randomly tests/ux/pictures.py $(ARGS)

pdfa: env ## Have veraPDF judge signed papers of every profile (PDF/A-2a, PDF/UA-1); verapdf has to be on the PATH
	@command -v verapdf >/dev/null || { echo "Nothing was judged: install veraPDF (verapdf.org) and put verapdf on the PATH."; exit 1; }
	$(PY) -m pytest -q -p no:randomly tests/awsaccess/services/papers_for_archives.py $(ARGS)

test: env ## Run the tests against an own PostgreSQL and Valkey (ARGS="-k wall" narrows them)
	$(PY) -m pytest -n 2 $(ARGS)

check: lint types arch migrations deploy cov ## Exactly what CI runs

fix: env ## Format, and mend what can be mended by itself
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lint: env ## Formatting, lint rules and spelling
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/codespell

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

papers: env ## Write the tables of docs/security anew that the code decides
	REWRITE_PAPERS=true $(PY) -m pytest -q tests/security/test_asvs.py -k written_down

messages: env ## Renew the catalogues of words from the code, and say what has to be translated
	$(DEPLOY) $(PY) manage.py messages

lock: env ## Renew the hash-locked requirements from the .in files
	for name in "" -demo -dev; do VIRTUAL_ENV=$(CURDIR)/.venv .venv/bin/uv pip compile -q --universal \
	  --python-version 3.11 --generate-hashes -o requirements$$name.txt requirements$$name.in || exit 1; done
