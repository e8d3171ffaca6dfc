/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/doctor.h"

#include "base/bytes.h"
#include "control/paths.h"
#include "os/process.h"
#include "run/filter.h"
#include "run/holder.h"
#include "run/kernel.h"
#include "run/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void examination(struct doctor_finding *finding); /* a function, not a struct */

__attribute__((format(printf, 2, 3))) static void found(struct doctor_finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding->found, sizeof(finding->found), format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 3, 4))) static void advise(struct doctor_finding *finding, enum doctor_verdict verdict,
							 const char *format, ...)
{
	va_list arguments;

	finding->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(finding->advice, sizeof(finding->advice), format, arguments);
	va_end(arguments);
}

/* Run trial in a child; it returns 0 or a negative errno. */
static int in_child(int (*trial)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child == 0)
		_exit(-trial());
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EFAULT;
}

/* The number in a file of the kernel's, or otherwise. */
static long number_in(const char *path, long otherwise)
{
	FILE *file = fopen(path, "re");
	long number;

	if (!file)
		return otherwise;
	if (fscanf(file, "%ld", &number) != 1)
		number = otherwise;
	fclose(file);
	return number;
}

static void examine_kernel(struct doctor_finding *finding)
{
	const char *why = filter_unsupported();
	struct utsname system;
	unsigned major = 0, minor = 0;

	finding->name = "kernel";
	uname(&system);
	found(finding, "%s %.60s on %.20s", system.sysname, system.release, system.machine);
	if (why)
		advise(finding, DOCTOR_BAD, "%s", why);
	else if (sscanf(system.release, "%u.%u", &major, &minor) == 2 && (major < 6 || (major == 6 && minor < 6)))
		advise(finding, DOCTOR_NOTE, "6.6 and later answer the program's socket calls five times faster");
	else
		advise(finding, DOCTOR_GOOD, "all that Berth needs is there, quick wake-ups (6.6) too");
}

static int try_filter(void)
{
	int fd;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	fd = filter_install(false);
	return fd < 0 ? fd : 0;
}

/* EBUSY: by whom? */
static void advise_listener(struct doctor_finding *finding)
{
	char owner[64];

	if (process_is_run(getpid()) > 0)
		advise(finding, DOCTOR_BAD,
		       "this is inside berth run, which listens already, and there can be one: start from outside it");
	else if (listener_owner(owner, sizeof(owner)))
		advise(finding, DOCTOR_BAD, "process %s listens already, and there can be one: start from outside it",
		       owner);
	else
		advise(finding, DOCTOR_BAD,
		       "a listener is there already (a container's own, another supervisor's), and there can be one: "
		       "start from outside it");
}

static void examine_filter(struct doctor_finding *finding)
{
	int r = in_child(try_filter);

	finding->name = "seccomp";
	found(finding, "a filter with a listener %s", r ? "is refused" : "can be installed");
	if (!r)
		advise(finding, DOCTOR_GOOD, "through it Berth answers the program's socket calls");
	else if (r == -EBUSY)
		advise_listener(finding);
	else if (r == -EACCES || r == -EPERM)
		advise(finding, DOCTOR_BAD, "a container's profile forbids it: allow seccomp(2) there");
	else
		advise(finding, DOCTOR_BAD, "%s: does the kernel have CONFIG_SECCOMP_FILTER?", strerror(-r));
}

/* A child to be looked at; it ends with us or when it is told to. */
static pid_t patient_start(void)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return child;
}

static void patient_end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Can be told what descriptors a child has? */
static bool can_see(pid_t child)
{
	char path[64], target[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", child, STDERR_FILENO);
	return readlink(path, target, sizeof(target)) >= 0 || errno == ENOENT;
}

static bool can_take(pid_t child)
{
	int pidfd = kernel_pidfd_open(child, 0);
	int copy = pidfd < 0 ? pidfd : kernel_pidfd_getfd(pidfd, STDERR_FILENO);

	if (copy >= 0)
		close(copy);
	if (pidfd >= 0)
		close(pidfd);
	return copy >= 0 || copy == -EBADF; /* it has none, and we were allowed to ask */
}

static void examine_descriptors(struct doctor_finding *finding)
{
	pid_t child = patient_start();
	bool refused = holders_needed();

	finding->name = "descriptors";
	found(finding, refused ? "pidfd_getfd() is refused: sockets are known by /proc/PID/fd"
			       : "pidfd_getfd() works: sockets are known by their names");
	if (refused && (child < 0 || !can_see(child)))
		advise(finding, DOCTOR_BAD, "and /proc/PID/fd can't be read: in a container, add --cap-add SYS_PTRACE");
	else if (refused)
		advise(finding, DOCTOR_NOTE,
		       "closing is noticed up to 10 ms late: in a container, --cap-add SYS_PTRACE does away with that");
	else if (!can_take(child))
		advise(finding, DOCTOR_BAD, "but not of a child: see yama below");
	if (child > 0)
		patient_end(child);
}

/* Can a child's memory be read and written, by the calls for that? 0 or a negative errno. */
static int try_memory(pid_t child)
{
	static char here = 'x';
	char there = 0;
	struct iovec local = { &there, 1 }, remote = { &here, 1 };

	if (process_vm_readv(child, &local, 1, &remote, 1, 0) != 1 ||
	    process_vm_writev(child, &local, 1, &remote, 1, 0) != 1)
		return -errno;
	return 0;
}

static int try_memory_file(pid_t child)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", child);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void examine_memory(struct doctor_finding *finding)
{
	pid_t child = patient_start();
	int direct = child > 0 ? try_memory(child) : -EAGAIN, file = child > 0 ? try_memory_file(child) : -EAGAIN;

	finding->name = "memory";
	found(finding, "a child's memory can be reached%s", !direct ? "" : file ? ": no" : " by /proc/PID/mem only");
	if (direct && file)
		advise(finding, DOCTOR_BAD, "%s: in a container, add --cap-add SYS_PTRACE; else see yama below",
		       strerror(-direct));
	else if (direct)
		advise(finding, DOCTOR_NOTE,
		       "process_vm_readv() or _writev() is refused: in a container, --cap-add SYS_PTRACE makes calls faster");
	if (child > 0)
		patient_end(child);
}

static void examine_yama(struct doctor_finding *finding)
{
	long scope = yama_scope();

	finding->name = "yama";
	if (scope < 0)
		found(finding, "Yama is not there");
	else
		found(finding, "Yama's ptrace_scope is %ld", scope);
	if (yama_refuses())
		advise(finding, DOCTOR_BAD,
		       "a parent may not look into its children: sysctl kernel.yama.ptrace_scope=1%s",
		       scope == 2 ? ", or be root" : " (3 stays until the machine is started anew)");
	else if (scope <= 0)
		advise(finding, DOCTOR_GOOD, "a program may trace the user's other processes, berth run or not%s",
		       scope ? "" : ": 1 closes that");
	else
		advise(finding, DOCTOR_GOOD,
		       scope == 1 ? "Berth looks into its own children only, which is allowed"
				  : "as root Berth may look into its children all the same");
}

/* Names, with commas, of the calls of this kind that are refused. */
static size_t list_refused(int need, char *text, size_t size)
{
	size_t count = 0, length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < profile_call_count; i++) {
		const struct profile_call *call = &profile_calls[i];

		if (call->need != (unsigned)need || !profile_refuses(call))
			continue;
		length += (size_t)snprintf(text + MIN(length, size), size - MIN(length, size), "%s%s",
					   count++ ? ", " : "", call->name);
	}
	return count;
}

static void examine_container(struct doctor_finding *finding)
{
	const char *container = profile_container();
	char needed[80], replaced[80], unused[60];
	size_t missed = list_refused(PROFILE_NEEDED, needed, sizeof(needed));
	size_t more = list_refused(PROFILE_REPLACE, replaced, sizeof(replaced)) +
		      list_refused(PROFILE_UNUSED, unused, sizeof(unused));

	finding->name = "container";
	found(finding, "%s%.20s, %s%s%s%s%s%s", container ? "in " : "in none that shows", container ? container : "",
	      missed + more	   ? "a profile refuses "
	      : profile_filtered() ? "a profile that refuses nothing of Berth's"
				   : "no profile (seccomp filter)",
	      needed, missed && more ? ", " : "", replaced, replaced[0] && unused[0] ? ", " : "", unused);
	if (missed)
		advise(finding, DOCTOR_BAD, "Berth needs %s: allow that in the profile", needed);
	else if (replaced[0])
		advise(finding, DOCTOR_NOTE,
		       "Berth goes other ways, which are slower: see descriptors and memory above");
	else
		advise(finding, DOCTOR_GOOD, more ? "Berth does not need them" : "nothing is in Berth's way");
}

static void examine_directory(struct doctor_finding *finding)
{
	char path[200];
	int r = network_root(path, sizeof(path));

	finding->name = "directory";
	found(finding, "networks live below %s", r < 0 ? "?" : path);
	if (r >= 0 && (r = network_path("berth-doctor", "", 1, path, sizeof(path))) >= 0)
		rmdir(path);
	if (r < 0)
		advise(finding, DOCTOR_BAD, "%s: it has to be yours alone; set XDG_RUNTIME_DIR to another one",
		       strerror(-r));
}

static void examine_limits(struct doctor_finding *finding)
{
	struct rlimit limit = { 0 };

	finding->name = "open files";
	getrlimit(RLIMIT_NOFILE, &limit);
	found(finding, "up to %llu in the daemon, two for each conversation", (unsigned long long)limit.rlim_max);
	if (limit.rlim_max < 4096)
		advise(finding, DOCTOR_NOTE, "raise the hard limit (ulimit -Hn) for more than %llu conversations",
		       (unsigned long long)limit.rlim_max / 2);
}

static void examine_buffers(struct doctor_finding *finding)
{
	long size = number_in("/proc/sys/net/core/wmem_max", 0);

	finding->name = "buffers";
	found(finding, "net.core.wmem_max is %ld", size);
	if (size && size < 1 << 20)
		advise(finding, DOCTOR_NOTE, "bulk transfers are faster with 4194304");
}

static int try_namespace(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ? -errno : 0;
}

static void examine_namespaces(struct doctor_finding *finding)
{
	finding->name = "namespaces";
	found(finding, "user namespaces are %s", in_child(try_namespace) ? "refused" : "allowed");
	advise(finding, DOCTOR_GOOD, "Berth does not need them, and makes none");
}

static void examine_tun(struct doctor_finding *finding)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), error = errno;

	finding->name = "tun";
	found(finding, "/dev/net/tun %s%s", fd < 0 ? "can't be opened: " : "can be opened",
	      fd < 0 ? strerror(error) : "");
	advise(finding, DOCTOR_GOOD, "berth run does not need it; libberth's TAP driver does");
	if (fd >= 0)
		close(fd);
}

static void *thread_nothing(void *context)
{
	return context;
}

/* What berth run begins with: processes, of which one has threads. */
static int try_thread(void)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, thread_nothing, NULL);

	if (!r)
		pthread_join(thread, NULL);
	return -r;
}

static void examine_processes(struct doctor_finding *finding)
{
	struct rlimit limit = { 0 };
	int r = in_child(try_thread);

	finding->name = "processes";
	getrlimit(RLIMIT_NPROC, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		found(finding, "as many as the machine can, of which berth run adds two for each program");
	else
		found(finding, "up to %llu of this user's, of which berth run adds two for each program",
		      (unsigned long long)limit.rlim_cur);
	if (r)
		advise(finding, DOCTOR_BAD, "one more is refused (%s): raise the limit (ulimit -u), or end some",
		       strerror(-r));
}

static void examine_ports(struct doctor_finding *finding)
{
	long first = number_in("/proc/sys/net/ipv4/ip_unprivileged_port_start", 1024);

	finding->name = "ports";
	found(finding, "-p can publish ports of this machine from %ld on", geteuid() ? first : 1);
	advise(finding, DOCTOR_GOOD, "on Berth's networks every program may have any port");
}

size_t doctor_examine(struct doctor_finding findings[DOCTOR_FINDINGS])
{
	static examination *const examinations[] = {
		examine_kernel,	   examine_filter,     examine_descriptors, examine_memory,    examine_yama,
		examine_container, examine_namespaces, examine_tun,	    examine_directory, examine_limits,
		examine_buffers,   examine_processes,  examine_ports,
	};

	for (size_t i = 0; i < COUNT_OF(examinations); i++) {
		findings[i] = (struct doctor_finding){ .verdict = DOCTOR_GOOD };
		examinations[i](&findings[i]);
	}
	return COUNT_OF(examinations);
}
