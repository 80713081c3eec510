# Which words a target takes on make's command line; one that it does not know is an error. In a hand-out,
# targets that only the finished tree has are named as such.
WORDS_ALL := BUILD CC CROSS OBJCOPY HOSTCC PYTHON CFLAGS LDFLAGS SUITE
WORDS_run := CPU ON SMP GUESTS IMAGE WORDS MODEL MEM TIMEOUT GDB
WORDS_iso := GUESTS WORDS
WORDS_vmx-tests := ON MODEL TESTS ORDER SEED SMP WORDS
WORDS_vmx-tests-selftest := ON MODEL TESTS SMP SEEDS
WORDS_vmx-tests-iso := WORDS
WORDS_check := TESTS
WORDS_probe := CPU ON MODEL QUICK FORMS SWEEPS SEED PROGRAMS PROGRAM STAGE2 PLAIN GDB
WORDS_check-labs := TESTS
WORDS_probe-mistakes := ON MISTAKES
WORDS_goldberg := FORMS
WORDS_lab := N VENDOR BASE OUT
WORDS_grade := N VENDOR SEED FORMAT TESTS OUT GDB
WORDS_grade-all := N VENDOR SEED FORMAT SUBMISSIONS JOBS OUT ISOLATED
WORDS_gradescope := N VENDOR SEED FORMAT
WORDS_check-class := N TESTS
WORDS_hint := N VENDOR SEED FORMAT EXERCISE
WORDS_progress := N VENDOR SEED FORMAT
WORDS_docs := OUTPUTS
WORDS_check-fresh := RELEASE
WITHOUT_WORDS := matrix probe-efficiency bench doctor lint format clean help

GOALS_WITH_WORDS := $(foreach goal,$(MAKECMDGOALS),$(if $(WORDS_$(goal)),$(goal),$(filter $(goal),$(WITHOUT_WORDS))))
ifneq ($(GOALS_WITH_WORDS),)
ifeq ($(filter-out $(GOALS_WITH_WORDS),$(MAKECMDGOALS)),)
WORDS_GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
WORDS_TAKEN := $(foreach goal,$(GOALS_WITH_WORDS),$(WORDS_$(goal)))
WORDS_UNKNOWN := $(filter-out -% $(WORDS_ALL) $(WORDS_TAKEN),$(WORDS_GIVEN))
ifneq ($(WORDS_UNKNOWN),)
$(error make $(GOALS_WITH_WORDS) does not know $(WORDS_UNKNOWN:%=%=); it takes $(or $(WORDS_TAKEN:%=%=),no words))
endif
endif
endif

FINISHED_TREE := vmx-tests vmx-tests-selftest vmx-tests-iso matrix check check-labs check-class check-fresh \
	probe-mistakes lab docs grade-all gradescope
ifneq ($(wildcard handout.toml),)
ifneq ($(filter $(FINISHED_TREE),$(MAKECMDGOALS)),)
$(error make $(filter $(FINISHED_TREE),$(MAKECMDGOALS)): only in the finished tree, not in a hand-out; make help \
	lists what is here)
endif
endif
