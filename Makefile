# peerd - one makefile for the whole tree.
#
# A floor is a folder with a static library; it may use only the floors below
# it (docs/architecture.md). The linker proves that: a unit test of a floor is
# linked with its own library and the lower ones, nothing else.
#
#   make                 build/bin/{peerd,peerd-worker,peerctl}
#   make deps            install the Debian packages (root, or through sudo)
#   make demo            two throwaway clusters, a mirror between them, live
#   make demo-clickhouse the same with ClickHouse as the destination
#   make demo-kafka      the same with Kafka, its topics being read with kcat
#   make test            build with sanitizers, run unit, end-to-end and short fault tests
#   make fault bench fuzz lint format headers install
#
#   BUILD=dir   another build directory       SAN=1   with ASan and UBSan

BUILD	?= build
CC	?= cc
PREFIX	?= /usr
DESTDIR	?=
V	?= 0
Q	:= $(if $(filter 1,$(V)),,@)

VERSION := $(shell cat VERSION)
PKGS	:= libpq libevent libevent_openssl libcurl liblz4 libzstd zlib libcjson libprotobuf-c openssl sqlite3 libsystemd
PG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)

WARN	:= -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes \
	   -Wmissing-prototypes -Wwrite-strings -Wvla -Wno-unused-parameter
CFLAGS	?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(WARN) -fno-common -fstack-protector-strong \
	   -D_GNU_SOURCE -DPEERD_VERSION='"$(VERSION)"' -I. -I$(BUILD)/gen $(PG_CFLAGS)
BAN	:= -include lib/base/ban.h
LDFLAGS	?=
ifeq ($(SAN),1)
ALL_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS	+= -fsanitize=address,undefined
endif

# ---- floors, lowest first; LIBS_<floor> is the link line of a floor and all below it

FLOORS	:= base wire types conn ipc sink catalog control workers
DIR_base := lib/base
DIR_wire := lib/wire
DIR_types := lib/types
DIR_conn := lib/conn
DIR_ipc	:= lib/ipc
DIR_sink := lib/sink
DIR_catalog := catalog
DIR_control := lib/control
DIR_workers := workers

BELOW_base :=
BELOW_wire := base
BELOW_types := wire base
BELOW_conn := types wire base
BELOW_ipc := types wire base
BELOW_sink := conn types wire base
BELOW_catalog := types wire base
BELOW_control := catalog ipc types wire base
BELOW_workers := sink conn ipc types wire base

SYS_base := -levent -lcrypto -lm
SYS_wire := -lprotobuf-c -lcjson $(SYS_base)
SYS_types := $(SYS_wire)
SYS_conn := -lpq -lcurl -llz4 -lzstd -lz -lrdkafka -lcrypto -lpthread $(SYS_types)
SYS_ipc	:= $(SYS_types)
SYS_sink := $(SYS_conn)
SYS_catalog := -lsqlite3 $(SYS_types)
SYS_control := -levent_openssl -lssl $(SYS_catalog)
SYS_workers := $(SYS_sink)

PROTOS	:= peers flow route worker
GEN_SRC	:= $(PROTOS:%=$(BUILD)/gen/protos/%.pb-c.c) $(BUILD)/gen/google/protobuf/timestamp.pb-c.c
GEN_HDR	:= $(GEN_SRC:.c=.h)
GEN_OBJ	:= $(GEN_SRC:.c=.o)

srcs	= $(wildcard $(DIR_$(1))/*.c $(DIR_$(1))/*/*.c)
objs	= $(patsubst %.c,$(BUILD)/%.o,$(1))
lib	= $(BUILD)/lib/lib$(1).a
libs	= $(call lib,$(1)) $(foreach b,$(BELOW_$(1)),$(call lib,$(b)))

BINS	:= $(BUILD)/bin/peerd $(BUILD)/bin/peerd-worker $(BUILD)/bin/peerctl

.PHONY: all deps demo demo-clickhouse demo-kafka test unit bench fault fuzz lint format headers install clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BINS)

# ---- generated protobuf code

# every .pb-c.h must exist before the first compile; dependency files take over after that
$(BUILD)/gen/protos/%.pb-c.c $(BUILD)/gen/protos/%.pb-c.h &: protos/%.proto $(wildcard protos/*.proto)
	@mkdir -p $(BUILD)/gen
	@echo "  PROTO   $<"
	$(Q)protoc-c --proto_path=. --c_out=$(BUILD)/gen $<

$(BUILD)/gen/google/protobuf/timestamp.pb-c.c $(BUILD)/gen/google/protobuf/timestamp.pb-c.h &:
	@mkdir -p $(BUILD)/gen
	@echo "  PROTO   google/protobuf/timestamp.proto"
	$(Q)protoc-c --proto_path=/usr/include --c_out=$(BUILD)/gen google/protobuf/timestamp.proto

# ---- objects and libraries

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c | $(GEN_HDR)
	@echo "  CC      $*.c"
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-strict-prototypes -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.c | $(GEN_HDR)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(ALL_CFLAGS) $(BAN) -MMD -MP -c -o $@ $<

define floor_rule
$(call lib,$(1)): $(call objs,$(call srcs,$(1))) $(if $(filter wire,$(1)),$(GEN_OBJ))
	@mkdir -p $$(@D)
	@echo "  AR      lib$(1).a"
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach f,$(FLOORS),$(eval $(call floor_rule,$(f))))

# ---- programs

$(BUILD)/bin/peerd: $(call objs,$(wildcard cmd/peerd/*.c)) $(call libs,control)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lsystemd $(SYS_control)

$(BUILD)/bin/peerd-worker: $(call objs,$(wildcard cmd/peerd-worker/*.c)) $(call libs,workers)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(SYS_workers)

$(BUILD)/bin/peerctl: $(call objs,$(wildcard cmd/peerctl/*.c)) $(call libs,types)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcurl $(SYS_types)

# ---- tests

CHECK_LIBS := -lcheck -lsubunit -lm -lrt -lpthread
HARNESS_OBJ := $(call objs,$(wildcard tests/harness/*.c))

# what the unit tests of a floor need beyond the floor's own libraries
TEST_control := -lcurl
TEST_conn := -lssl

unit_srcs = $(wildcard tests/unit/$(1)/test_*.c)
unit_bins = $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(call unit_srcs,$(1)))
define unit_rule
$(BUILD)/tests/unit/$(1)/test_%: $(BUILD)/tests/unit/$(1)/test_%.o $(call libs,$(1))
	@echo "  LINK    $$@"
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(TEST_$(1)) $$(SYS_$(1)) $$(CHECK_LIBS)
endef
$(foreach f,$(FLOORS),$(eval $(call unit_rule,$(f))))

UNIT_BINS := $(foreach f,$(FLOORS),$(call unit_bins,$(f)))
E2E_BINS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/e2e/test_*.c))
FAULT_BINS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fault/fault_*.c))
BENCH_BINS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/bench_*.c))
BENCH_OBJ := $(call objs,$(filter-out tests/bench/bench_%,$(wildcard tests/bench/*.c)))

$(BUILD)/tests/e2e/% $(BUILD)/tests/fault/%: $(BUILD)/tests/%.o
$(E2E_BINS) $(FAULT_BINS): $(BUILD)/%: $(BUILD)/%.o $(HARNESS_OBJ) $(call libs,types)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lpq -lcurl -lz -lrdkafka $(SYS_types) $(CHECK_LIBS)

$(BENCH_BINS): $(BUILD)/%: $(BUILD)/%.o $(BENCH_OBJ) $(HARNESS_OBJ) $(call libs,types)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lpq -lcurl -llz4 -lrdkafka $(SYS_types) $(CHECK_LIBS)

# A server over a closed library: built without sanitizers, which do not know that library's memory
CHDBD := $(BUILD)/tests/chdbd/chdbd
CHDBD_OBJ := $(patsubst %.c,$(BUILD)/plain/%.o,$(wildcard tests/chdbd/*.c lib/base/*.c) \
	     lib/wire/http1.c lib/wire/http1_chunks.c)
$(BUILD)/plain/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(filter-out -fsanitize% -fno-sanitize%,$(ALL_CFLAGS)) $(BAN) -MMD -MP -c -o $@ $<
$(CHDBD): $(CHDBD_OBJ)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(filter-out -fsanitize%,$(LDFLAGS)) -o $@ $^ -llz4 -lz -lzstd -lpthread -ldl $(SYS_base)

KAFKAMOCKD := $(BUILD)/tests/kafkamock/kafkamockd
$(KAFKAMOCKD): $(call objs,tests/kafkamock/kafkamockd.c) $(call libs,base)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lrdkafka $(SYS_base)

tests-build: $(BINS) $(UNIT_BINS) $(E2E_BINS) $(FAULT_BINS) $(CHDBD) $(KAFKAMOCKD)
bench-build: $(BINS) $(BENCH_BINS) $(CHDBD) $(KAFKAMOCKD)
unit-build: $(UNIT_BINS)
.PHONY: tests-build bench-build unit-build

unit: unit-build
	$(Q)BUILD=$(BUILD) scripts/run-tests unit

test:
	$(Q)scripts/install-deps --if-missing
	$(Q)scripts/install-clickhouse --if-missing || true
	$(Q)scripts/install-kafka --if-missing || true
	$(Q)$(MAKE) --no-print-directory BUILD=build/san SAN=1 -j$$(nproc) tests-build
	$(Q)BUILD=build/san scripts/run-tests unit e2e fault

fault:
	$(Q)scripts/install-deps --if-missing
	$(Q)scripts/install-clickhouse --if-missing || true
	$(Q)scripts/install-kafka --if-missing || true
	$(Q)$(MAKE) --no-print-directory BUILD=build/san SAN=1 -j$$(nproc) tests-build
	$(Q)BUILD=build/san scripts/run-tests fault-long

bench:
	$(Q)scripts/install-deps --if-missing
	$(Q)scripts/install-clickhouse --if-missing || true
	$(Q)scripts/install-kafka --if-missing || true
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) bench-build
	$(Q)BUILD=$(BUILD) scripts/bench

demo:
	$(Q)scripts/install-deps --if-missing
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all
	$(Q)BUILD=$(BUILD) scripts/demo

demo-clickhouse:
	$(Q)scripts/install-deps --if-missing
	$(Q)scripts/install-clickhouse --if-missing || true
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all $(CHDBD)
	$(Q)BUILD=$(BUILD) scripts/demo clickhouse

demo-kafka:
	$(Q)scripts/install-deps --if-missing
	$(Q)scripts/install-kafka --if-missing || true
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all
	$(Q)BUILD=$(BUILD) scripts/demo kafka

deps:
	$(Q)scripts/install-deps

FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 20
FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
fuzz:
	$(Q)scripts/install-deps --if-missing --fuzz
	$(Q)$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang \
	    CFLAGS="-O1 -g -fsanitize=fuzzer-no-link $(FUZZ_SAN)" fuzz-run
# what was found of interest stays in corpus/, the input of a crash in the build directory
fuzz-run: $(FUZZ_BINS)
	$(Q)for f in $(FUZZ_BINS); do \
	    corpus=$(BUILD)/corpus/$$(basename $$f); mkdir -p $$corpus; echo "  FUZZ    $$f"; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -verbosity=0 -print_final_stats=1 -timeout=10 \
	        -artifact_prefix=$$f. $$corpus || exit 1; done
fuzz_link = $(Q)mkdir -p $(@D) && echo "  LINK    $@" && \
    $(CC) $(ALL_CFLAGS) $(BAN) -fsanitize=fuzzer $(FUZZ_SAN) -o $@ $^
$(BUILD)/fuzz/%: tests/fuzz/%.c $(call libs,ipc)
	$(fuzz_link) $(SYS_ipc)
$(BUILD)/fuzz/fuzz_ch_%: tests/fuzz/fuzz_ch_%.c $(call libs,sink)
	$(fuzz_link) $(SYS_sink)
$(BUILD)/fuzz/fuzz_kafka_%: tests/fuzz/fuzz_kafka_%.c $(call libs,sink)
	$(fuzz_link) $(SYS_sink)
.PHONY: fuzz-run

# ---- hygiene

OUR_C	= $(shell git ls-files '*.c' '*.h')
format:
	$(Q)clang-format -i $(OUR_C)

headers: $(GEN_HDR)
	$(Q)for h in $(filter %.h,$(OUR_C)); do \
	    $(CC) $(ALL_CFLAGS) $(BAN) -fsyntax-only -x c $$h || { echo "$$h does not compile alone"; exit 1; }; done

lint: headers
	$(Q)clang-format --dry-run -Werror $(OUR_C)
	$(Q)scripts/lint

# the unit names the programs by their path
install: all
	install -D -m 755 $(BUILD)/bin/peerd $(DESTDIR)$(PREFIX)/bin/peerd
	install -D -m 755 $(BUILD)/bin/peerd-worker $(DESTDIR)$(PREFIX)/bin/peerd-worker
	install -D -m 755 $(BUILD)/bin/peerctl $(DESTDIR)$(PREFIX)/bin/peerctl
	for m in $(wildcard packaging/man/*.1); do \
	    install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man1/$$(basename $$m); done
	for m in $(wildcard packaging/man/*.8); do \
	    install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man8/$$(basename $$m); done
	install -D -m 644 packaging/completions/peerctl.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/peerctl
	install -D -m 644 packaging/peerd.conf $(DESTDIR)$(PREFIX)/share/doc/peerd/peerd.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,/usr/bin/,$(PREFIX)/bin/,' packaging/systemd/peerd.service \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/peerd.service

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
