.DEFAULT_GOAL := help
.PHONY: help demo demo-clean test test-matrix deny stack stack-status stack-restart stack-logs stack-down install bench fmt

# The version of cargo-deny that `make deny` installs.
CARGO_DENY ?= 0.20.2

# Where `make install` puts the binary.
PREFIX ?= $(HOME)/.local

# Bash counts seconds in a variable of the same name: only one that was given to make counts.
ifneq ($(filter command environment,$(firstword $(origin SECONDS))),)
demo_seconds := --seconds $(SECONDS)
endif

# $(call build,cargo's arguments,what comes out): says beforehand what takes long.
define build
@tests/servers/build-tools.sh
@if [ -e $(2) ]; then echo "building what has changed"; \
else echo "building tributary and all it stands on, once: some 24 minutes of one core, 12 to 15 on two; cargo shows how far it is"; fi
@started=$$(date +%s); cargo build $(1) && echo "built in $$(($$(date +%s) - started)) s"
endef

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## tweets through PostgreSQL's WAL into a lake, in one process; SECONDS=30 ends it
	$(call build,--bin tributary,target/debug/tributary)
	@target/debug/tributary demo $(demo_seconds)

demo-clean: ## forget what the demo wrote
	@if [ -x target/debug/tributary ]; then target/debug/tributary demo --clean; \
	elif [ -e data/demo ]; then echo "target/debug/tributary is not built, and it alone knows what it made: \`make demo\` builds it"; exit 1; \
	else echo "nothing to remove: there is no data/demo"; fi

test: ## format, lints, and every test on real servers
	@tests/run.sh

test-matrix: ## what depends on the servers, on PostgreSQL 14 to 18 and on Kafka 3.9 and 4
	@tests/servers/build-tools.sh
	@tests/matrix.sh

deny: ## licences, sources and double versions of the dependencies, by cargo-deny, which it installs
	@cargo deny --version >/dev/null 2>&1 || { echo "installing cargo-deny $(CARGO_DENY), once: some minutes"; cargo install --locked cargo-deny --version $(CARGO_DENY); }
	@cargo deny --workspace check bans licenses sources

stack: ## the services of docker-compose.yml without Docker: PostgreSQL, Kafka, MinIO and ours
	$(call build,--package tributary --package stack --bins,target/debug/stack)
	@target/debug/stack up

stack-status: ## what of the stack runs, and where
	@target/debug/stack status

stack-restart: ## stop and start one service: make stack-restart SERVICE=cdc
	@target/debug/stack restart $(SERVICE)

stack-logs: ## the end of a service's log: make stack-logs SERVICE=cdc
	@target/debug/stack logs $(SERVICE)

stack-down: ## stop what `make stack` started; its data stays under data/stack
	@target/debug/stack down

install: ## put what was built into ~/.local/bin, or into PREFIX/bin
	$(call build,--bin tributary,target/debug/tributary)
	@mkdir -p "$(PREFIX)/bin"
	@cp target/debug/tributary "$(PREFIX)/bin/.tributary.new"
	@strip "$(PREFIX)/bin/.tributary.new" 2>/dev/null || true
	@mv "$(PREFIX)/bin/.tributary.new" "$(PREFIX)/bin/tributary" && echo "installed $(PREFIX)/bin/tributary"
	@case ":$$PATH:" in *":$(PREFIX)/bin:"*) ;; \
	*) echo "$(PREFIX)/bin is not on the PATH; for this shell: export PATH=\"$(PREFIX)/bin:\$$PATH\"";; esac

bench: ## measure a release build: prints a table, writes bench/results
	@tests/servers/build-tools.sh
	@bench/run.sh

fmt: ## format the code
	@cargo fmt --all
