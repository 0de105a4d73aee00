# What CI runs is `make test`; what to try first is `make demo`.

CARGO ?= cargo
# All that stands at the top.
TOP = \..*|Cargo\.(toml|lock)|Makefile|LICENSE-.*|(CHANGELOG|README)\.md|bgp|evpn|bfd|fib|daemon|conformance|fuzz

.PHONY: help setup build demo test test-vm lint hotpaths bench

help:
	@echo "make demo    three sites over WireGuard on this machine: installs, builds, runs, cleans up"
	@echo "make test    lint, unit, property, rule, lab and fuzz tests, with counts at the end"
	@echo "make test-vm labs that need WireGuard in the kernel, in an emulated machine (root)"
	@echo "make build   target/release/rbgpd and rbgpctl"
	@echo "make setup   installs what the demo and the tests need (Debian, as root)"
	@echo "make lint    formatting, clippy and documentation"
	@echo "make bench   the daemon and its peers under the same load: time, CPU, memory, ratios (root)"

setup:
	@conformance/setup.sh

build:
	$(CARGO) build --release -p rbgpd

demo: setup
	$(CARGO) build --release -p rbgpd -p rbgpd-conformance --bin rbgpd --bin rbgpctl --bin rbgpd-demo
	target/release/rbgpd-demo

lint:
	@! git ls-files 2>/dev/null | cut -d/ -f1 | sort -u | grep -vxE '$(TOP)' || { echo "not one of the project's rooms"; exit 1; }
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

# For counting instructions: optimized, quick to build, in a folder of its own.
hotpaths:
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 CARGO_PROFILE_RELEASE_DEBUG=0 \
	  $(CARGO) build --release --locked -p rbgpd-conformance --bin hotpaths \
	  --target-dir $${CARGO_TARGET_DIR:-target}/hotpaths

test:
	@conformance/setup.sh --test
	@CARGO="$(CARGO)" .ci/test

# Kernels with WireGuard of their own run these labs without a machine; setup brings one for the others.
test-vm:
	@conformance/setup.sh --vm
	$(CARGO) build --locked -p rbgpd --bins
	RBGPD_TEST_VM=1 $(CARGO) test --locked -p rbgpd-conformance --test lab_kernel_wireguard --test lab_interfaces -- \
	  --nocapture --test-threads=1 in_the_kernel ipsec

bench:
	@conformance/setup.sh --bench
	$(CARGO) build --release -p rbgpd -p rbgpd-conformance --bin rbgpd --bin rbgpctl --bin rbgpd-bench
	target/release/rbgpd-bench $(BENCH)
