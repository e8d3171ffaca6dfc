/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults on demand: preloaded (LD_PRELOAD) into everything that a berth run
 * starts, this counts the steps that each part makes, and at the one that is
 * asked for kills it, stops it, lets the call fail or sets the clock. So a
 * fault can be had again, without a build of its own.
 *
 *	BERTH_FAULT=PART:WHAT:NUMBER:ACTION[:COUNT]	the default count is 1; 0: from then on, for ever
 *	BERTH_FAULT_FILE=FILE				counters, shared by all parts (struct shared)
 *
 *	PART	front, supervisor, daemon, child (the supervisor's, before it
 *		becomes the program), program
 *	WHAT	step (a call to the kernel of those below), descriptor (that makes
 *		one), memory (an allocation)
 *	ACTION	kill, stop, an errno's number, wall SECONDS, monotonic SECONDS
 *		(the clock jumps, both ways), none (only count)
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { PART_FRONT, PART_SUPERVISOR, PART_DAEMON, PART_CHILD, PART_PROGRAM, PART_COUNT };
enum { WHAT_STEP, WHAT_DESCRIPTOR, WHAT_MEMORY, WHAT_COUNT };

static const char *const part_names[] = { "front", "supervisor", "daemon", "child", "program" };
static const char *const what_names[] = { "step", "descriptor", "memory" };

/* What the driver reads. */
struct shared {
	uint64_t counts[PART_COUNT][WHAT_COUNT];
	uint64_t fired, pid;
	char call[32];
};

static struct shared *shared;
static int base_part = PART_PROGRAM;
static int wanted_part = -1, wanted_what, action_error, wanted_signal;
static uint64_t wanted_number, wanted_count = 1;
static time_t wall_jump, monotonic_jump;

static int find(const char *word, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(word, names[i]))
			return i;
	return -1;
}

static void read_action(const char *action)
{
	if (!strcmp(action, "kill"))
		wanted_signal = SIGKILL;
	else if (!strcmp(action, "stop"))
		wanted_signal = SIGSTOP;
	else if (!strncmp(action, "wall ", 5))
		wall_jump = atol(action + 5);
	else if (!strncmp(action, "monotonic ", 10))
		monotonic_jump = atol(action + 10);
	else
		action_error = atoi(action);
}

__attribute__((constructor)) static void begin(int argc, char **argv)
{
	const char *path = getenv("BERTH_FAULT_FILE"), *fault = getenv("BERTH_FAULT"), *berth = getenv("BERTH");
	char part[16], what[16], action[32], own[4096];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *memory = MAP_FAILED;

	own[length > 0 ? length : 0] = '\0';
	if (berth && !strcmp(own, berth))
		base_part = argc > 1 && !strcmp(argv[1], "daemon") ? PART_DAEMON : PART_FRONT;
	if (fault &&
	    sscanf(fault, "%15[^:]:%15[^:]:%lu:%31[^:]:%lu", part, what, &wanted_number, action, &wanted_count) >= 4) {
		wanted_part = find(part, part_names, PART_COUNT);
		wanted_what = find(what, what_names, WHAT_COUNT);
		read_action(action);
	}
	if (fd >= 0) {
		memory = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (memory != MAP_FAILED)
		shared = memory;
}

/* Which part this thread is of. The supervisor is front's child and takes a name; its child inherits that. */
static int part_now(void)
{
	static pid_t supervisor;
	char name[17] = "";
	pid_t self = getpid();

	if (base_part != PART_FRONT)
		return base_part;
	if (self == supervisor)
		return PART_SUPERVISOR;
	prctl(PR_GET_NAME, name);
	if (strcmp(name, "berth-run"))
		return PART_FRONT;
	if (supervisor)
		return PART_CHILD;
	supervisor = self;
	return PART_SUPERVISOR;
}

/* One more. Returns the errno that the call is to fail with, or 0. */
static int step(int what, const char *call)
{
	int part, saved = errno;
	uint64_t number;

	if (!shared)
		return 0;
	part = part_now();
	number = __atomic_add_fetch(&shared->counts[part][what], 1, __ATOMIC_SEQ_CST);
	errno = saved;
	if (part != wanted_part || what != wanted_what || number < wanted_number ||
	    (wanted_count && number >= wanted_number + wanted_count))
		return 0;
	if (!__atomic_fetch_add(&shared->fired, 1, __ATOMIC_SEQ_CST)) {
		shared->pid = (uint64_t)getpid();
		strncpy(shared->call, call, sizeof(shared->call) - 1);
	}
	if (wanted_signal)
		kill(getpid(), wanted_signal);
	errno = saved;
	return action_error;
}

static int step_descriptor(const char *call)
{
	int error = step(WHAT_STEP, call), other = step(WHAT_DESCRIPTOR, call);

	return error ? error : other;
}

#define NEXT(name) \
	static __typeof__(name) *next; \
	if (!next) \
		next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);

#define FAIL(how, name) \
	int error = how; \
	NEXT(name) \
	if (error) { \
		errno = error; \
		return -1; \
	}
#define STEP(name) FAIL(step(WHAT_STEP, #name), name)
#define MAKES(name) FAIL(step_descriptor(#name), name)

/* A call of the C library's, as it is there. */
#define WRAP(kind, result, name, parameters, arguments) \
	result name parameters; \
	result name parameters \
	{ \
		kind(name) return next arguments; \
	}

WRAP(STEP, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(STEP, ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
WRAP(STEP, ssize_t, send, (int fd, const void *bytes, size_t n, int flags), (fd, bytes, n, flags))
WRAP(STEP, ssize_t, recv, (int fd, void *bytes, size_t n, int flags), (fd, bytes, n, flags))
WRAP(STEP, ssize_t, write, (int fd, const void *bytes, size_t n), (fd, bytes, n))
WRAP(STEP, ssize_t, read, (int fd, void *bytes, size_t n), (fd, bytes, n))
WRAP(STEP, int, connect, (int fd, const struct sockaddr *address, socklen_t n), (fd, address, n))
WRAP(STEP, int, bind, (int fd, const struct sockaddr *address, socklen_t n), (fd, address, n))
WRAP(STEP, int, listen, (int fd, int backlog), (fd, backlog))
WRAP(STEP, int, unlink, (const char *path), (path))
WRAP(STEP, int, rmdir, (const char *path), (path))
WRAP(STEP, int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(STEP, pid_t, fork, (void), ())
WRAP(STEP, int, execvp, (const char *file, char *const words[]), (file, words))
WRAP(STEP, int, epoll_ctl, (int epoll, int what, int fd, struct epoll_event *event), (epoll, what, fd, event))
WRAP(MAKES, int, socket, (int family, int type, int protocol), (family, type, protocol))
WRAP(MAKES, int, socketpair, (int family, int type, int protocol, int fds[2]), (family, type, protocol, fds))
WRAP(MAKES, int, accept4, (int fd, struct sockaddr *address, socklen_t *n, int flags), (fd, address, n, flags))
WRAP(MAKES, int, epoll_create1, (int flags), (flags))
WRAP(MAKES, int, eventfd, (unsigned count, int flags), (count, flags))
WRAP(MAKES, int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
WRAP(MAKES, int, pipe2, (int fds[2], int flags), (fds, flags))
WRAP(MAKES, int, memfd_create, (const char *name, unsigned flags), (name, flags))

/* What _FORTIFY_SOURCE makes of read(). */
ssize_t __read_chk(int fd, void *bytes, size_t n, size_t room);
ssize_t __read_chk(int fd, void *bytes, size_t n, size_t room)
{
	if (n > room)
		abort();
	return read(fd, bytes, n);
}

/* Whatever is after the last argument that there is, the kernel does not look at. */
#define SIX(last) \
	va_list list; \
	long a[6]; \
	va_start(list, last); \
	for (int i = 0; i < 6; i++) \
		a[i] = va_arg(list, long); \
	va_end(list);

int ioctl(int fd, unsigned long request, ...)
{
	SIX(request)
	FAIL(request == SECCOMP_IOCTL_NOTIF_ADDFD ? step_descriptor("add a descriptor") : step(WHAT_STEP, "ioctl"),
	     ioctl)
	return next(fd, request, a[0], a[1], a[2]);
}

int open64(const char *path, int flags, ...)
{
	SIX(flags)
	MAKES(open64)
	return next(path, flags, (mode_t)a[0]);
}

FILE *fopen64(const char *path, const char *mode)
{
	int error = step_descriptor("fopen");

	NEXT(fopen64)
	if (error) {
		errno = error;
		return NULL;
	}
	return next(path, mode);
}

/* Of raw calls those that matter here. */
static int step_raw(long number)
{
	if (number == SYS_pidfd_open || number == SYS_pidfd_getfd)
		return step_descriptor("pidfd");
	return number == SYS_clone || number == SYS_close_range || number == SYS_seccomp ? step(WHAT_STEP, "syscall")
											 : 0;
}

long syscall(long number, ...)
{
	SIX(number)
	FAIL(step_raw(number), syscall)
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static bool jumped(void)
{
	return shared && __atomic_load_n(&shared->fired, __ATOMIC_SEQ_CST) && part_now() == wanted_part;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int r;

	NEXT(clock_gettime)
	r = next(clock, time);
	if (!r && jumped())
		time->tv_sec += clock == CLOCK_REALTIME ? wall_jump : clock == CLOCK_MONOTONIC ? monotonic_jump : 0;
	return r;
}

time_t time(time_t *ret_time)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret_time)
		*ret_time = now.tv_sec;
	return now.tv_sec;
}

/* Allocations by the library's inner names: dlsym() allocates itself. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static bool no_memory(const char *call)
{
	if (!step(WHAT_MEMORY, call))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return no_memory("malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return no_memory("calloc") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	return no_memory("realloc") ? NULL : __libc_realloc(memory, size);
}
