# The one door for commands. Each target sets up what it needs.
PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
BIN := .venv/bin

.PHONY: demo test check bench soak lock

demo: .venv/demo ## the demo server, with a page in the browser
	@echo "Greenroom's demos: http://$(HOST):$(PORT)/"
	@exec $(BIN)/python -m transport serve apps.server:app --host $(HOST) --port $(PORT)

test: .venv/dev ## all tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check: .venv/dev ## format, lint and types
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright

bench: .venv/bench ## all benchmarks beside the peers, the chart, and the README's table: 20 minutes
	$(BIN)/python -m benchmarks.suite

soak: .venv/dev ## two minutes under each of uvicorn's WebSocket protocols; see benchmarks/soak
	for ws in websockets-sansio wsproto transport.fast:WebSocketProtocol; do $(BIN)/python -m benchmarks.soak --ws $$ws || exit 1; done

.venv/bin/python:
	$(PYTHON) -m venv .venv
.venv/demo: requirements.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt && touch $@
.venv/dev: requirements-dev.txt pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . && touch $@ .venv/demo
.venv/bench: requirements-bench.txt .venv/dev
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt && touch $@

lock: ## pin what pyproject.toml names (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --extra server -o requirements.txt pyproject.toml
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --extra bench -c requirements-dev.txt -o requirements-bench.txt pyproject.toml
