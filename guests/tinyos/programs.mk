# tinyos' programs: each programs/NAME.c becomes an ELF file of its own, which programs.S takes
# into the image.

USER := $(BUILD)/user
# Far from address 0, so code finds its data relative to itself.
USER_CFLAGS := $(filter-out -fno-pic -fno-pie,$(CFLAGS)) -fpie

tinyos_LIBRARY  := $(addprefix $(USER)/,guests/tinyos/user/start.o guests/tinyos/user/user.o \
	guests/tinyos/user/fpu_hold.o runtime/print.o runtime/string.o)
tinyos_PROGRAMS := $(patsubst guests/tinyos/programs/%.c,$(USER)/%,$(wildcard guests/tinyos/programs/*.c))

.SECONDARY: $(tinyos_PROGRAMS:$(USER)/%=$(USER)/guests/tinyos/programs/%.o)
$(tinyos_PROGRAMS): $(USER)/%: $(USER)/guests/tinyos/programs/%.o $(tinyos_LIBRARY) guests/tinyos/user/user.lds
	$(CC) $(LDFLAGS) -Wl,-n -Wl,-T,guests/tinyos/user/user.lds -o $@.elf $(filter %.o,$^)
	$(OBJCOPY) --strip-all $@.elf $@

# Programs may use the FPU, since the kernel saves it; this one does.
$(USER)/guests/tinyos/programs/float.o: USER_CFLAGS := $(filter-out -mgeneral-regs-only,$(USER_CFLAGS))

$(USER)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -MMD -MP -c -o $@ $<

$(USER)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/guests/tinyos/programs.o: $(tinyos_PROGRAMS)
$(BUILD)/obj/guests/tinyos/programs.o: private CFLAGS += -Wa,-I$(USER)

-include $(shell find $(USER) -name '*.d' 2>/dev/null)
