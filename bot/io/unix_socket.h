/* UNIX sockets with a name in the file system, however long the name is. */
#ifndef IO_UNIX_SOCKET_H
#define IO_UNIX_SOCKET_H

#include <sys/types.h>

/* Listens, without waiting; an old socket of that name is removed first. -1 and errno. */
int unix_listen(const char *path, mode_t mode);
/* Waits. -1 and errno. */
int unix_connect(const char *path);

#endif
