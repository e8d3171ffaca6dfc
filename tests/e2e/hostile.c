/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that means harm, run by hostile.t inside berth run: each attack
 * tries to reach the real network, or to harm the supervisor, the daemon or
 * another host, and says "held" or what it got.
 *
 *	hostile ATTACK [ARGUMENT…]
 *
 * Here are those that reach for something; hostile_calls.c has calls with bad
 * arguments, hostile_soak.c all of it at random for as long as is wanted.
 */
#include "hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define X32_BIT 0x40000000

_Thread_local uint64_t dice_state = 88172645463325252u;

uint64_t dice(void)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	return dice_state ^= dice_state << 17;
}

/* Whatever socket() gives is no socket of the real network's. */
static void attack_families(char **arguments)
{
	static const int protocols[] = { 0, 1, 2, 6, 17, 41, 58, 132, 136, 255, 262, 0x0300, 768 };

	for (int family = 0; family < 64; family++)
		for (int type = 0; type < 16; type++)
			for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
				/* The kernel takes an int: what is above is to change nothing. */
				uint64_t above = dice() << 32;
				int fd = (int)syscall(SYS_socket, above | (unsigned)family, above | (unsigned)type,
						      above | (unsigned)protocols[i]);
				int pair[2];

				if (fd >= 0 && !is_unix(fd))
					complain("socket(%d, %d, %d) is real", family, type, protocols[i]);
				if (fd >= 0)
					close(fd);
				if (syscall(SYS_socketpair, above | (unsigned)family, above | (unsigned)type,
					    above | (unsigned)protocols[i], pair) < 0)
					continue;
				if (family != AF_UNIX)
					complain("socketpair(%d, %d, %d) works", family, type, protocols[i]);
				close(pair[0]);
				close(pair[1]);
			}
}

/* Packets of one's own making, also with a header that says where from: our stack's, none of the real network's. */
static void attack_raw(char **arguments)
{
	static const int protocols[] = { 1, 2, 6, 17, 47, 50, 132, 255 };
	uint8_t packet[48] = { 0x45, 0, 0, sizeof(packet), 0, 0, 0, 0, 64, 17, 0, 0, 198, 51, 100, 1 };
	struct sockaddr_in real = { .sin_family = AF_INET };
	unsigned opened = 0;

	inet_pton(AF_INET, REAL, &real.sin_addr);
	memcpy(packet + 16, &real.sin_addr, 4);
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		int fd = socket(AF_INET, SOCK_RAW, protocols[i]);

		if (fd < 0)
			continue;
		opened++;
		for (int with = 0; with < 2; with++) {
			setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &with, sizeof(with));
			if (sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&real, sizeof(real)) >= 0)
				complain("protocol %d was sent to the real network", protocols[i]);
		}
		close(fd);
	}
	if (!opened)
		complain("no raw socket can be opened");
}

/* Ask netlink to change something; its answer is the error. */
static int netlink_change(uint16_t type, uint16_t flags)
{
	struct {
		struct nlmsghdr head;
		struct rtmsg route;
		uint8_t rest[64];
	} request = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
				.nlmsg_type = type,
				.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags) },
		      .route = { .rtm_family = AF_INET } };
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} answer = { .error.error = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return -errno;
	if (send(fd, &request, request.head.nlmsg_len, 0) < 0 || poll(&ready, 1, 5000) != 1 ||
	    recv(fd, &answer, sizeof(answer), 0) < (ssize_t)sizeof(answer) || answer.head.nlmsg_type != NLMSG_ERROR)
		answer.error.error = 2;
	close(fd);
	return answer.error.error;
}

static void attack_netlink(char **arguments)
{
	static const uint16_t types[] = { RTM_NEWLINK,	RTM_DELLINK,  RTM_SETLINK, RTM_NEWADDR,	 RTM_DELADDR,
					  RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWRULE, RTM_NEWQDISC, RTM_NEWNEIGH };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		int r = netlink_change(types[i], NLM_F_CREATE);

		if (r >= 0)
			complain("netlink message %u: %d", types[i], r);
	}
	for (int protocol = 1; protocol < 32; protocol++) {
		int fd = socket(AF_NETLINK, SOCK_RAW, protocol);

		if (fd >= 0 && !is_unix(fd))
			complain("netlink protocol %d is real", protocol);
		if (fd >= 0)
			close(fd);
	}
}

/* Calls of other tables, and ways round socket(). */
static void attack_calls(char **arguments)
{
	static const int rings[] = { 425, 426, 427 }; /* io_uring_* */
	struct ifreq interface = { .ifr_flags = 0x0001 /* IFF_TUN */ };
	int tunnel = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		if (syscall(rings[i], 8, NULL, 0, 0, 0, 0) >= 0 || errno != ENOSYS)
			complain("io_uring call %d: %s", rings[i], strerror(errno));
#if defined(__x86_64__)
	for (long number = 0; number < 548; number++)
		if ((number < 54 || number > 59) && syscall(X32_BIT | number, 2, 2, 0, 0, 0, 0) >= 0)
			complain("x32 call %ld works", number);
	static const int numbers[] = { 102, 359, 360, 361, 362, 363, 364, 369, 370, 373, 337, 425 };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		long r = numbers[i];

		__asm__ volatile("int $0x80" : "+a"(r) : "b"(2), "c"(2), "d"(0) : "memory", "r8", "r9", "r10", "r11");
		if (r != -ENOSYS)
			complain("32-bit call %d: %ld", numbers[i], r);
	}
#endif
	if (tunnel >= 0 && ioctl(tunnel, 0x400454ca /* TUNSETIFF */, &interface) == 0)
		complain("a tunnel can be made");
	if (syscall(SYS_request_key, "dns_resolver", "berth.invalid", "", 0) >= 0 || errno != EPERM)
		complain("request_key(): %s", strerror(errno));
}

/* A look into, and a hand on, the process that answers for us. */
static void attack_process(pid_t pid, const char *what)
{
	char path[64], target[64], byte = 0;
	struct iovec local = { &byte, 1 }, remote = { (void *)0x400000, 1 };
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), fd;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 || ptrace(PTRACE_ATTACH, pid, 0, 0) == 0)
		complain("%s can be traced", what);
	if (errno != EPERM)
		complain("tracing %s: %s", what, strerror(errno));
	if ((process_vm_writev(pid, &local, 1, &remote, 1, 0) >= 0 || errno != EPERM))
		complain("writing to %s: %s", what, strerror(errno));
	for (int i = 0; i < 64 && pidfd >= 0; i++)
		if (syscall(SYS_pidfd_getfd, pidfd, i, 0) >= 0)
			complain("descriptor %d of %s can be taken", i, what);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		complain("the memory of %s can be opened", what);
	snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
	if (readlink(path, target, sizeof(target)) >= 0)
		complain("descriptors of %s can be seen", what);
	if (pidfd >= 0)
		close(pidfd);
}

static void attack_processes(char **arguments)
{
	attack_process(getppid(), "the supervisor");
	for (; *arguments; arguments++)
		attack_process(atoi(*arguments), "the daemon or front");
}

/*
 * A tracer that changes the system call's number or arguments at its entry: the
 * filter looks at what there is afterwards.
 */
static void attack_tracer(char **arguments)
{
#if defined(__x86_64__)
	pid_t child = fork();
	bool poked = false;
	int status;

	if (child == 0) {
		int fd;

		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		fd = (int)syscall(SYS_getppid); /* becomes socket(AF_INET, SOCK_DGRAM, 0) */
		_exit(fd >= 0 && fd < 64 && is_unix(fd) ? 0 : 1);
	}
	waitpid(child, &status, 0);
	while (WIFSTOPPED(status)) {
		if (!poked && ptrace(PTRACE_PEEKUSER, child, 8 * 15 /* orig_rax */, 0) == SYS_getppid) {
			ptrace(PTRACE_POKEUSER, child, 8 * 15, SYS_socket);
			ptrace(PTRACE_POKEUSER, child, 8 * 14 /* rdi */, AF_INET);
			ptrace(PTRACE_POKEUSER, child, 8 * 13 /* rsi */, SOCK_DGRAM);
			ptrace(PTRACE_POKEUSER, child, 8 * 12 /* rdx */, 0);
			poked = true;
		}
		ptrace(poked ? PTRACE_CONT : PTRACE_SYSCALL, child, 0, 0);
		waitpid(child, &status, 0);
	}
	if (!poked || !WIFEXITED(status) || WEXITSTATUS(status))
		complain("the traced child ended with %x: it had a real socket, or none", status);
#endif
}

/* Every abstract name of the machine's that is Berth's, and the control sockets of its networks. */
static int try_name(const struct sockaddr_un *address, socklen_t length, int type, const char *forged)
{
	int fd = socket(AF_UNIX, type, 0), r = -1;
	struct sockaddr_un own = { .sun_family = AF_UNIX };
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char bytes[300];

	memset(bytes, 1, sizeof(bytes));
	if (forged) {
		memcpy(own.sun_path + 1, forged, strlen(forged));
		if (bind(fd, (struct sockaddr *)&own,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(forged))))
			goto end;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, (const struct sockaddr *)address, length) == 0) {
		send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		/* An answer, or that it stays open, is too much. Closing is all that is fine. */
		r = poll(&ready, 1, 3000) == 1 ? (int)recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) : 1;
	}
end:
	close(fd);
	return r;
}

static void attack_names(char **arguments)
{
	FILE *file = fopen("/proc/net/unix", "re");
	char line[512], names[256][128];
	size_t count = 0;

	while (file && count < 256 && fgets(line, sizeof(line), file)) {
		char *name = strstr(line, " @berth.");

		if (name && sscanf(name, " @%127s", names[count]) == 1)
			count++;
	}
	if (!count)
		complain("there are no names to attack");
	for (size_t i = 0; i < count; i++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(names[i]));
		char forged[128];

		memcpy(address.sun_path + 1, names[i], strlen(names[i]));
		if (try_name(&address, length, SOCK_STREAM, NULL) > 0)
			complain("%s answers", names[i]);
		if (try_name(&address, length, SOCK_SEQPACKET, NULL) > 0)
			complain("%s answers packets", names[i]);
		/* With a name as the program's own sockets have: the network's key is in every name. */
		snprintf(forged, sizeof(forged), "%.38s.s%016llx.020106", names[i], (unsigned long long)(dice() >> 1));
		if (try_name(&address, length, SOCK_STREAM, forged) > 0)
			complain("%s answers a forged name", names[i]);
	}
	if (file)
		fclose(file);
	for (; *arguments; arguments++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };

		snprintf(address.sun_path, sizeof(address.sun_path), "%s", *arguments);
		if (try_name(&address, sizeof(address), SOCK_SEQPACKET, NULL) > 0)
			complain("%s answers", *arguments);
	}
}

/* A socket of the real network, passed by somebody outside. */
static void attack_outside(char **arguments)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte[8];
	struct iovec part = { byte, sizeof(byte) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", arguments[0]);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		complain("nobody passes anything: %s", strerror(errno));
		return;
	}
	/*
	 * A pipe, which is fine; a UDP socket, which is not; a pipe again; a UDP socket where to look at it would move
	 * what is looked at (SO_PEEK_OFF); and one by recvmmsg(), which is not looked into.
	 */
	for (int i = 0; i < 5; i++) {
		bool pipe = i == 0 || i == 2;
		ssize_t n;

		message.msg_controllen = sizeof(control.bytes);
		if (i == 3)
			setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &(int){ 0 }, sizeof(int));
		if (i == 4) {
			struct mmsghdr several = { .msg_hdr = message };

			if (recvmmsg(fd, &several, 1, 0, NULL) >= 0 || errno != ENOSYS)
				complain("recvmmsg(): %s", strerror(errno));
			send(fd, "x", 1, 0);
			break;
		}
		n = recvmsg(fd, &message, 0);
		if (n != 1)
			complain("message %d: %zd bytes", i, n);
		if (!pipe && (message.msg_controllen || !(message.msg_flags & MSG_CTRUNC)))
			complain("a socket was let in");
		if (pipe && (!CMSG_FIRSTHDR(&message) || CMSG_FIRSTHDR(&message)->cmsg_type != SCM_RIGHTS))
			complain("a pipe was not let in");
		send(fd, "x", 1, 0);
	}
}

static const struct {
	const char *name;
	void (*run)(char **arguments);
} attacks[] = {
	{ "families", attack_families }, { "netlink", attack_netlink },	    { "calls", attack_calls },
	{ "raw", attack_raw },		 { "processes", attack_processes }, { "tracer", attack_tracer },
	{ "names", attack_names },	 { "outside", attack_outside },	    { "racing", attack_racing },
	{ "nowhere", attack_nowhere },	 { "exhaust", attack_exhaust },	    { "soak", attack_soak },
};

int main(int count, char **arguments)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; count > 1 && i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		if (strcmp(arguments[1], attacks[i].name))
			continue;
		attacks[i].run(arguments + 2);
		return verdict();
	}
	fprintf(stderr, "usage: hostile ATTACK [ARGUMENT...]\n");
	return 2;
}
