# SPDX-License-Identifier: BSD-2-Clause
# The front door. Meson and Ninja do the work, in ./build and ./build-asan.
# Quoted throughout: the tree may live in a directory with a space in its name.

PREFIX ?= /usr/local
# Meson and the tests use the system's Python, whatever else PATH offers.
PYTHON = /usr/bin/python3
JOBS ?= $(shell nproc)
export PREFIX PYTHON JOBS

.DEFAULT_GOAL := build
.PHONY: build demo test test-asan asan bench bench-links bench-run performance-page instructions instructions-accept check-layers check-symbols format format-check lint analyze install uninstall clean help \
	tools tools-test tools-lint tools-attack tools-programs tools-fuzz tools-bench test-programs fuzz fuzz-afl fuzz-merge fuzz-coverage msan test-kernel soak hostile-soak faults attack abi reproducible

build: build/build.ninja ## build everything into ./build
	@ninja -C build -j $(JOBS)

build/build.ninja: | tools
	@meson setup build --prefix "$(PREFIX)"

build-asan/build.ninja: | tools
	@meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false

tools: ## install what the build needs, where it is missing
	@tools/setup build

tools-test:
	@tools/setup build test

tools-programs:
	@tools/setup build test programs

tools-fuzz:
	@tools/setup build fuzz

tools-attack:
	@tools/setup build test attack

tools-lint:
	@tools/setup build lint

demo: tools-test build ## real programs talk over Berth: a minute's tour
	@demo/demo.sh build

test: tools-test build ## every test, then every test again under ASan and UBSan
	@tools/run-tests build; plain=$$?; $(MAKE) --no-print-directory test-asan; sanitized=$$?; \
		tools/run-tests --total build build-asan; [ $$plain -eq 0 ] && [ $$sanitized -eq 0 ]

test-asan: tools-test build-asan/build.ninja ## every test under AddressSanitizer and UBSan (fewer worlds)
	@ninja -C build-asan -j $(JOBS)
	@tools/run-tests --sanitized build-asan

asan: test-asan

test-programs: tools-programs build ## thirty real programs and CPython's network tests, by wire and by express (half an hour)
	@tools/test-programs --results build/programs.json; result=$$?; tools/compatibility-page build/programs.json; exit $$result

test-kernel: tools-test build ## our TCP and Linux's with every option on and off, all cases (root; 3 minutes)
	@BUILD="$(CURDIR)/build" MATRIX=full tests/e2e/kernel_options.t

build-release/build.ninja: | tools
	@meson setup build-release --buildtype release

# Without what can't be installed, lines are left out, each with its reason.
tools-bench: tools
	-@tools/setup bench

bench: tools-bench build-release/build.ninja ## Berth beside the kernel, lwIP, slirp4netns, pasta (PARTS="bulk redis"; 10 minutes)
	@ninja -C build-release -j $(JOBS) --quiet
	@bench/bench --build build-release --json "$(or $(JSON),build-release/bench.json)" --plots build-release/plots $(PARTS)

bench-run: PARTS = programs
bench-run: bench ## the part of it that is programs under berth run

bench-links: PARTS = links
bench-links: bench ## the part of it that is emulated links, beside the kernel's netem (root for that)

performance-page: ## docs/performance.md and its plots, from build-release/bench.json
	@tools/performance-page build-release/bench.json

instructions: tools-test build ## the hot paths beside their budgets of instructions (valgrind; 5 seconds)
	@tools/instructions build

instructions-accept: tools-test build ## what the hot paths take now becomes their budget
	@tools/instructions --accept build

fuzz: tools-fuzz ## every fuzz target for FUZZ_SECONDS (60) each, under ASan and UBSan (needs clang)
	@tests/fuzz/run

soak: tools-test build ## 24 hosts, 10,000 conversations, links that flap: every byte is hashed (8 hours; MINUTES=480 SEED=n)
	@BUILD="$(CURDIR)/build" MINUTES="$(or $(MINUTES),480)" tests/e2e/soak.t

hostile-soak: tools-test build ## random system calls for an hour (MINUTES=60 SEED=n): nobody else notices, nothing leaks
	@BUILD="$(CURDIR)/build" MINUTES="$(or $(MINUTES),60)" tests/e2e/hostile_soak.t

faults: tools-test build ## a fault at every step of every part (EVERY=n: every nth, SEED=n; half an hour)
	@BUILD="$(CURDIR)/build" EVERY="$(or $(EVERY),1)" tests/e2e/fault_steps.t

attack: tools-attack build ## hostile frames, hping3's floods and nmap at a stack on a TAP (root; SECONDS_EACH=20 SEED=n; 5 minutes)
	@BUILD="$(CURDIR)/build" SECONDS_EACH="$(or $(SECONDS_EACH),20)" SEED="$(SEED)" FLOOD=1 NMAP=1 tests/e2e/attack.t

fuzz-afl: tools-fuzz ## the same with AFL++ (Debian's afl++); what it finds is run under the sanitizers, too
	@tests/fuzz/afl

fuzz-merge: tools-fuzz ## add to the corpora what fuzzers found and nothing there reaches yet
	@tests/fuzz/merge

fuzz-coverage: tools-fuzz ## branches of the parsers and of TCP input that seeds and tests take; fails below 95 % (1 minute)
	@tests/fuzz/coverage

msan: tools-fuzz ## the stack's tests under clang's MemorySanitizer (2 minutes)
	@tools/msan

check-layers: ## a folder includes only what tools/layers.txt allows
	@tools/check-layers

abi: tools-test build ## programs linked with the last release's libberth work with this one (BASE=REVISION: with that one's)
	@tools/abi $(BASE)

reproducible: tools-test build ## the same source gives the same bytes: build once more, elsewhere, and compare (30 seconds)
	@tools/reproducible build

check-symbols: build ## libberth exports berth_* only and needs libc only
	@tools/check-symbols build/lib/libberth.so

format: tools-lint ## clang-format over all C files
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

format-check: tools-lint
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format --dry-run --Werror

# With the commands as clang takes them: without what GCC alone knows.
lint: tools-lint build/build.ninja ## clang-tidy over all C files (.clang-tidy says what and why)
	@mkdir -p build/lint; sed 's/-mmem[a-z]*-strategy=[^" ]*//g' build/compile_commands.json >build/lint/compile_commands.json
	@git ls-files -z 'src/*.c' 'examples/*.c' | xargs -0 -P $(JOBS) -n 8 clang-tidy --quiet -p build/lint

# clang-tidy has its exceptions in .clang-tidy, the others theirs in tools/analyze.accepted.
analyze: tools-lint build ## cppcheck, gcc -fanalyzer and clang-tidy; any finding fails (8 minutes)
	@tools/analyze --jobs $(JOBS) build
	@$(MAKE) --no-print-directory lint

install: build ## install into PREFIX (DESTDIR is respected)
	@meson install -C build --no-rebuild

uninstall:
	@ninja -C build uninstall

clean: ## remove what was built
	@rm -rf build build-asan build-release build-fuzz build-afl build-coverage build-msan

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | awk -F@ '{ printf "%-22s %s\n", $$1, $$2 }'
