# The project's commands; each is a script in scripts/. Needed: a Debian-like Linux and Rust with cargo.

.DEFAULT_GOAL := help
.PHONY: help demo stop test bench check install clean

help: ## lists these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: ## builds, starts a private server, audits real advisories, tampers, shows what is found
	@scripts/demo

stop: ## stops the demo's server
	@scripts/demo stop

test: ## builds and runs all tests; STAGE=regress (release, core, pgrx, docs, isolation, load, budget) runs one stage
	@scripts/test $(STAGE)

bench: ## builds with optimisation and runs the benchmarks side by side
	@scripts/bench

check: ## formatting, lints, dependencies, documentation and spelling, warnings denied
	@scripts/check

install: ## installs into the system's PostgreSQL (through sudo), for use in your own databases
	@scripts/install-system

clean: ## stops this checkout's private servers and removes them and what was built
	@scripts/clean
