/* What a guest can reach that is not its own, where nothing is between it and the machine's memory:
   with stage2=off it succeeds, and lab 5 is about that. */
#ifndef PROBE_PLAIN_REACH_H
#define PROBE_PLAIN_REACH_H

/* Tries, and prints a line "^ NAME VALUE" for each attempt: what it read, in hexadecimal; all ones
   is what a PC's bus answers where nobody is. What it wrote it puts back. */
void reach_run(void);

#endif
