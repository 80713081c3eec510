/* The I/O and MSR permission maps: which ports and MSRs a guest reaches without an exit. They are
   the same for all guests of a kind, so they exist once. */
#ifndef KERNEL_SVM_PERMISSION_H
#define KERNEL_SVM_PERMISSION_H

#include "runtime/compiler.h"

/* Fills the maps. Before the first guest is made; may be called again. */
void svm_permission_init(void);

/* The I/O permissions map ("I/O Permissions Map"): every port exits; for a guest without nested
   paging COM1 does not, it owns that. */
const uint8_t *svm_permission_io(bool stage2);

/* The MSR permissions map ("MSR Intercepts"): every MSR exits but those that the world switch or
   switched_load() gives each guest of its own. */
const uint8_t *svm_permission_msr(void);

#endif
