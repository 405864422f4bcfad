# The jobs of .ci/run: `together` side by side, then `alone` one after the other. `make -f .ci/jobs.mk ci/lint` runs one.
include Makefile

# What takes longest comes first, so that it does not go on alone at the end.
FIRST := compiled $(addprefix system-test_,manual rolling every_command sharing) types
REST := $(filter-out $(FIRST),$(COMPILED_JOBS) $(SYSTEM_JOBS) simulation docs lint)

.PHONY: together alone
together: $(addprefix ci/,$(FIRST) $(REST))
alone: $(addprefix ci/,$(SYSTEM_ALONE))

# A target has no prerequisites in common with others but those that .ci/run has made, or that stand here.
$(addprefix ci/,$(COMPILED_JOBS)): ci/compiled

# The other simulations take minutes each.
ci/simulation: SIMULATIONS := tests.simulation.test_gossip.SpreadTests.test_twenty

# A make of its own each, without the flags of this one: of those that run it is one, whatever it makes.
ci/%:
	@MAKEFLAGS= $(BIN)/python -m tests.job $* \
	  make --no-print-directory NO_SKIPS=1 JOB= SIMULATIONS=$(SIMULATIONS) $*
