# The conveniences, one word each; everything happens in build/.
#
#   make verify     proves on this machine that map operations of a Go program do no file I/O
#   make test       every test this machine can run, sanitizers on, on a few Go releases
#
# Both prepare the machine first (tools/setup) and need nothing but a Debian 12 or Ubuntu
# 24.04, as root or with sudo. Further: test-all build release bench format lint fuzz install clean.

# The Go release that `make verify` builds its program with: 1.17.13, 1.27.4, ... or the one
# that is installed. TIME is what `make fuzz` gives each target, in seconds; TARGETS are which, by
# name (census_fuzz wire_fuzz; nothing: all).
GO ?= installed
TIME ?= 60
TARGETS ?=
SOURCES := $(shell find userspace tests bpf benchmarks -name '*.h' -o -name '*.cpp' -o -name '*.c')
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

verify: release
	@tools/build-workloads --go $(GO) --mode plain quiet
	@$(AS_ROOT) build/release/userspace/mapscope verify -- build/workloads/$(GO)/plain/quiet

# A test of live programs on a machine that others use may find its moment gone: it gets a second try. Many
# wait for something, so that there are more at once than there are processors.
CTEST_ALL = ctest --preset all --parallel $$(($$(nproc) + 2)) --repeat until-pass:2
test: setup-test
	@$(MAKE) --no-print-directory -j2 build go-programs
	@$(CTEST_ALL)

# With every release of tools/go-releases.txt and every build mode.
test-all: setup-test
	@cmake --preset dev -D MAPSCOPE_ALL_RELEASES=ON --log-level=WARNING
	@cmake --build --preset dev
	@tools/build-workloads || [ $$? -eq 77 ]
	@MAPSCOPE_PASSES=10 $(CTEST_ALL)

# Unit tests look at them too; `make test` has them fetched while the compiler is busy. A Go release that can't
# be fetched is not there: its tests say so.
go-programs: setup-test
	@tools/build-workloads --quick || [ $$? -eq 77 ]

build: setup-test
	@cmake --preset dev --log-level=WARNING
	@cmake --build --preset dev

release: setup
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release

bench: setup-test
	@cmake --preset bench --log-level=WARNING
	@cmake --build --preset bench
	@for benchmark in $$(find build/bench/benchmarks -name '*_benchmark' -type f); do $$benchmark; done

# What it finds stays in build/fuzz/findings.
fuzz: setup-test
	@cmake --preset fuzz --log-level=WARNING
	@cmake --build --preset fuzz --target tests/fuzz/all
	@tools/run-fuzzers $(TIME) $(TARGETS)

# Each Go release in each build mode, and programs of others; takes hours, and goes on where it was when it was
# ended. What it finds goes to docs/support.md.
matrix: setup-test release
	@$(AS_ROOT) tools/go-matrix; status=$$?; $(MAKE) --no-print-directory programs && tools/support-table && exit $$status

# Programs that others built, from the registries of packages; takes half an hour. It makes docs/support.md.
programs: setup-programs release
	@$(AS_ROOT) tools/real-programs

# On another architecture, which is emulated: takes hours. What it finds goes to docs/support.md.
arm64: setup-arm64 release
	@tools/arm64/root
	@cmake --preset arm64 --log-level=WARNING
	@cmake --build --preset arm64
	@$(AS_ROOT) tools/arm64/run; status=$$?; tools/support-table && exit $$status

# Faults for so many minutes; SEED=N has the same happen again.
soak: setup-test go-programs
	@cmake --preset dev --log-level=WARNING
	@cmake --build --preset dev --target mapscope
	@$(AS_ROOT) env MAPSCOPE=$(CURDIR)/build/dev/userspace/mapscope tests/soak/soak.py --minutes $(if $(filter file,$(origin TIME)),30,$(TIME)) \
	    $(if $(SEED),--seed $(SEED)) --directory build/soak/$(if $(SEED),$(SEED),last)

# The configuration that is shipped, with every illness of maps and with healthy programs: an hour and a half, 12 GiB.
shipped-rules: setup-test release
	@cmake --preset dev --log-level=WARNING
	@cmake --build --preset dev --target every_bpf_map
	@tools/build-workloads --go $$(tail -1 tools/go-releases.txt | cut -d' ' -f1) --mode plain sick quiet
	@$(AS_ROOT) env MAPSCOPE=$(CURDIR)/build/release/userspace/mapscope MAPSCOPE_EVERY_BPF_MAP=$(CURDIR)/build/dev/tests/every_bpf_map \
	    tests/soak/shipped_rules.py

format:
	@clang-format-19 -i $(SOURCES)

# Each file by itself, which the tests' build may see together with others.
lint: setup-test
	@cmake --preset dev -B build/lint -D MAPSCOPE_JOIN_SOURCES=OFF -D MAPSCOPE_PRECOMPILE_HEADERS=OFF --log-level=WARNING
	@cmake --build build/lint
	@clang-format-19 --dry-run -Werror $(SOURCES)
	@run-clang-tidy-19 -quiet -p build/lint '$(CURDIR)/(userspace|tests)/.*'

install: release
	@$(AS_ROOT) cmake --install build/release

# Each kernel of Debian in a virtual machine, and this one; emulated, so it takes long. What it finds goes to docs/support.md.
kernels: setup-kernels
	@cmake --preset kernels --log-level=WARNING
	@cmake --build --preset kernels --target mapscope tests/bpf/all every_bpf_map
	@for version in 1.22.12 1.27.4; do tools/build-workloads --go $$version || exit; done
	@$(AS_ROOT) tools/kernels/matrix; status=$$?; tools/support-table && exit $$status

clean:
	@rm -rf build

setup:
	@tools/setup

setup-test:
	@tools/setup test

setup-programs:
	@tools/setup programs

setup-kernels:
	@tools/setup kernels

setup-arm64:
	@tools/setup arm64

.PHONY: arm64 setup-arm64 kernels setup-kernels verify test test-all go-programs build release bench soak fuzz format lint install clean matrix programs shipped-rules setup setup-programs setup-test
ifneq ($(MAKECMDGOALS),build go-programs) # which `make test` wants together
.NOTPARALLEL:
endif
