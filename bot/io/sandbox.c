#include "io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What newer kernels have and Debian 12's headers do not name. */
enum {
	FS_REFER = 1 << 13,	/* since version 2 */
	FS_TRUNCATE = 1 << 14,	/* 3 */
	FS_IOCTL_DEV = 1 << 15, /* 5 */
	NET_BIND_TCP = 1 << 0,	/* 4 */
	NET_CONNECT_TCP = 1 << 1,
	RULE_NET_PORT = 2,
	SCOPE_ABSTRACT_UNIX = 1 << 0, /* 6 */
	SCOPE_SIGNAL = 1 << 1,
};

struct ruleset {
	uint64_t files, network, scoped;
};

struct port_rule {
	uint64_t allowed, port;
};

enum {
	RUN = LANDLOCK_ACCESS_FS_EXECUTE,
	READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	WRITE = READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | FS_REFER | FS_TRUNCATE,
	NEVER = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | FS_IOCTL_DEV,
	/* What may be allowed for a file that is no folder. */
	OF_A_FILE =
	    RUN | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE,
};

/* A program is started by this one, which may therefore be started. */
static const char *const loaders[] = {
    "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", NULL};

int
sandbox_abi(void)
{
	long abi =
	    syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static uint64_t
known_files(int abi)
{
	uint64_t all = RUN | WRITE | NEVER;

	if (abi < 2)
		all &= ~(uint64_t)FS_REFER;
	if (abi < 3)
		all &= ~(uint64_t)FS_TRUNCATE;
	if (abi < 5)
		all &= ~(uint64_t)FS_IOCTL_DEV;
	return all;
}

static struct ruleset
wanted(const struct sandbox *s, int abi)
{
	const char *notify = getenv("NOTIFY_SOCKET");
	struct ruleset r = {.files = s->files ? known_files(abi) : RUN};

	if (abi >= 4)
		r.network = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 6)
		r.scoped = SCOPE_SIGNAL | (notify && notify[0] == '@' ? 0 : SCOPE_ABSTRACT_UNIX);
	return r;
}

static void
allow_path(int rules, const char *path, uint64_t allowed)
{
	struct landlock_path_beneath_attr rule = {
	    .parent_fd = open(path, O_PATH | O_CLOEXEC), .allowed_access = allowed};
	struct stat st;

	if (rule.parent_fd < 0)
		return;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_A_FILE;
	if (rule.allowed_access)
		syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

static void
allow_paths(int rules, const char *const *paths, uint64_t allowed)
{
	for (; paths && *paths; paths++)
		allow_path(rules, *paths, allowed);
}

int
sandbox_enter(const struct sandbox *s)
{
	int abi = sandbox_abi(), rules;
	struct ruleset r = wanted(s, abi);
	/* An older kernel refuses what it does not know, even when it is nothing. */
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	bool entered;

	if (abi == 0)
		return 0;
	rules = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
	if (rules < 0)
		return 0;
	allow_paths(rules, s->run, r.files & (RUN | READ));
	allow_paths(rules, loaders, r.files & (RUN | READ));
	allow_paths(rules, s->read, r.files & READ);
	allow_paths(rules, s->write, r.files & WRITE);
	if (s->files)
		allow_path(rules, "/dev/null", r.files & (READ | LANDLOCK_ACCESS_FS_WRITE_FILE));
	for (int i = 0; r.network && i < s->port_count; i++) {
		struct port_rule rule = {.allowed = NET_CONNECT_TCP, .port = s->ports[i]};

		syscall(SYS_landlock_add_rule, rules, RULE_NET_PORT, &rule, 0);
	}
	entered = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		  syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	close(rules);
	return entered ? abi : 0;
}
