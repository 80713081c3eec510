/* Exercises that are not written yet: the bodies that a lab's hand-out has in their place. Each
   leaves a record in the image, so that a boot says what is missing; what they are to do is the
   labs'. */
#ifndef RUNTIME_EXERCISE_H
#define RUNTIME_EXERCISE_H

#ifndef __ASSEMBLER__

#include "runtime/compiler.h"
#include "runtime/errno.h"

struct exercise {
	const char *name;   /* of the function or routine */
	const char *vendor; /* "intel", "amd": whose CPU asks for it; "": both */
	const char *page;   /* of the book */
	unsigned int lab;
};

/* The first statement of a stub; the function then returns what its contract says of failure. */
#define EXERCISE_MISSING(name_, vendor_, lab_, page_)                                              \
	do {                                                                                       \
		static const struct exercise exercise_                                             \
			__attribute__((used, section(".exercises"), aligned(8))) = {               \
				.name = name_, .vendor = vendor_, .page = page_, .lab = lab_       \
			};                                                                         \
		exercise_reached(&exercise_);                                                      \
	} while (0)

/* Prints "exercise missing: NAME (lab N, page PAGE)" for each exercise that this CPU's vendor asks
   for, lab by lab. */
void exercise_list(void);

/* Prints "exercise reached: NAME (lab N, page PAGE)", once for each exercise. */
void exercise_reached(const struct exercise *exercise);

/* The same, and ends the image: where a whole routine is missing there is nothing to return to.
   Stubs in assembly jump to exercise_missing with the record's address in RDI, on any stack. */
void exercise_end(const struct exercise *exercise) __noreturn;

#else

/* EXERCISE_MISSING name, vendor, lab, page: the whole body of a routine in assembly. */
	/* clang-format off */
	.macro EXERCISE_MISSING name:req, vendor:req, lab:req, page:req
	.pushsection .rodata
1:	.asciz "\name"
2:	.asciz "\vendor"
3:	.asciz "\page"
	.popsection
	.pushsection .exercises, "a"
	.balign 8
4:	.quad 1b, 2b, 3b
	.long \lab, 0
	.popsection
	movq $4b, %rdi
	jmp exercise_missing
	.endm
	/* clang-format on */

#endif
#endif
