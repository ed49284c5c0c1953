/*
 * Tries what a service has no business with, under the unit's own sandbox, and says what was not
 * refused.   alumhub-probe [split]   the last line is "N refused, N allowed"
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct action {
	const char *name;
	bool (*done)(void); /* true: it was not refused */
};

static bool
call(long number, long a, long b, long c, long d, long e)
{
	return syscall(number, a, b, c, d, e) >= 0;
}

static bool
family(int domain, int type, int protocol)
{
	return socket(domain, type, protocol) >= 0;
}

static bool
opens(const char *path, int flags)
{
	return open(path, flags, 0600) >= 0;
}

static bool
runs(const char *program, char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execv(program, argv);
		_exit(126);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) != 126 && WEXITSTATUS(status) != 127;
}

static bool
copy_and_run(const char *path)
{
	char *argv[] = {(char *)(uintptr_t)path, NULL};
	int from = open("/bin/true", O_RDONLY), to = open(path, O_CREAT | O_WRONLY, 0700);
	char room[4096];
	ssize_t n;

	while (from >= 0 && to >= 0 && (n = read(from, room, sizeof(room))) > 0)
		if (write(to, room, (size_t)n) != n)
			return false;
	close(to);
	return runs(path, argv);
}

/* A line each. */
/* clang-format off */
static bool netlink(void) { return family(AF_NETLINK, SOCK_RAW, 0); }
static bool packet(void) { return family(AF_PACKET, SOCK_RAW, 0); }
static bool alg(void) { return family(AF_ALG, SOCK_SEQPACKET, 0); }
static bool vsock(void) { return family(AF_VSOCK, SOCK_STREAM, 0); }
static bool bluetooth(void) { return family(AF_BLUETOOTH, SOCK_RAW, 0); }
static bool raw_ip(void) { return family(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static bool inet(void) { return family(AF_INET, SOCK_STREAM, 0); }
static bool inet6(void) { return family(AF_INET6, SOCK_STREAM, 0); }
static bool udp(void) { return family(AF_INET, SOCK_DGRAM, 0); }
static bool udp6(void) { return family(AF_INET6, SOCK_DGRAM, 0); }
static bool other_interface(void) { char n[IF_NAMESIZE]; return if_indextoname(2, n) != NULL; }

static bool
write_and_run_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0) != MAP_FAILED;
}

static bool
make_memory_run(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool memfd(void) { return call(SYS_memfd_create, (long)"x", 0, 0, 0, 0); }
static bool personality_(void) { return personality(ADDR_NO_RANDOMIZE) >= 0; }
static bool new_user(void) { return unshare(CLONE_NEWUSER) == 0; }
static bool new_mounts(void) { return unshare(CLONE_NEWNS) == 0; }
static bool new_network(void) { return unshare(CLONE_NEWNET) == 0; }
static bool new_pids(void) { return unshare(CLONE_NEWPID) == 0; }
static bool new_names(void) { return unshare(CLONE_NEWUTS) == 0; }
static bool new_cgroup(void) { return unshare(CLONE_NEWCGROUP) == 0; }
static bool enter_namespace(void) { return setns(open("/proc/self/ns/net", O_RDONLY), 0) == 0; }
static bool mount_(void) { return mount("x", "/tmp", "tmpfs", 0, NULL) == 0; }
static bool bind_mount(void) { return mount("/", "/tmp", NULL, MS_BIND, NULL) == 0; }
static bool remount(void) { return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) == 0; }
static bool unmount(void) { return umount2("/proc", MNT_DETACH) == 0; }
static bool chroot_(void) { return chroot("/tmp") == 0; }
static bool pivot(void) { return call(SYS_pivot_root, (long)"/tmp", (long)"/tmp", 0, 0, 0); }
static bool open_tree_(void) { return call(SYS_open_tree, AT_FDCWD, (long)"/", 1, 0, 0); }
static bool trace_me(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0; }
static bool trace_parent(void) { return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) == 0; }
static bool read_parent(void)
{
	char b[8];
	long there[2] = {(long)b, 8};

	return syscall(SYS_process_vm_readv, getppid(), there, 1, there, 1, 0) >= 0;
}
static bool module(void) { return call(SYS_finit_module, 0, (long)"", 0, 0, 0); }
static bool module_bytes(void) { return call(SYS_init_module, (long)"", 0, (long)"", 0, 0); }
static bool module_out(void) { return call(SYS_delete_module, (long)"x", 0, 0, 0, 0); }
static bool kexec(void) { return call(SYS_kexec_load, 0, 0, 0, 0, 0); }
static bool bpf(void) { return call(SYS_bpf, 0, 0, 0, 0, 0); }
static bool perf(void) { return call(SYS_perf_event_open, 0, 0, -1, -1, 0); }
static bool userfault(void) { return call(SYS_userfaultfd, 1, 0, 0, 0, 0); }
static bool uring(void) { char p[120] = {0}; return call(SYS_io_uring_setup, 1, (long)p, 0, 0, 0); }
static bool add_key_(void) { return call(SYS_add_key, (long)"user", (long)"x", (long)"y", 1, -3); }
static bool keyring(void) { return call(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 1, 0, 0); }
static bool set_day(void) { struct timeval t = {1, 0}; return settimeofday(&t, NULL) == 0; }
static bool set_clock(void) { struct timespec t = {1, 0}; return clock_settime(CLOCK_REALTIME, &t) == 0; }
static bool bend_clock(void) { struct timex t = {.modes = ADJ_TICK, .tick = 10000}; return adjtimex(&t) >= 0; }
static bool host_name(void) { return sethostname("x", 1) == 0; }
static bool domain_name(void) { return setdomainname("x", 1) == 0; }
static bool reboot_(void) { return reboot(RB_DISABLE_CAD) == 0; }
static bool swap(void) { return swapon("/tmp/x", 0) == 0; }
static bool account(void) { return acct(NULL) == 0; }
static bool quota(void) { return call(SYS_quotactl, 0, 0, 0, 0, 0); }
static bool kernel_log(void) { char b[64]; return klogctl(3, b, sizeof(b)) >= 0; }
static bool fanotify(void) { return call(SYS_fanotify_init, 0, 0, 0, 0, 0); }
static bool handle(void) { return call(SYS_open_by_handle_at, AT_FDCWD, (long)"", 0, 0, 0); }
static bool compare(void) { return call(SYS_kcmp, getpid(), getppid(), 0, 0, 0); }
static bool hang_up(void) { return vhangup() == 0; }
#ifdef __x86_64__
static bool ports(void) { return call(SYS_iopl, 3, 0, 0, 0, 0); }
static bool port(void) { return call(SYS_ioperm, 0x80, 1, 1, 0, 0); }
static bool segments(void) { char b[16]; return call(SYS_modify_ldt, 0, (long)b, 16, 0, 0); }
#endif
static bool memory_device(void) { return opens("/dev/mem", O_RDONLY); }
static bool log_device(void) { return opens("/dev/kmsg", O_RDONLY); }
static bool disk(void) { return opens("/dev/vda", O_RDONLY) || opens("/dev/sda", O_RDONLY); }
static bool machine(void) { return opens("/dev/kvm", O_RDWR); }
static bool fuse(void) { return opens("/dev/fuse", O_RDWR); }
static bool device(void) { return mknod("/tmp/null", S_IFCHR | 0600, makedev(1, 3)) == 0; }
static bool write_etc(void) { return opens("/etc/probe", O_CREAT | O_WRONLY); }
static bool write_usr(void) { return opens("/usr/bin/probe", O_CREAT | O_WRONLY); }
static bool write_var(void) { return opens("/var/probe", O_CREAT | O_WRONLY); }
static bool write_run(void) { return opens("/run/probe", O_CREAT | O_WRONLY); }
static bool write_units(void) { return opens("/etc/systemd/system/x.service", O_CREAT | O_WRONLY); }
static bool see_home(void) { return access("/home/somebody", F_OK) == 0; }
static bool see_root(void) { return opens("/root", O_RDONLY | O_DIRECTORY) && access("/root/.profile", F_OK) == 0; }
static bool kernel_setting(void) { return opens("/proc/sys/kernel/core_pattern", O_WRONLY); }
static bool kernel_read(void) { return opens("/proc/kallsyms", O_RDONLY); }
static bool sys_write(void) { return opens("/sys/kernel/mm/ksm/run", O_WRONLY); }
static bool cgroups(void) { return mkdir("/sys/fs/cgroup/probe", 0700) == 0; }
static bool key_file(void) { return opens("/etc/alumhub-bot/state-key", O_RDONLY); }
static bool shadow(void) { return opens("/etc/shadow", O_RDONLY); }
static bool become_root(void) { return setuid(0) == 0 && geteuid() == 0; }
static bool become_group(void) { return setgid(0) == 0 && getegid() == 0; }
static bool more_groups(void) { gid_t g = 0; return setgroups(1, &g) == 0; }
static bool real_time(void) { struct sched_param p = {1}; return sched_setscheduler(0, SCHED_FIFO, &p) == 0; }
static bool priority(void) { return setpriority(PRIO_PROCESS, 0, -5) == 0; }
static bool more_files(void) { struct rlimit r = {1 << 20, 1 << 20}; return setrlimit(RLIMIT_NOFILE, &r) == 0; }
static bool core(void) { struct rlimit r = {1 << 20, 1 << 20}; return setrlimit(RLIMIT_CORE, &r) == 0; }
static bool suid(void) { return opens("/tmp/suid", O_CREAT | O_WRONLY) && chmod("/tmp/suid", 04700) == 0; }
static bool shell(void) { char *a[] = {"/bin/sh", "-c", "exit 0", NULL}; return runs(a[0], a); }
static bool loader(void)
{
	char *a[] = {"/lib64/ld-linux-x86-64.so.2", "/bin/true", NULL};

	return runs(a[0], a);
}
static bool run_from_tmp(void) { return copy_and_run("/tmp/true"); }
static bool run_from_state(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/true", getenv("STATE_DIRECTORY") ? getenv("STATE_DIRECTORY") : "/tmp");
	return copy_and_run(path);
}
static bool signal_init(void) { return kill(1, 0) == 0; }
static bool see_processes(void) { return opens("/proc/1/cmdline", O_RDONLY); }
static bool see_modules(void) { return opens("/proc/modules", O_RDONLY); }
static bool shared_memory(void) { return opens("/dev/shm/of-others", O_RDONLY); }
/* clang-format on */

#define A(f) \
	{ \
#f, f \
	}
static const struct action actions[] = {A(netlink), A(packet), A(alg), A(vsock), A(bluetooth),
    A(raw_ip), A(write_and_run_memory), A(make_memory_run), A(memfd), A(personality_), A(new_user),
    A(new_mounts), A(new_network), A(new_pids), A(new_names), A(new_cgroup), A(enter_namespace),
    A(mount_), A(bind_mount), A(remount), A(unmount), A(chroot_), A(pivot), A(open_tree_),
    A(trace_me), A(trace_parent), A(read_parent), A(module), A(module_bytes), A(module_out),
    A(kexec), A(bpf), A(perf), A(userfault), A(uring), A(add_key_), A(keyring), A(set_day),
    A(set_clock), A(bend_clock), A(host_name), A(domain_name), A(reboot_), A(swap), A(account),
    A(quota), A(kernel_log), A(fanotify), A(handle), A(compare), A(hang_up),
#ifdef __x86_64__
    A(ports), A(port), A(segments),
#endif
    A(memory_device), A(log_device), A(disk), A(machine), A(fuse), A(device), A(write_etc),
    A(write_usr), A(write_var), A(write_run), A(write_units), A(see_home), A(see_root),
    A(kernel_setting), A(kernel_read), A(sys_write), A(cgroups), A(key_file), A(shadow),
    A(become_root), A(become_group), A(more_groups), A(real_time), A(priority), A(more_files),
    A(core), A(suid), A(shell), A(loader), A(run_from_tmp), A(run_from_state), A(signal_init),
    A(see_processes), A(see_modules), A(shared_memory)};
static const struct action without_network[] = {
    A(inet), A(inet6), A(udp), A(udp6), A(other_interface)};

/* In a child of its own, so that nothing one action does helps the next. */
static bool
allowed(const struct action *a)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(5);
		_exit(a->done() ? 77 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return true;
	return WIFEXITED(status) && WEXITSTATUS(status) == 77;
}

static int
try(const struct action *list, size_t count, int *refused)
{
	int bad = 0;

	for (size_t i = 0; i < count; i++) {
		if (allowed(&list[i])) {
			printf("ALLOWED %s\n", list[i].name);
			bad++;
		} else {
			(*refused)++;
		}
	}
	return bad;
}

int
main(int argc, char **argv)
{
	int refused = 0, bad = try(actions, sizeof(actions) / sizeof(*actions), &refused);

	if (argc > 1 && !strcmp(argv[1], "split"))
		bad += try(
		    without_network, sizeof(without_network) / sizeof(*without_network), &refused);
	printf("%d refused, %d allowed\n", refused, bad);
	return bad > 0;
}
