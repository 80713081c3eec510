# Trapeze: `make run` boots guests, `make check` runs every test, `make help` lists the rest.

# Tools: CROSS=x86_64-linux-gnu- on hosts that are not x86-64.
CROSS   ?=
CC      := $(CROSS)gcc
OBJCOPY := $(CROSS)objcopy
PYTHON  := /usr/bin/python3
BUILD   := build
-include tools/words.mk # not in every copy

# No floating point or vector register is touched: the guests' stay in place. No red zone:
# interrupts use the stack. Frame pointers: a panic prints a backtrace.
CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fno-strict-aliasing \
	-fno-tree-loop-distribute-patterns -fno-common -fno-toplevel-reorder \
	-Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wundef -Wvla \
	-Wwrite-strings -Wno-unused-parameter -I.
LDFLAGS := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,-z,noexecstack -Wl,--no-warn-rwx-segments

# Each image is the runtime, the manual's tables and a folder of its own.
# vmx-tests and labs are not in every tree: a lab's hand-out has no suites.
LABS := $(patsubst %/lab.toml,%,$(wildcard labs/*/lab.toml))
lab_image = lab$(patsubst 0%,%,$(firstword $(subst -, ,$(notdir $(1)))))-tests
TESTED_LABS := $(foreach lab,$(LABS),$(if $(wildcard $(lab)/tests*.c),$(lab)))
LAB_IMAGES := $(foreach lab,$(TESTED_LABS),$(call lab_image,$(lab)))
IMAGES := trapeze tinyos probe probe-plain selftest $(wildcard vmx-tests) $(LAB_IMAGES)
COMMON := $(wildcard runtime/*.c runtime/*.S spec/*.c)
KERNEL := $(COMMON) $(wildcard kernel/*.[cS] kernel/dev/*.c kernel/vmx/*.[cS] kernel/svm/*.[cS])
trapeze_SOURCES  := $(KERNEL)
tinyos_SOURCES   := $(COMMON) $(wildcard guests/tinyos/*.[cS])
probe_SOURCES    := $(COMMON) $(wildcard guests/probe/*.[cS])
# The probe without what needs a monitor's answers, from its start on.
probe-plain_SOURCES := $(filter-out runtime/start.c,$(COMMON)) $(filter-out guests/probe/main.c,$(wildcard guests/probe/*.[cS])) $(wildcard guests/probe/plain/*.c)
selftest_SOURCES := $(COMMON) $(wildcard runtime/selftest/*.[cS])
vmx-tests_SOURCES := $(COMMON) $(wildcard vmx-tests/*.[cS] vmx-tests/*/*.[cS])
# A lab's tests run inside the kernel, in the place of its main function; its allocator fails on demand.
LAB_KERNEL := $(filter-out kernel/main.c,$(KERNEL)) $(wildcard labs/*.[cS])
$(foreach lab,$(TESTED_LABS),$(eval $(call lab_image,$(lab))_SOURCES := $(LAB_KERNEL) $(wildcard $(lab)/tests*.c)))
LAB_LDFLAGS := $(foreach function,page_alloc page_alloc_zeroed page_free,-Wl,--wrap=$(function))

.PHONY: all
all: $(IMAGES:%=$(BUILD)/%.elf) $(IMAGES:%=$(BUILD)/%.elf32) $(addprefix $(BUILD)/,$(foreach guest,tinyos probe probe-plain,$(guest)-high.elf $(guest)-high.elf32))

# The rows of spec/'s tables, for the tools on this host.
HOSTCC ?= cc
$(BUILD)/spec-rows: tools/spec_rows.c $(wildcard spec/*.def)
	@mkdir -p $(@D)
	$(HOSTCC) -std=gnu11 -Wall -Wextra -Werror -I. -o $@ $<

# $(call image,NAME): links build/NAME.elf, which GRUB loads, and the same in the 32-bit
# container that QEMU's -kernel asks for.
define image
$(BUILD)/$(1).elf: $$(addprefix $(BUILD)/obj/,$$(addsuffix .o,$$(basename $$($(1)_SOURCES)))) runtime/image.lds
	$$(CC) $$(LDFLAGS) -Wl,-T,runtime/image.lds -o $$@ $$(filter %.o,$$^)
endef
$(LAB_IMAGES:%=$(BUILD)/%.elf): LDFLAGS += $(LAB_LDFLAGS)
$(foreach name,$(IMAGES),$(eval $(call image,$(name))))
include guests/tinyos/programs.mk

# The same guests linked at 64 MiB: with stage2=off a guest runs at its own place in the host's memory.
$(BUILD)/%-high.elf: $(BUILD)/%.elf
	$(CC) $(LDFLAGS) -Wl,--defsym=IMAGE_BASE=0x4000000 -Wl,-T,runtime/image.lds -o $@ \
		$(addprefix $(BUILD)/obj/,$(addsuffix .o,$(basename $($*_SOURCES))))

$(BUILD)/%.elf32: $(BUILD)/%.elf
	$(OBJCOPY) -O elf32-i386 $< $@

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# The targets below install what they need first; only then can anything be built.
export BUILD CC OBJCOPY
SETUP_AND_BUILD = @tools/setup $(1) && $(MAKE) --no-print-directory --silent -j2 $(or $(2),all)

.PHONY: run iso vmx-tests vmx-tests-selftest vmx-tests-iso matrix check probe goldberg bench lab grade grade-all gradescope check-class hint progress doctor lint format check-fresh docs clean help
run:
	$(call SETUP_AND_BUILD,run)
	@$(PYTHON) tools/run.py --cpu '$(CPU)' --on '$(ON)' --smp '$(SMP)' --guests '$(GUESTS)' \
		--image '$(IMAGE)' --words '$(WORDS)' --model '$(MODEL)' --mem '$(MEM)' \
		--timeout '$(TIMEOUT)' --gdb '$(GDB)'

iso:
	$(call SETUP_AND_BUILD,iso)
	@$(PYTHON) tools/run.py --iso $(BUILD)/trapeze.iso --guests '$(GUESTS)' --words '$(WORDS)'

vmx-tests vmx-tests-selftest vmx-tests-iso matrix: SUITE := vmx-tests
SUITE_FILES = $(BUILD)/$(SUITE).elf $(BUILD)/$(SUITE).elf32 $(BUILD)/spec-rows
vmx-tests:
	$(call SETUP_AND_BUILD,suite,$(SUITE_FILES))
	@$(PYTHON) tools/suite.py $(SUITE) --on '$(ON)' --model '$(MODEL)' --tests '$(TESTS)' \
		--order '$(ORDER)' --seed '$(SEED)' --smp '$(SMP)' --words '$(WORDS)'

vmx-tests-selftest:
	$(call SETUP_AND_BUILD,suite,$(SUITE_FILES))
	@$(PYTHON) tools/suite.py $(SUITE) --selftest --on '$(ON)' --model '$(MODEL)' --tests '$(TESTS)' \
		--smp '$(SMP)' --seeds '$(SEEDS)'

vmx-tests-iso:
	$(call SETUP_AND_BUILD,check,$(SUITE_FILES))
	@$(PYTHON) tools/suite.py $(SUITE) --iso $(BUILD)/$(SUITE).iso --words '$(WORDS)'

matrix:
	$(call SETUP_AND_BUILD,suite,$(SUITE_FILES))
	@$(PYTHON) tools/suite.py $(SUITE) --matrix

check:
	$(call SETUP_AND_BUILD,check,all $(BUILD)/spec-rows)
	@$(PYTHON) tools/check.py $(TESTS)

probe:
	$(call SETUP_AND_BUILD,run)
	@$(PYTHON) tools/probe.py --cpu '$(CPU)' --on '$(ON)' --model '$(MODEL)' --quick '$(QUICK)' \
		--forms '$(FORMS)' --sweeps '$(SWEEPS)' --smp '$(SMP)' --seed '$(SEED)' --programs '$(PROGRAMS)' --program '$(PROGRAM)' \
		--stage2 '$(STAGE2)' --plain '$(PLAIN)' --gdb '$(GDB)'

.PHONY: check-labs
check-labs:
	@tools/setup check
	@$(PYTHON) tools/check_labs.py --tests '$(TESTS)'

.PHONY: probe-mistakes
probe-mistakes:
	$(call SETUP_AND_BUILD,run)
	@$(PYTHON) tools/mistakes.py --on '$(ON)' $(MISTAKES)

.PHONY: probe-efficiency
probe-efficiency:
	$(call SETUP_AND_BUILD,run)
	@$(PYTHON) tools/efficiency.py

goldberg:
	$(call SETUP_AND_BUILD,suite)
	@$(PYTHON) tools/goldberg.py --forms '$(FORMS)'

bench:
	$(call SETUP_AND_BUILD,run)
	@$(PYTHON) tools/bench.py

lab:
	@tools/setup run
	@$(PYTHON) tools/lab.py --lab '$(N)' --vendor '$(VENDOR)' --base '$(BASE)' --out '$(OUT)'

# In a student's tree and in the finished one: what works of lab N. grade-all and gradescope: for a class.
GRADE = @$(PYTHON) tools/grade.py --lab '$(N)' --vendor '$(VENDOR)' --seed '$(SEED)' --format '$(FORMAT)'
# What grading a lab boots; a hand-out knows which lab it is.
GRADED = $(or $(N),$(shell sed -n 's/^lab = //p' handout.toml 2>/dev/null))
GRADED_GUESTS = $(if $(filter-out 0 1 2,$(GRADED)),trapeze tinyos tinyos-high probe probe-high probe-plain-high)
GRADED_IMAGES = $(if $(GRADED),$(filter lab$(GRADED)-tests,$(LAB_IMAGES)) $(GRADED_GUESTS))
grade:
	$(call SETUP_AND_BUILD,grade,$(foreach image,$(GRADED_IMAGES),$(BUILD)/$(image).elf $(BUILD)/$(image).elf32))
	$(GRADE) --tests '$(TESTS)' --out '$(OUT)' --gdb '$(GDB)'

grade-all:
	@tools/setup grade
	$(GRADE) --submissions '$(SUBMISSIONS)' --jobs '$(JOBS)' --out '$(OUT)' $(if $(ISOLATED),--already-isolated)

gradescope:
	@tools/setup grade
	$(GRADE) --gradescope

# The grader's own test: everything that a class may hand in.
check-class:
	@tools/setup grade
	@$(PYTHON) tools/class.py --lab '$(or $(N),1)' --only '$(TESTS)' --total 100 --interrupt 20 --again 20

hint:
	@tools/setup run
	$(GRADE) --hint '$(EXERCISE)'

progress:
	$(call SETUP_AND_BUILD,grade)
	$(GRADE) --progress

doctor:
	@command -v $(PYTHON) >/dev/null || tools/setup run
	@$(PYTHON) tools/doctor.py

lint:
	@tools/setup lint
	@tools/lint

format:
	@tools/setup lint
	@git ls-files '*.c' '*.h' | xargs clang-format -i

docs:
	$(call SETUP_AND_BUILD,docs,$(BUILD)/vmx-tests.elf $(BUILD)/spec-rows)
	@$(PYTHON) tools/docs.py $(if $(OUTPUTS),--outputs)

check-fresh:
	@tools/fresh $(RELEASE)

clean:
	rm -rf $(BUILD)

help:
	@cat tools/help.txt
