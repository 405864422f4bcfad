# The jobs of .ci/run: `together` side by side, then `alone` one after the other. `make -f .ci/jobs.mk ci/lint` runs one.
include Makefile

ALL := lint types test docs simulation $(SYSTEM_JOBS) compiled $(COMPILED_JOBS)
# What takes longest comes first, so that it does not go on alone at the end.
LONG := compiled $(addprefix system-test_,manual rolling scaling every_command cluster daemon sharing) test

.PHONY: together alone
together: $(addprefix ci/,$(LONG) $(filter-out $(LONG),$(ALL)))
alone: $(addprefix ci/,$(SYSTEM_ALONE))

# A target has no prerequisites in common with others but those that .ci/run has made, or that stand here.
$(addprefix ci/,$(COMPILED_JOBS)): ci/compiled

# The other simulations take minutes each.
ci/simulation: SIMULATIONS := tests.simulation.test_gossip.SpreadTests.test_twenty

# A make of its own each, without the flags of this one: of those that run it is one, whatever it makes.
ci/%:
	@MAKEFLAGS= $(BIN)/python -m tests.job $* \
	  make --no-print-directory NO_SKIPS=1 JOB= SIMULATIONS=$(SIMULATIONS) $*
