/* The error numbers that functions return, negated. The set is small on purpose: a caller
   either handles an error or reports it by name with error_name(). */
#ifndef RUNTIME_ERRNO_H
#define RUNTIME_ERRNO_H

#define EPERM    1  /* not permitted, e.g. locked off by firmware */
#define ENOENT   2  /* nothing of that name */
#define EIO      5  /* a device or the CPU reported failure */
#define E2BIG    7  /* too large for where it should go */
#define ENOEXEC  8  /* not an image of a kind that can be run */
#define EAGAIN   11 /* not now; later may succeed */
#define ENOMEM   12 /* no memory left */
#define EFAULT   14 /* an address that is not mapped or not allowed */
#define EBUSY    16 /* already in use */
#define EEXIST   17 /* already there */
#define ENODEV   19 /* no such device or CPU feature */
#define EINVAL   22 /* an argument outside the contract */
#define ENOSPC   28 /* no room left in a table */
#define ENOSYS   38 /* not implemented by this image (an exercise not yet written) */
#define ETIMEDOUT 110 /* the other side did not answer in time */

/* The name of a (positive or negative) error number, e.g. "EINVAL"; "E?" for an unknown one. */
const char *error_name(int error);

#endif
