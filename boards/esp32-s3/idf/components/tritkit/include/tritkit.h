/* The component's one function. */
#ifndef TRITKIT_H
#define TRITKIT_H

/*
 * Takes UART0, the partition "models" and the module's memory, and serves the wire. Does not return. Runs one model on one core; its task needs
 * 8 KiB of stack, and a core whose idle task nobody watches.
 */
int tritkit_run(void);

#endif
