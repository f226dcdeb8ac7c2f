# Earshot. `make help` lists the targets; outputs are in build/ (build/san with SAN=1).

B ?= $(if $(SAN),build/san,build)
G := $(B)/gen
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= bpftool
VERSION := $(shell cat VERSION)
SUBMAKE = $(MAKE) --no-print-directory -j$(shell nproc)
# One short line per step; V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) '$(2)')

PKGS := libbpf libelf zlib libcrypto libssl libprotobuf-c libhs libbrotlidec libzstd sqlite3 libcurl yaml-0.1 libutf8proc libseccomp libcap-ng libxxhash libpsl libidn2
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wvla -Wno-missing-field-initializers
CPPFLAGS += -D_GNU_SOURCE -DEARSHOT_VERSION='"$(VERSION)"' -I. -Iuser -I$(G)
HARDEN := -fstack-protector-strong -fPIE -fcf-protection=full
ifeq ($(SAN),)
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
HARDEN += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CPPFLAGS += -DEARSHOT_SAN
endif
ALL_CFLAGS = -std=gnu17 $(WARN) $(CFLAGS) $(HARDEN) -ffunction-sections -fdata-sections -MMD -MP
LDFLAGS += -pie -Wl,-z,relro,-z,now,--as-needed,--gc-sections $(HARDEN)
LIBS = $(shell pkg-config --libs $(PKGS)) -lm -pthread
ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
# The verifier allows a program and what it calls 512 bytes of stack: this leaves the callees 224.
BPF_CFLAGS := -O2 -g -mcpu=v3 -target bpf -D__TARGET_ARCH_$(ARCH) -Wall -Werror -Wframe-larger-than=288 -I. -isystem /usr/include/$(shell uname -m)-linux-gnu

# Every .c under user/ but the programs' main files is one archive; a program pulls in what it uses.
MAINS := $(wildcard user/*/main_*.c)
SRCS := $(filter-out $(MAINS),$(wildcard user/*/*.c))
OBJS := $(SRCS:%.c=$(B)/%.o) $(G)/proto/earshot.pb-c.o
LIB := $(B)/libearshot.a

# program = main file
PROGRAMS := earshotd=monitor earshot-compiler=compiler earshot-surveyor=surveyor earshot-inspector=inspector earshot-recorder=recorder \
	earshot-keeper=keeper earshot-shipper=shipper earshot-canary=canary earshot-indexer=indexer earshot=cli
PROGRAM_BINS := $(foreach p,$(PROGRAMS),$(B)/$(firstword $(subst =, ,$(p))))
COLLECTOR := $(B)/earshot-collector
SITES := $(B)/earshot-sites
CUT := $(B)/earshot-cut
GEN := $(G)/proto/earshot.pb-c.h $(G)/capture.skel.h $(G)/discover.skel.h

UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
E2E_BINS := $(patsubst tests/e2e/%.c,$(B)/tests/e2e/%,$(wildcard tests/e2e/*.c))

.PHONY: all deps run check corpus check-kernels e2e demo bench bench-intel bench-json bench-replay bench-detect bench-obfuscate fuzz fmt lint docs install uninstall clean help test-bins
.DELETE_ON_ERROR:
.SECONDARY:

all: deps ## build everything (installs what is missing, as root)
	@$(SUBMAKE) programs
.PHONY: programs
programs: $(PROGRAM_BINS) $(COLLECTOR) $(SITES)
	@:

deps:
	@tools/deps.sh build

# --- generated sources
$(G)/proto/earshot.pb-c.c $(G)/proto/earshot.pb-c.h &: proto/earshot.proto
	@mkdir -p $(G)
	$(call say,PROTOC,$@)
	$(Q)protoc-c --proto_path=. --c_out=$(G) $<

$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

# A skeleton is one BPF object linked from several sources that share maps.
BPF_capture := tls sock plain exec
BPF_discover := vma
$(B)/bpf/capture.o: $(BPF_capture:%=$(B)/bpf/%.bpf.o)
	$(call say,LINKBPF,$@)
	$(Q)$(BPFTOOL) gen object $@ $^
$(B)/bpf/discover.o: $(BPF_discover:%=$(B)/bpf/%.bpf.o)
	$(call say,LINKBPF,$@)
	$(Q)$(BPFTOOL) gen object $@ $^
$(G)/%.skel.h: $(B)/bpf/%.o
	@mkdir -p $(@D)
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

# Packs of rules are built in as they are.
PACKS := $(wildcard user/detect/packs/*.yaml)
$(G)/packs.def: $(PACKS) user/detect/packs
	@mkdir -p $(G)
	$(Q)n=0; for f in $(notdir $(PACKS)); do echo "PACK($$n, \"$$f\")"; n=$$((n + 1)); done >$@
$(B)/user/detect/packs.o: $(G)/packs.def $(PACKS)

# --- objects and programs
$(OBJS) $(MAINS:%.c=$(B)/%.o): | $(GEN)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@
$(G)/%.pb-c.o: $(G)/%.pb-c.c
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -Wno-shadow -c $< -o $@

$(LIB): $(OBJS)
	@rm -f $@
	@ar rcs $@ $^

define program
$(B)/$(firstword $(subst =, ,$(1))): $(B)/$(filter %/main_$(lastword $(subst =, ,$(1))).o,$(MAINS:%.c=%.o)) $(LIB)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(COLLECTOR): $(patsubst %.c,$(B)/%.o,$(wildcard tools/collector/*.c)) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(patsubst %.c,$(B)/%.o,$(wildcard tools/collector/*.c)): | $(GEN)

$(SITES): $(B)/tools/sites/sites.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/tools/sites/sites.o: | $(GEN)

$(CUT): $(B)/tools/cut/cut.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/tools/cut/cut.o: | $(GEN)

# The model is data in the program.
$(B)/user/detect/classifier.o: user/detect/model/prompt-attack.bin
TRAIN := $(B)/earshot-train
$(TRAIN): $(B)/tools/train/train.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/tools/train/train.o: | $(GEN)

SUFFIX := $(B)/earshot-suffix
$(SUFFIX): $(B)/tools/train/suffix.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/tools/train/suffix.o: | $(GEN)

train: deps ## train the classifier of prompt attacks anew: DATA=folder with train.jsonl.gz (minutes)
	@tools/train/run $(DATA)
.PHONY: train

DOCS := $(B)/earshot-docs
$(DOCS): $(B)/tools/docs/docs.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/tools/docs/docs.o: | $(GEN)

docs: deps $(DOCS) ## print docs/reference.md from the tables
	$(DOCS) >docs/reference.md

# --- tests
# Every allocation of our own code passes tests/nomem.c, which can refuse it.
WRAP := $(foreach f,malloc calloc realloc reallocarray strdup free,-Wl,--wrap=$(f))
TEST_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/*.c))
TEST_LIB := $(B)/libtest.a
$(B)/tests/%.o: CPPFLAGS += -Itests
$(TEST_OBJS): | $(GEN)
$(TEST_LIB): $(TEST_OBJS)
	@rm -f $@
	@ar rcs $@ $^
$(B)/tests/unit/%: tests/unit/%.c $(B)/tests/nomem.o $(TEST_LIB) $(LIB) | $(GEN)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(ALL_CFLAGS) $(LDFLAGS) $(WRAP) -o $@ $< $(B)/tests/nomem.o $(TEST_LIB) $(LIB) -lcmocka -lbrotlienc $(LIBS)
$(B)/tests/fuzz/fuzz_json_oracle: LIBS += -ljansson
$(B)/tests/fuzz/fuzz_hpack $(B)/tests/unit/test_hpack $(B)/tests/unit/test_http2 $(B)/tests/unit/test_h2: LIBS += -lnghttp2
FUZZ_MAIN := tests/fuzz/replay.c # tests/fuzz/run puts libFuzzer here
$(B)/tests/fuzz/%: tests/fuzz/%.c $(filter %.c,$(FUZZ_MAIN)) $(TEST_LIB) $(LIB) | $(GEN)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(FUZZ_MAIN) $(TEST_LIB) $(LIB) $(LIBS)
$(B)/tests/e2e/%: tests/e2e/%.c $(LIB) | $(GEN)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(LIBS)

$(B)/tests/bench/%: tests/bench/%.c $(LIB) | $(GEN)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(LIBS)

test-bins: programs $(DOCS) $(UNIT) $(FUZZ) $(E2E_BINS)

check: ## run every test (root: end to end on the real kernel too)
	@tools/deps.sh build test
	@$(SUBMAKE) test-bins
	@tests/e2e/prepare $(B)
	@tests/run $(B)

e2e: ## only the end-to-end tests
	@tools/deps.sh build test
	@$(SUBMAKE) test-bins
	@tests/e2e/prepare $(B)
	@tests/run $(B) e2e

corpus: ## record what real SDKs say anew, into tests/data/traces (root; minutes)
	@tools/deps.sh build test
	@$(SUBMAKE) programs $(CUT)
	@tools/corpus/prepare $(B)
	@$(B)/corpus/venv/bin/python3 tools/corpus/record $(B)
	@UPDATE_GOLDENS=1 python3 tests/e2e/test_corpus.py $(B)

check-kernels: ## load, attach and capture on Debian's 6.1 and 6.12, emulated (minutes; no KVM needed)
	@tools/deps.sh build test kernels
	@$(SUBMAKE) test-bins
	@tests/kernels/run $(B)

run: all ## run the sensor in the foreground, printing alerts
	@$(B)/earshotd --foreground

demo: ## one minute: sensor, TLS inference server, real clients, collector
	@tools/deps.sh build test
	@$(SUBMAKE) programs
	@tests/e2e/prepare $(B)
	@tools/demo $(B)

bench: ## what the sensor costs: saturated TLS, each call, at rest
	@tools/deps.sh build test bench
	@$(SUBMAKE) programs $(B)/tests/bench/calls
	@tests/bench/run $(B)

bench-capture: ## the first of these, beside bpftrace and bcc's sslsniff
	@tools/deps.sh build test bench
	@$(SUBMAKE) programs
	@tests/bench/run $(B) capture

# yyjson is no package of Debian 12: YYJSON=DIR names a folder with yyjson.c and yyjson.h.
ifneq ($(YYJSON),)
YYJSON_LIBS := -DWITH_YYJSON -I$(YYJSON) $(B)/tests/bench/yyjson.o
$(B)/tests/bench/json: $(B)/tests/bench/yyjson.o
$(B)/tests/bench/yyjson.o: $(YYJSON)/yyjson.c
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -fPIE -c $< -o $@
else
YYJSON_LIBS = $(shell pkg-config --exists yyjson && echo -DWITH_YYJSON -lyyjson)
endif
$(B)/tests/bench/json: tests/bench/json.c tests/bench/json_peers.c tests/bench/json_peers.h $(LIB)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(CPPFLAGS) -Itests/bench $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< tests/bench/json_peers.c $(LIB) -ljansson $(YYJSON_LIBS)

bench-json: ## MB/s of the JSON reader on chat bodies, beside jansson (and yyjson: YYJSON=DIR)
	@tools/deps.sh build bench
	@$(SUBMAKE) $(B)/tests/bench/json
	@$(B)/tests/bench/json

bench-intel: ## an index of 10^7 indicators: memory, time, look-ups; how fast addresses are found
	@$(SUBMAKE) $(B)/tests/bench/intel
	@$(B)/tests/bench/intel

bench-replay: ## how fast exchanges are read, and what an open connection costs
	@tools/deps.sh build test bench
	@$(SUBMAKE) programs $(B)/tests/bench/conns
	@tests/bench/replay $(B)
	@$(B)/tests/bench/conns

bench-detect: ## how fast content is judged, new, resent and made to be slow, beside gitleaks and others
	@tools/deps.sh build
	@$(SUBMAKE) programs
	@tests/bench/detect $(B)

bench-obfuscate: ## what part of attacks is still found when they are obfuscated, in each of eighty ways
	@tools/deps.sh build
	@$(SUBMAKE) programs
	@tests/bench/obfuscate $(B)

fuzz: ## fuzz each parser for FUZZ_SECONDS (60) with libFuzzer
	@tools/deps.sh build test
	@tools/deps.sh fuzz
	@tests/fuzz/run $(B)

fmt: ## format C sources with clang-format
	@tools/deps.sh lint
	$(Q)clang-format -i $(wildcard bpf/*.[ch] user/*/*.[ch] tests/*/*.[ch] tools/*/*.[ch])

lint: ## cppcheck, shellcheck, include directions, man pages
	@tools/deps.sh build lint
	@tools/lint.sh

install: programs ## install under DESTDIR/PREFIX
	@deploy/install.sh "$(B)" "$(DESTDIR)" "$(PREFIX)"

uninstall: ## remove what install put there
	@deploy/install.sh --uninstall "$(DESTDIR)" "$(PREFIX)"

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F'\t' '{ printf "  make %-13s %s\n", $$1, $$2 }'

-include $(shell find $(B) \( -path $(B)/roots -o -path $(B)/venv -o -path $(B)/node -o -path $(B)/corpus \) -prune -o -name '*.d' -print 2>/dev/null)
