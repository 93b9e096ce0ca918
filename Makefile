# xsell: builds with any PostgreSQL 14 to 18 whose pg_config is found (PG_CONFIG=...).
#
#   make && make install && make installcheck    as for any extension
#   make test       everything, on a throw-away server; needs nothing installed
#   make soak       everything at once for 20 minutes, or MINUTES=..., CLIENTS=...
#   make demo       the main job, on a throw-away server
#   make bench      speed, on a throw-away server
#
# WERROR=1, and CI=true, make warnings errors.

EXTENSION = xsell
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" $(EXTENSION).control)

# The module
MODULE_big = xsell
source_dirs = src $(addprefix src/,math model types policy journal)
headers = $(sort $(wildcard $(addsuffix /*.h,$(source_dirs))))
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard $(addsuffix /*.c,$(source_dirs)))))
PGFILEDESC = "xsell - learning cross-sell decisions"

# These reach the LLVM bitcode too: results must not depend on whether an
# expression was compiled by gcc or inlined by the JIT compiler on a processor
# with fused multiply-add.
PG_CPPFLAGS = -Isrc -DXSELL_VERSION='"$(EXTVERSION)"' \
	-ffp-contract=off -fno-math-errno
# The three exceptions are what PostgreSQL's own headers and macros do.
PG_CFLAGS = -Wall -Wextra \
	-Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
	-fno-semantic-interposition
ifneq ($(filter 1 true yes,$(WERROR) $(CI)),)
PG_CFLAGS += -Werror
endif
# Only entry points are exported.  From PostgreSQL 16 on its macros and PGXS see
# to that; -fvisibility=hidden would hide also the entry points before.
export_map = src/xsell.map
SHLIB_LINK = $(if $(filter linux,$(PORTNAME)),-Wl$(comma)--version-script=$(export_map)) -lm
comma = ,

# The script
script_parts = $(wildcard $(patsubst %,sql/extension/%.sql, \
	prologue types policy journal views api learning worker import layout refit retrain document propose privileges))
DATA_built = $(EXTENSION)--$(EXTVERSION).sql
DATA = $(wildcard sql/extension/$(EXTENSION)--*--*.sql)

# Tests of an installed extension, on a running server
REGRESS = $(sort $(patsubst sql/%.sql,%,$(wildcard sql/*.sql)))
REGRESS_OPTS = --load-extension=$(EXTENSION)
ISOLATION = $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation --load-extension=$(EXTENSION)

EXTRA_CLEAN = $(EXTENSION)--*.sql output_iso tmp_check log \
	$(addsuffix /*.o,$(source_dirs)) $(addsuffix /*.bc,$(source_dirs))

# What runs on a throw-away server brings its own, and must not need one here.
throw_away = test soak demo bench
ifneq ($(filter-out $(throw_away),$(or $(MAKECMDGOALS),all)),)

PG_CONFIG = pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(wildcard $(PGXS)),)
$(error no PGXS: install the server's development files, or say make PG_CONFIG=/path/to/pg_config)
endif

# Bitcode for the JIT compiler is made only where its tools are installed.
pgxs_value = $(shell sed -n 's/^$(1)[[:space:]]*=[[:space:]]*//p' $(dir $(PGXS))../Makefile.global)
ifeq ($(and $(shell command -v $(or $(CLANG),$(call pgxs_value,CLANG))),$(wildcard $(call pgxs_value,LLVM_BINPATH)/llvm-lto)),)
override with_llvm = no
endif

include $(PGXS)

$(OBJS) $(OBJS:.o=.bc): $(headers) $(EXTENSION).control Makefile

$(MODULE_big)$(DLSUFFIX): $(export_map)

$(DATA_built): $(script_parts) $(EXTENSION).control Makefile
	cat $(script_parts) > $@

clean: clean-unit
clean-unit:
	if [ -f test/unit/Makefile ]; then $(MAKE) -C test/unit clean; fi
.PHONY: clean-unit

endif

# One suite or one test: make test SUITE=pgtap NAME=decide
test:
	@test/run $(SUITE) $(NAME)
soak:
	@test/soak/run $(or $(MINUTES),20) $(or $(CLIENTS),8)
demo:
	@demo/run
bench:
	@bench/run
	@bench/rewards
	@bench/policy
	@bench/regret/run
	@bench/delay/run
.PHONY: $(throw_away)
