/*
 * Every point of a scenario fails in a copy of its own: the world is played once, without a fault,
 * and before each point (an HTTP exchange, a change to the disk, an allocation of SQLite) the
 * process forks. In the copy that point fails, once or with all that follow it, or the bot is
 * killed there, and the copy goes on to the end, is looked at like any world, and ends with its
 * verdict. A point is what
 * --nth-exchange, --nth-disk, --nth-kill and --nth-memory count, so each comes again by itself.
 */
#include "sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash_vfs.h"

enum { JOBS_MOST = 16, HANGS_S = 600, VIOLATED = 3 };

static const char *const names[] = {[POINT_EXCHANGE] = "exchange",
    [POINT_DISK] = "disk",
    [POINT_KILL] = "kill",
    [POINT_MEMORY] = "memory"};

/* What the copies say of themselves. The sum of their traces tells whether two sweeps are the same.
 */
static struct sums {
	uint64_t traces[2];
} * sums;

static struct {
	bool copy;
	struct running {
		pid_t pid; /* 0: none */
		int64_t number;
		bool for_ever;
	} running[JOBS_MOST];
	int jobs;
	int64_t met, tried[2], failed[2];
} here;

enum point
sweep_named(const char *name)
{
	for (int i = POINT_EXCHANGE; i <= POINT_MEMORY; i++)
		if (!strcmp(name, names[i]))
			return (enum point)i;
	return POINT_NONE;
}

/* ---- copies ---- */

static void
ended(struct running *r, int status)
{
	if (status)
		here.failed[r->for_ever]++;
	/* One in which something did not hold has said so itself. */
	if (status && (!WIFEXITED(status) || WEXITSTATUS(status) != VIOLATED)) {
		printf("failed: it ended with status %d, signal %d; ",
		    WIFEXITED(status) ? WEXITSTATUS(status) : 0,
		    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		sim_print_options();
		printf(" --nth-%s %lld%s\n", names[sim.o.sweep], (long long)r->number,
		    r->for_ever ? " --for-ever" : "");
	}
	r->pid = 0;
	here.jobs--;
}

static void
wait_for_copies(int most)
{
	int status;
	pid_t pid;

	while (here.jobs > most && (pid = wait(&status)) > 0)
		for (int i = 0; i < JOBS_MOST; i++)
			if (here.running[i].pid == pid)
				ended(&here.running[i], status);
}

static void
become_copy(int64_t number, bool for_ever)
{
	here.copy = true;
	alarm(HANGS_S);
	folder_copied();
	crash_vfs_each(NULL);
	sim.o.for_ever = for_ever;
	switch (sim.o.sweep) {
	case POINT_EXCHANGE:
		sim.o.nth_exchange = number;
		break;
	case POINT_DISK:
		sim.o.nth_disk = number;
		crash_vfs_fail_after(1, for_ever);
		break;
	case POINT_KILL:
		sim.o.nth_kill = number;
		crash_vfs_cut_after(1);
		break;
	case POINT_MEMORY:
		sim.o.nth_memory = number;
		memory_fail_at(number, for_ever);
		break;
	case POINT_NONE:
		break;
	}
	sim.o.sweep = POINT_NONE;
}

bool
sweep_is_copy(void)
{
	return here.copy;
}

/* True in the copy. */
static bool
copy(int64_t number, bool for_ever)
{
	struct running *r = here.running;
	pid_t pid;

	wait_for_copies(sim.o.jobs - 1);
	fflush(stdout);
	here.tried[for_ever]++;
	pid = fork();
	if (pid < 0) {
		perror("sim: fork");
		exit(2);
	}
	if (!pid) {
		become_copy(number, for_ever);
		return true;
	}
	while (r->pid)
		r++;
	*r = (struct running){pid, number, for_ever};
	here.jobs++;
	return false;
}

void
sweep_point(enum point point, int64_t number)
{
	if (point != sim.o.sweep || sim.calm)
		return;
	here.met++;
	if ((number - 1 - sim.o.every / 2) % sim.o.every)
		return;
	if (!copy(number, false) && point != POINT_KILL)
		copy(number, true);
}

static void
disk_point(void)
{
	sweep_point(sim.o.sweep, crash_vfs_operations() + 1);
}

/* ---- begin and end ---- */

void
sweep_begin(void)
{
	if (sim.o.sweep == POINT_NONE)
		return;
	sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sums == MAP_FAILED)
		exit(2);
	if (sim.o.jobs > JOBS_MOST)
		sim.o.jobs = JOBS_MOST;
	if (sim.o.sweep == POINT_DISK || sim.o.sweep == POINT_KILL)
		crash_vfs_each(disk_point);
}

static void
print_sums(enum point point)
{
	for (int i = 0; i < (point == POINT_KILL ? 1 : 2); i++)
		printf("sweep: %s %s points=%lld tried=%lld failed=%lld traces=%016llx\n",
		    names[point], i ? "for_ever" : "once", (long long)here.met,
		    (long long)here.tried[i], (long long)here.failed[i],
		    (unsigned long long)sums->traces[i]);
}

int
sweep_end(bool good)
{
	if (here.copy) {
		__atomic_fetch_add(&sums->traces[sim.o.for_ever], sim.trace, __ATOMIC_RELAXED);
		return good ? 0 : VIOLATED;
	}
	wait_for_copies(0);
	crash_vfs_each(NULL);
	print_sums(sim.o.sweep);
	return good && !here.failed[0] && !here.failed[1] ? 0 : 1;
}
