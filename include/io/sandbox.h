/*
 * What the kernel lets this process do from now on (Landlock), below whatever the unit forbids.
 * There is no way back, and what is started later inherits it. A kernel without it, or with less of
 * it, is no error: each part is asked for only where the kernel has it.
 */
#ifndef IO_SANDBOX_H
#define IO_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

struct sandbox {
	bool files;		  /* only what follows can be read and written */
	const char *const *read;  /* files and folders, NULL-terminated; absent ones are left out */
	const char *const *write; /* folders, with all below */
	const char *const *run;	  /* the programs that may be started, and nothing else */
	const uint16_t *ports;	  /* TCP ports that may be connected to; no port is listened on */
	int port_count;
};

/* The kernel's version of Landlock; 0: none. */
int sandbox_abi(void);
/* Before the first thread. The version in use; 0: nothing is confined. */
int sandbox_enter(const struct sandbox *sandbox);

#endif
