/* The names of the model-specific registers of msr.def. */
#include "spec/cpu.h"

const char *msr_name(uint32_t number)
{
	switch (number) {
#define MSR(name, value, citation)                                                                 \
	case value:                                                                                \
		return #name;
#include "spec/msr.def"
#undef MSR
	}
	return NULL;
}
