/* ACPI's power management timer (ACPI specification, "Power Management Timer"). */
#ifndef SPEC_PM_TIMER_H
#define SPEC_PM_TIMER_H

#include "runtime/compiler.h"

#define PM_TIMER_HZ	  3579545 /* counts per second */
#define PM_TIMER_MASK	  BITS(23, 0) /* the bits that every PM timer has */

#endif
