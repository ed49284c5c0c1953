/* A disk whose sync takes longer: LD_PRELOAD=build/bench/slow_sync.so SLOW_SYNC_MS=10. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void
wait_a_little(void)
{
	const char *ms = getenv("SLOW_SYNC_MS");
	long n = ms ? strtol(ms, NULL, 10) : 10;
	struct timespec t = {n / 1000, n % 1000 * 1000000};

	nanosleep(&t, NULL);
}

int
fsync(int fd)
{
	wait_a_little();
	return (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	wait_a_little();
	return (int)syscall(SYS_fdatasync, fd);
}
