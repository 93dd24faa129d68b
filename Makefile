# What to type. Each target installs what it needs and is not there, and says so first.

SHELL := bash
build-packages := libaio-dev libisal-dev libssl-dev
test-packages := $(build-packages) libiscsi-bin qemu-utils qemu-block-extra sdparm sg3-utils tgt
bench-packages := $(build-packages) tgt valgrind
release := swift build --configuration release --product gemel

.PHONY: help run test bench planted fuzz soak install format docs
help:
	@echo "make run      a pair of controllers on this machine, until Ctrl-C (STATE, FILE)"
	@echo "make test     every test, and seeds of the simulator (SEEDS)"
	@echo "make bench    the benchmarks, side by side with tgt"
	@echo "make planted  the simulator against bugs planted on purpose (SEEDS)"
	@echo "make fuzz     every reader of bytes from outside, with libFuzzer (SECONDS_EACH, JOBS, TARGETS)"
	@echo "make soak     the simulator and the fuzz targets, until Ctrl-C (SEED, ROUNDS)"
	@echo "make install  the command, completions, man pages (PREFIX, DESTDIR)"
	@echo "make format   the source in its style"
	@echo "make docs     the documentation of every module"

FILE ?= targets/pair.yaml
STATE ?= .gemel
run:
	@.make/swift
	@.make/packages "building" $(build-packages)
	@$(release)
	@exec "$$(swift build --configuration release --show-bin-path)/gemel" up $(FILE) --state $(STATE)

test:
	@.make/swift
	@.make/packages "the tests" $(test-packages)
	@.make/test

bench:
	@.make/swift
	@.make/packages "the benchmarks" $(bench-packages)
	@$(release)
	@swift run --configuration release gemel-bench $(BENCH)

planted:
	@.make/swift
	@.make/packages "building" $(build-packages)
	@.make/planted

fuzz:
	@.make/swift
	@.make/packages "building" $(build-packages)
	@.make/fuzz

soak:
	@.make/swift
	@.make/packages "building" $(build-packages)
	@$(release)
	@.make/soak

install:
	@.make/swift
	@.make/packages "building" $(build-packages)
	@$(release)
	@.make/install

format:
	@.make/swift
	@swift format --in-place --recursive --parallel --configuration .swift-format Package.swift Sources Tests

docs:
	@.make/swift
	@.make/packages "building" $(build-packages)
	@.make/docs
