/* Brings tinyos up in order, each part resting on those before it, and starts the shell. */
#include "runtime/errno.h"
#include "runtime/image.h"
#include "runtime/panic.h"
#include "runtime/print.h"

#include "guests/tinyos/fault.h"
#include "guests/tinyos/fpu.h"
#include "guests/tinyos/frame.h"
#include "guests/tinyos/interrupt.h"
#include "guests/tinyos/serial.h"
#include "guests/tinyos/shell.h"
#include "guests/tinyos/syscall.h"
#include "guests/tinyos/thread.h"
#include "guests/tinyos/timer.h"
#include "guests/tinyos/vm.h"

const char image_name[] = "tinyos";
const char *const image_words[] = { "script", NULL };

void image_main(void)
{
	static struct thread shell;

	print("tinyos: a small operating system; type help\n");
	vm_init();
	fpu_init();
	fault_init();
	syscall_init();
	thread_init();
	interrupt_init();
	serial_init();
	timer_init();
	panic_hook = serial_flush;
	if (frame_init() != 0 || thread_create(&shell, shell_main) != 0)
		image_error("too little memory");
	thread_idle();
}
