# Build, try, test and install the AlumHub bot. `make help` lists the targets.
SHELL := /bin/bash
CC ?= cc
B := build

PACKAGES := gcc pkg-config python3 libuv1-dev libcurl4-openssl-dev libjansson-dev libsqlite3-dev \
	libicu-dev libexpat1-dev libical-dev libsodium-dev libolm-dev libssl-dev libsystemd-dev libqrencode-dev \
	libcairo2-dev libpango1.0-dev libc6-dev ca-certificates tzdata fonts-noto-core
TEST_PACKAGES := $(PACKAGES) clang libclang-rt-14-dev libcmocka-dev valgrind python3-yaml \
	python3-jsonschema python3-icalendar python3-vobject python3-dateutil python3-matrix-nio python3-olm \
	python3-python-telegram-bot zbar-tools libimage-exiftool-perl mediainfo ffmpeg imagemagick \
	clang-format cppcheck
DEB_PACKAGES := $(PACKAGES) debhelper dpkg-dev
SYSTEM_PACKAGES := $(DEB_PACKAGES) lintian mmdebstrap systemd-container strace
LONG_PACKAGES := $(TEST_PACKAGES) $(SYSTEM_PACKAGES)

LIBS_PKG := libuv libcurl jansson sqlite3 icu-i18n icu-uc expat libical libsodium olm libcrypto libsystemd
PICTURE_PKG := cairo pangocairo libqrencode
pkg = $(shell pkg-config $(1) $(2) 2>/dev/null)

STD := -std=c17 -D_GNU_SOURCE -Iinclude -Ibot -I$(B)
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wswitch-enum -Wvla -Wformat=2 -Wno-missing-field-initializers -Werror
WARN_GCC := -Wimplicit-fallthrough -Wtrampolines -Wbidi-chars=any -Wformat-security
# What the OpenSSF guide asks of a hardened binary and gcc 12 has; tests/system/test_binary looks.
HARDEN := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection -fstack-protector-strong \
	-fcf-protection=full -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr -fPIE \
	-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fexceptions
HARDEN_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen,-z,separate-code,--as-needed \
	-Wl,--no-copy-dt-needed-entries
RELEASE := -O2 -g $(HARDEN)
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
DEPFLAGS = -MMD -MP

LAYERS := base store core features matching transports io
LIB_SRC := $(sort $(foreach l,$(LAYERS),$(wildcard bot/$(l)/*.c)))
FEATURES := $(basename $(notdir $(sort $(wildcard bot/features/*.c))))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/obj/%.o)
SAN_OBJ := $(LIB_SRC:%.c=$(B)/san/%.o)
MAIN_SRC := $(sort $(wildcard bot/*.c))
MAIN_OBJ := $(MAIN_SRC:%.c=$(B)/obj/%.o)
MAIN_SAN := $(MAIN_SRC:%.c=$(B)/san/%.o)
UNIT_SRC := $(sort $(wildcard tests/unit/*.c))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/san/unit/%)
NET_SRC := $(sort $(wildcard tests/net/*.c))
NET_BIN := $(NET_SRC:tests/net/%.c=$(B)/san/net/%)
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH_BIN := $(BENCH_SRC:tests/bench/%.c=$(B)/bench-%)
SIM_SRC := $(filter-out tests/sim/fuzz_replay.c,$(sort $(wildcard tests/sim/*.c)))
SIM_SAN := $(SIM_SRC:%.c=$(B)/san/%.o)
SIM_OBJ := $(SIM_SRC:%.c=$(B)/obj/%.o)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/*.c))
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
FUZZ_SAN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/san/fuzz/%)
FUZZ_OBJ := $(LIB_SRC:%.c=$(B)/fuzz/obj/%.o)
# libFuzzer when there is a clang that has it; else the same targets replay their corpus, built with gcc.
FUZZ_ALL = $(if $(shell tests/fuzz/has_libfuzzer && echo yes),$(FUZZ_BIN),$(FUZZ_SAN))

CFLAGS_PKG = $(call pkg,--cflags,$(LIBS_PKG))
LDLIBS_PKG = $(call pkg,--libs,$(LIBS_PKG)) -lm

.PHONY: all programs run test test-programs test-long test-system bench fuzz install deb format \
	lint lint-format lint-cppcheck clean help deps test-deps long-deps deb-deps system-deps
.DELETE_ON_ERROR:
.SECONDARY:

all: deps
	@$(MAKE) --no-print-directory programs
programs: $(B)/alumhub-bot $(B)/alumhub-picture

help:
	@grep -E '^(all|run|test|test-long|test-system|bench|fuzz|install|deb|format|lint|clean):' Makefile

deps:
	@tests/need $(PACKAGES)
test-deps:
	@tests/need $(TEST_PACKAGES)
long-deps:
	@tests/need $(LONG_PACKAGES)
deb-deps:
	@tests/need $(DEB_PACKAGES)
system-deps:
	@tests/need $(SYSTEM_PACKAGES)

run: deps
	@$(MAKE) --no-print-directory programs
	@mkdir -p $(B)/demo
	@exec $(B)/alumhub-bot --config config/demo/alumhub-bot.ini chat

# The list of features is the folder: a new file is a new feature.
$(B)/feature_list.h: $(wildcard bot/features) Makefile
	@mkdir -p $(B)
	@printf '%s\n' '/* Made by the Makefile from bot/features. */' $(foreach f,$(FEATURES),'FEATURE($(f))') >$@.new
	@cmp -s $@.new $@ && rm $@.new && touch $@ || mv $@.new $@

$(B)/obj/%.o: %.c | $(B)/feature_list.h
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(WARN_GCC) $(RELEASE) $(DEPFLAGS) $(CFLAGS_PKG) -c $< -o $@
$(B)/san/%.o: %.c | $(B)/feature_list.h
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(WARN_GCC) $(SANITIZE) $(DEPFLAGS) $(CFLAGS_PKG) -c $< -o $@
$(B)/fuzz/obj/%.o: %.c | $(B)/feature_list.h
	@mkdir -p $(@D)
	clang $(STD) -g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
		$(DEPFLAGS) $(CFLAGS_PKG) -c $< -o $@

$(B)/libbot.a: $(LIB_OBJ)
	@rm -f $@ && ar rcs $@ $^
$(B)/san/libbot.a: $(SAN_OBJ)
	@rm -f $@ && ar rcs $@ $^
$(B)/fuzz/libbot.a: $(FUZZ_OBJ)
	@rm -f $@ && ar rcs $@ $^

$(B)/alumhub-bot: $(MAIN_OBJ) $(B)/libbot.a
	$(CC) $(RELEASE) $(HARDEN_LD) $^ $(LDLIBS_PKG) -o $@
$(B)/san/alumhub-bot: $(MAIN_SAN) $(B)/san/libbot.a
	$(CC) $(SANITIZE) $^ $(LDLIBS_PKG) -o $@
$(B)/alumhub-picture: $(wildcard bot/picture/*.c) $(wildcard bot/picture/*.h) Makefile
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(WARN_GCC) $(RELEASE) $(HARDEN_LD) $(call pkg,--cflags,$(PICTURE_PKG)) $(filter %.c,$^) \
		$(call pkg,--libs,$(PICTURE_PKG)) -lm -o $@

$(B)/san/unit/%: tests/unit/%.c tests/unit/unit.h $(B)/san/libbot.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(SANITIZE) $(DEPFLAGS) $(CFLAGS_PKG) -Itests/unit $< $(B)/san/libbot.a \
		$(LDLIBS_PKG) -lcmocka -o $@
$(B)/san/net/%: tests/net/%.c $(B)/san/libbot.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(SANITIZE) $(DEPFLAGS) $(CFLAGS_PKG) $< $(B)/san/libbot.a \
		$(LDLIBS_PKG) -o $@
# The terminal with everybody on Matrix: its object comes first, so the console's is not taken.
$(B)/san/chat-matrix: tests/chat/as_matrix.c $(MAIN_SAN) $(B)/san/libbot.a
	$(CC) $(STD) $(WARN) $(SANITIZE) $(DEPFLAGS) $(CFLAGS_PKG) $^ $(LDLIBS_PKG) -o $@
$(B)/san/fuzz/%: tests/fuzz/%.c tests/sim/fuzz_replay.c $(B)/san/libbot.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(SANITIZE) $(DEPFLAGS) $(CFLAGS_PKG) $< tests/sim/fuzz_replay.c \
		$(B)/san/libbot.a $(LDLIBS_PKG) -o $@
# The simulator stands in for io/: its objects come first, so the library's are not taken.
$(B)/san/sim: $(SIM_SAN) $(B)/san/libbot.a
	$(CC) $(SANITIZE) $^ $(LDLIBS_PKG) -o $@
$(B)/sim: $(SIM_OBJ) $(B)/libbot.a
	$(CC) -O2 -g $^ $(LDLIBS_PKG) -o $@
$(B)/bench-%: tests/bench/%.c $(B)/libbot.a
	$(CC) $(STD) $(WARN) -O2 -g $(DEPFLAGS) $(CFLAGS_PKG) $< $(B)/libbot.a -Wl,--as-needed \
		$(LDLIBS_PKG) -o $@
$(B)/fuzz/%: tests/fuzz/%.c $(B)/fuzz/libbot.a
	@mkdir -p $(@D)
	clang $(STD) -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(DEPFLAGS) \
		$(CFLAGS_PKG) $< $(B)/fuzz/libbot.a $(LDLIBS_PKG) -o $@

test-programs: $(B)/san/sim $(B)/sim $(B)/bench-bombs $(UNIT_BIN) $(NET_BIN) $(FUZZ_ALL) \
		$(if $(MAIN_SRC),$(B)/san/alumhub-bot $(B)/san/chat-matrix programs)
test: test-deps
	@$(MAKE) --no-print-directory -s -j2 test-programs
	@tests/run $(ONLY)

# KEY=no leaves the state key out, for a package: each machine makes its own.
SHARE = $(DESTDIR)/usr/share
UNITS = $(DESTDIR)/usr/lib/systemd/system
install: programs
	install -d $(DESTDIR)/usr/bin $(UNITS) $(DESTDIR)/usr/lib/sysusers.d $(DESTDIR)/usr/lib/tmpfiles.d \
		$(SHARE)/alumhub-bot/words $(SHARE)/doc/alumhub-bot $(SHARE)/man/man1 $(SHARE)/man/man5 $(SHARE)/man/man8 \
		$(SHARE)/bash-completion/completions $(SHARE)/zsh/vendor-completions
	install -d -m 0750 $(DESTDIR)/etc/alumhub-bot
	install -m 0755 $(B)/alumhub-bot $(B)/alumhub-picture $(DESTDIR)/usr/bin
	install -m 0644 config/words/*.json $(SHARE)/alumhub-bot/words
	install -m 0644 config/partners.json systemd/split.conf systemd/encrypted.conf $(SHARE)/alumhub-bot
	install -m 0644 README.md config/alumhub-bot.ini.example $(SHARE)/doc/alumhub-bot
	install -m 0644 config/man/alumhub-picture.1 $(SHARE)/man/man1
	install -m 0644 config/man/alumhub-bot.8 $(SHARE)/man/man8
	install -m 0644 config/man/alumhub-bot.ini.5 $(SHARE)/man/man5
	install -m 0644 config/completion/alumhub-bot.bash $(SHARE)/bash-completion/completions/alumhub-bot
	install -m 0644 config/completion/_alumhub-bot $(SHARE)/zsh/vendor-completions
	install -m 0644 $(wildcard systemd/*.service systemd/*.socket systemd/*.timer) $(UNITS)
	install -m 0644 systemd/alumhub-bot.sysusers $(DESTDIR)/usr/lib/sysusers.d/alumhub-bot.conf
	install -m 0644 systemd/alumhub-bot.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/alumhub-bot.conf
	test -e $(DESTDIR)/etc/alumhub-bot/alumhub-bot.ini || install -m 0644 \
		config/alumhub-bot.ini.example $(DESTDIR)/etc/alumhub-bot/alumhub-bot.ini
	test "$(KEY)" = no || test -e $(DESTDIR)/etc/alumhub-bot/state-key || \
		(umask 277 && head -c 32 /dev/urandom >$(DESTDIR)/etc/alumhub-bot/state-key)
	test -n "$(DESTDIR)" || ! test -d /run/systemd/system || { systemd-sysusers alumhub-bot.conf && \
		systemd-tmpfiles --create alumhub-bot.conf && systemctl daemon-reload; }

# A Debian package under build/, of the programs as `make` builds them.
DEB := $(B)/deb/source/debian
deb: deb-deps
	@$(MAKE) --no-print-directory -s programs
	@rm -rf $(B)/deb && mkdir -p $(DEB)
	@cp config/debian/* $(DEB) && chmod 0755 $(DEB)/rules
	@cp systemd/alumhub-bot.sysusers systemd/alumhub-bot.tmpfiles $(DEB)
	@version=$$($(B)/alumhub-bot version | sed -n 's/^alumhub-bot //p'); \
	when=$$(git log -1 --format=%cD 2>/dev/null || date -R); \
	printf 'alumhub-bot (%s) stable; urgency=medium\n\n  * Version %s.\n\n -- %s  %s\n' "$$version" \
		"$$version" "$$(sed -n 's/^Maintainer: //p' config/debian/control)" "$$when" >$(DEB)/changelog
	@cd $(B)/deb/source && PROJECT=$(CURDIR) debian/rules binary >../log 2>&1 || { tail -n 30 ../log; exit 1; }
	@ls $(B)/deb/*.deb

# Prints figures; nothing here asserts a time.
$(B)/bench/%.so: tests/bench/preload/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) -O2 -fPIC -shared $< -o $@
bench: deps
	@$(MAKE) --no-print-directory -s programs $(BENCH_BIN) $(B)/bench/slow_sync.so $(B)/bench/more_trust.so
	@tests/bench/run $(ONLY)

FUZZ_SECONDS := 10
fuzz: test-deps
	@$(MAKE) --no-print-directory -s -j2 $(FUZZ_ALL)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/test_fuzz

test-long: test
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=3600
	@LONG=1 TELEGRAM_SWEEP=all SIM_YEARS=1000 TEST_LIMIT_S=100000 tests/run

# The package in a booted systemd; test programs that look at what is built first.
test-system: system-deps
	@$(MAKE) --no-print-directory -s deb
	@mkdir -p $(B)/system
	@$(CC) -std=gnu17 -D_GNU_SOURCE -Wall -Werror -O1 tests/system/probe.c -o $(B)/system/probe
	@tests/system/run
	@tests/system/syscalls

SOURCES = $(shell find bot include tests -name "*.[ch]")
format:
	clang-format -i $(SOURCES)
lint: lint-format lint-cppcheck
lint-format:
	clang-format --dry-run -Werror $(SOURCES)
# Told what the macros are that it cannot follow.
lint-cppcheck:
	cppcheck -q --std=c11 --enable=warning,portability --error-exitcode=1 -Iinclude -Ibot '-DV(...)=0' \
		'-Djson_array_foreach(a,i,v)=for((i)=0;(i)<1;(i)++)' '-Djson_object_foreach(a,k,v)=for((k)=0;(k);)' bot
clean:
	rm -rf $(B)

-include $(shell find $(B) -path $(B)/system -prune -o -type f -name '*.d' -print 2>/dev/null)
