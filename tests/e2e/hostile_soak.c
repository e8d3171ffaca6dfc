/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything at random, for as long as is wanted: hostile.h. A round is a child
 * with a seed of its own: some threads make calls with arguments that are good,
 * bad and nowhere; others change memory, open, close and swap descriptors under
 * them; signals come; and the child ends itself, is killed, or runs this
 * program again. The calls chosen are those that can concern a socket or the
 * one who answers for it; not such as harm what berth run is no boundary for
 * (kill() of the daemon, files).
 */
#include "hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	ROUND_CALLS = 600, /* of each thread, at most */
	ROUND_MS = 250,	   /* a round that hangs is ended: blocking calls do */
	LONG_ROUND_MS = 2000,
	ARENA = 1 << 16,  /* what threads write to while calls read it */
	DESCRIPTORS = 24, /* numbers that calls are made with */
	THREADS_MAX = 5,
};

static uint8_t *arena;

/* Somewhere in the arena, at a page's end, behind it, or anything at all. */
static uint64_t place(void)
{
	switch (dice() % 12) {
	case 0:
		return any_argument();
	case 1:
		return (uintptr_t)arena + ARENA - dice() % 32; /* what follows is not mapped */
	default:
		return (uintptr_t)arena + (dice() % (ARENA - 4096) & ~7u);
	}
}

static uint64_t length(void)
{
	return dice() % 10 ? dice() % 300 : any_argument();
}

static uint64_t descriptor(void)
{
	return dice() % 40 ? dice() % DESCRIPTORS : any_argument();
}

static uint64_t flags(void)
{
	return dice() % 3 ? (dice() & 1 ? MSG_DONTWAIT | MSG_NOSIGNAL : 0) : dice();
}

/* What a socket call expects to find at a pointer: an address, a header, parts of a message. */
static void lay_out(void)
{
	struct sockaddr_in inside = { .sin_family = AF_INET, .sin_port = htons(80 + dice() % 4) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = inside.sin_port };
	struct sockaddr_un unix_ = { .sun_family = AF_UNIX };
	struct iovec part = { (void *)(uintptr_t)place(), length() };
	struct msghdr header = { .msg_name = (void *)(uintptr_t)place(),
				 .msg_namelen = (socklen_t)length(),
				 .msg_iov = (void *)(uintptr_t)place(),
				 .msg_iovlen = dice() % 4 ? dice() % 8 : dice(),
				 .msg_control = (void *)(uintptr_t)place(),
				 .msg_controllen = dice() % 3 ? 0 : length() };
	struct cmsghdr control = { .cmsg_len = dice() % 4 ? CMSG_LEN(sizeof(int)) : dice(),
				   .cmsg_level = dice() & 1 ? SOL_SOCKET : (int)(dice() % 42),
				   .cmsg_type = (int)(dice() % 60) };
	uint8_t *at = arena + (dice() % (ARENA - 4096) & ~7u);

	inet_pton(AF_INET, dice() & 1 ? "127.0.0.1" : REAL, &inside.sin_addr);
	six.sin6_addr = dice() & 1 ? in6addr_loopback : in6addr_any;
	memcpy(unix_.sun_path, "\0berth.", 7);
	switch (dice() % 8) {
	case 0:
		memcpy(at, &inside, sizeof(inside));
		break;
	case 1:
		memcpy(at, &six, sizeof(six));
		break;
	case 2:
		memcpy(at, &unix_, sizeof(unix_));
		break;
	case 3:
		memcpy(at, &part, sizeof(part));
		break;
	case 4:
	case 5:
		memcpy(at, &header, sizeof(header));
		break;
	case 6:
		memcpy(at, &control, sizeof(control));
		memcpy(at + sizeof(control), &(int){ (int)(dice() % DESCRIPTORS) }, sizeof(int));
		break;
	default:
		*(uint64_t *)(void *)at = dice() % 3 ? dice() % 64 : dice();
	}
}

/* The arguments of a call, each a letter: d descriptor, p pointer, l length, f flags, n small number, x anything. */
struct kind {
	long number;
	const char *arguments;
};

static const struct kind answered[] = {
	/* by the supervisor */
	{ SYS_socket, "nnn" },	  { SYS_bind, "dpl" },	       { SYS_listen, "dn" },	    { SYS_connect, "dpl" },
	{ SYS_accept, "dpp" },	  { SYS_accept4, "dppf" },     { SYS_getsockname, "dpp" },  { SYS_getpeername, "dpp" },
	{ SYS_shutdown, "dn" },	  { SYS_setsockopt, "dnnpl" }, { SYS_getsockopt, "dnnpp" }, { SYS_ioctl, "dxp" },
	{ SYS_sendto, "dplfpl" }, { SYS_sendmsg, "dpf" },      { SYS_sendmmsg, "dpnf" },    { SYS_recvfrom, "dplfpp" },
	{ SYS_recvmsg, "dpf" },	  { SYS_recvmmsg, "dpnfp" },
};

static const struct kind native[] = {
	{ SYS_read, "dpl" },	    { SYS_write, "dpl" },	{ SYS_readv, "dpn" },
	{ SYS_writev, "dpn" },	    { SYS_close, "d" },		{ SYS_dup, "d" },
	{ SYS_dup3, "ddf" },	    { SYS_fcntl, "dnn" },	{ SYS_socketpair, "nnnp" },
	{ SYS_sendfile, "ddpl" },   { SYS_splice, "dpdplf" },	{ SYS_tee, "ddlf" },
	{ SYS_epoll_create1, "f" }, { SYS_epoll_ctl, "dndp" },	{ SYS_pipe2, "pf" },
	{ SYS_eventfd2, "nf" },	    { SYS_memfd_create, "pf" }, { SYS_io_uring_setup, "np" },
	{ SYS_pidfd_getfd, "ddf" }, { SYS_vmsplice, "dpnf" },	{ SYS_preadv, "dpnn" },
	{ SYS_mprotect, "pln" },    { SYS_madvise, "pln" },	{ SYS_process_vm_readv, "npnpnf" },
};

static uint64_t argument(char letter)
{
	switch (letter) {
	case 'd':
		return descriptor();
	case 'p':
		return place();
	case 'l':
		return length();
	case 'f':
		return flags();
	case 'n':
		return dice() % 20 ? dice() % (dice() % 4 ? 24 : 80) : any_argument();
	default:
		return dice() & 1 ? 0x8900 + dice() % 256 : any_argument();
	}
}

static void call_one(void)
{
	const struct kind *kind = dice() % 4 ? &answered[dice() % (sizeof(answered) / sizeof(answered[0]))]
					     : &native[dice() % (sizeof(native) / sizeof(native[0]))];
	uint64_t values[6] = { 0 };

	for (size_t i = 0; kind->arguments[i]; i++)
		values[i] = argument(kind->arguments[i]);
	/* Anywhere but in the arena these would end the round at once, and not tell anything. */
	if ((kind->number == SYS_mprotect || kind->number == SYS_madvise) &&
	    (values[0] < (uintptr_t)arena || values[0] >= (uintptr_t)arena + ARENA))
		return;
	if (kind->number == SYS_socket && dice() % 6) {
		values[0] = dice() & 1 ? AF_INET : AF_INET6;
		values[1] = (dice() & 1 ? SOCK_STREAM : SOCK_DGRAM) | (dice() & 1 ? SOCK_NONBLOCK : 0);
		values[2] = 0;
	}
	syscall(kind->number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

/* Rarely: what changes the process itself, and how the supervisor sees it. */
static void change_self(void)
{
	struct itimerval soon = { .it_value = { .tv_usec = 1 + (suseconds_t)(dice() % 20000) } };
	struct rlimit few = { .rlim_cur = dice() % 64, .rlim_max = 4096 };

	switch (dice() % 10) {
	case 0:
		prctl(PR_SET_DUMPABLE, dice() % 2);
		break;
	case 1:
		setitimer(ITIMER_REAL, &soon, NULL);
		break;
	case 2:
		setrlimit(RLIMIT_NOFILE, &few);
		break;
	case 3:
		unshare(CLONE_FILES);
		break;
	case 4:
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, arena);
		break;
	case 5:
		syscall(SYS_close_range, dice() % DESCRIPTORS, dice() % DESCRIPTORS, 0);
		break;
	case 6:
		syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
		break;
	case 7:
		if (dice() % 8 == 0)
			execl("/proc/self/exe", "hostile", "nowhere", "1", (char *)NULL);
		break;
	case 8:
		if (fork() == 0) { /* sockets shared with another process, which soon is not there any more */
			for (int i = 0; i < 40; i++)
				call_one();
			_exit(0);
		}
		break;
	default:
		if (dice() % 8 == 0)
			syscall(SYS_exit, 0); /* this thread only, or all with the first */
	}
}

static void *calls_run(void *seed)
{
	dice_state = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < ROUND_CALLS; i++) {
		if (dice() % 3 == 0)
			lay_out();
		if (dice() % 100 == 0)
			change_self();
		call_one();
	}
	return NULL;
}

/* The one who changes memory while it is read; for ever: the round's end is its own. */
static void *changes_run(void *seed)
{
	dice_state = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
	for (;;)
		lay_out();
	return NULL;
}

static void on_signal(int number)
{
	(void)number;
}

static void arm_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = dice() & 1 ? SA_RESTART : 0 };

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (int number = SIGSEGV; number; number = number == SIGSEGV ? SIGBUS : 0)
		signal(number, SIG_DFL);
}

static void soak_round(uint64_t seed)
{
	pthread_t thread;
	size_t threads;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		close(fd);
	dice_state = seed * 0x9e3779b97f4a7c15u + 1;
	arm_signals();
	arena = mmap(NULL, ARENA + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(arena + ARENA, 4096);
	for (int i = 0; i < 8; i++)
		socket(dice() & 1 ? AF_INET : AF_INET6, dice() & 1 ? SOCK_STREAM : SOCK_DGRAM, 0);
	threads = 1 + dice() % THREADS_MAX;
	for (size_t i = 0; i < threads; i++)
		pthread_create(&thread, NULL, i ? calls_run : changes_run, (void *)(uintptr_t)dice());
	calls_run((void *)(uintptr_t)dice());
	_exit(0);
}

/* Wait for a round, for as long as it may take, and end it. Its whole session, for it may have children. */
static void end_round(pid_t child, int patience_ms)
{
	for (int waited = 0; waited < patience_ms; waited += 10) {
		if (waitpid(child, NULL, WNOHANG) == child)
			return;
		usleep(10000);
	}
	kill(-child, SIGKILL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void attack_soak(char **arguments)
{
	uint64_t seed = arguments[0] ? strtoull(arguments[0], NULL, 10) : 1;
	double end = now() + (arguments[0] && arguments[1] ? atof(arguments[1]) : 10);
	unsigned long rounds = 0;

	for (; now() < end; rounds++) {
		pid_t children[2];

		for (size_t i = 0; i < 2; i++) {
			children[i] = fork();
			if (children[i] == 0) {
				setpgid(0, 0);
				soak_round(seed + 2 * rounds + i);
			}
			setpgid(children[i], children[i]);
		}
		for (size_t i = 0; i < 2; i++) {
			end_round(children[i], rounds % 8 ? ROUND_MS : LONG_ROUND_MS);
			kill(-children[i], SIGKILL); /* what it forked */
		}
	}
	printf("%lu rounds\n", 2 * rounds);
}
