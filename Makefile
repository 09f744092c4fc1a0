# make start   installs what is missing, builds, runs the proxy        (ARGS="--no-mitm --port 9000")
# make test    installs what is missing, runs every test
# make help    the rest

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help start build install uninstall test lint format dependencies test-dependencies clean loadtest \
	hudsucker-peer deb bench

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
ARGS ?=
BENCH ?= *
BASH_COMPLETION = $(DESTDIR)$(PREFIX)/share/bash-completion/completions/clawsec
ZSH_COMPLETION = $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_clawsec
FISH_COMPLETION = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/clawsec.fish
BINARY = $(or $(CARGO_TARGET_DIR),target)/release/clawsec

help:
	@echo 'make start [ARGS="..."]    install what is missing, build, run the proxy in the foreground'
	@echo 'make test                  install what is missing, run every test'
	@echo 'make build                 build $(BINARY)'
	@echo 'make install [PREFIX=...]  build, and copy binary, man pages and completions to $(PREFIX)'
	@echo 'make uninstall             remove it from there'
	@echo 'make deb                   build a Debian package (needs cargo-deb) in target/debian'
	@echo 'make bench [ARGS="..."]    measure the parts alone (BENCH=http: one of benches/; ARGS=--quick: roughly)'
	@echo 'make loadtest [ARGS="..."] measure beside the peers found here (PERF.md; ARGS=--list: the rows)'
	@echo 'make lint                  check format and lints, changing nothing'
	@echo 'make format                format the code'
	@echo 'make clean                 remove what was built and the clients that tests use'

start: build
	@exec '$(BINARY)' start $(ARGS)

build: dependencies
	$(CARGO) build --release --locked

# Copies what was built; builds first only if that is missing, so that `sudo make install` needs no Rust.
install:
	@test -x '$(BINARY)' || $(MAKE) build
	install -D -m 0755 '$(BINARY)' '$(DESTDIR)$(PREFIX)/bin/clawsec'
	'$(BINARY)' man '$(DESTDIR)$(PREFIX)/share/man/man1'
	install -d '$(dir $(BASH_COMPLETION))' '$(dir $(ZSH_COMPLETION))' '$(dir $(FISH_COMPLETION))'
	'$(BINARY)' completions bash > '$(BASH_COMPLETION)'
	'$(BINARY)' completions zsh > '$(ZSH_COMPLETION)'
	'$(BINARY)' completions fish > '$(FISH_COMPLETION)'

uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/clawsec' '$(BASH_COMPLETION)' '$(ZSH_COMPLETION)' '$(FISH_COMPLETION)'
	rm -f '$(DESTDIR)$(PREFIX)/share/man/man1/clawsec.1' '$(DESTDIR)$(PREFIX)'/share/man/man1/clawsec-*.1

# What clap knows is written out first, for the package's assets. Uses what was built.
deb: build
	install -d target/deb/completions
	'$(BINARY)' man target/deb/man
	'$(BINARY)' completions bash > target/deb/completions/clawsec
	'$(BINARY)' completions zsh > target/deb/completions/_clawsec
	'$(BINARY)' completions fish > target/deb/completions/clawsec.fish
	$(CARGO) deb --no-build

test: test-dependencies
	$(CARGO) test --locked

lint: dependencies
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

format:
	$(CARGO) fmt
	cd loadtest && $(CARGO) fmt

# By name, since the library's own tests know nothing of Criterion's arguments.
bench: dependencies
	$(CARGO) bench --locked --bench '$(BENCH)' -- $(ARGS)

# A crate of its own, with its own target folder. Results go to loadtest/results.
loadtest: build
	cd loadtest && PATH="$$PATH:$$PWD/hudsucker-peer/target/release" \
		$(CARGO) run --release --locked -- compare --clawsec '$(abspath $(BINARY))' $(ARGS)

# A peer that has to be built; `make loadtest` then finds it.
hudsucker-peer:
	cd loadtest/hudsucker-peer && $(CARGO) build --release --locked

dependencies:
	@scripts/install-deps.sh build

test-dependencies:
	@scripts/install-deps.sh build test
	@scripts/test-clients.sh

clean:
	$(CARGO) clean
	rm -rf loadtest/target loadtest/hudsucker-peer/target
	rm -rf .venv tests/clients/node_modules
