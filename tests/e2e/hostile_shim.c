/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Harm by what the shim is allowed (control/shim.h), run by hostile.t inside
 * berth run --express: calls with the magic number, and what can be done with a
 * far end that another host's program lends. Says "held" or what it got.
 *
 *	hostile_shim magic
 *	hostile_shim lent HOST PORT SECONDS
 */
#include "hostile.h"

#include "control/shim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAGIC(fd) ((uint64_t)SHIM_MAGIC << 32 | (uint32_t)(fd))

/* Every call with the magic number in every argument where it may be looked for. */
static void attack_magic(char **arguments)
{
	static const int families[] = { AF_INET, AF_INET6, AF_PACKET, AF_NETLINK, AF_VSOCK };
	struct sockaddr_in real = { .sin_family = AF_INET, .sin_port = htons(9) };
	char byte[1] = "x";
	struct iovec part = { byte, 1 };
	struct msghdr message = { .msg_name = &real, .msg_namelen = sizeof(real), .msg_iov = &part, .msg_iovlen = 1 };
	struct mmsghdr several = { .msg_hdr = message };

	inet_pton(AF_INET, REAL, &real.sin_addr);
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		for (int type = SOCK_STREAM; type <= SOCK_RAW; type++) {
			int fd = (int)syscall(SYS_socket, MAGIC(families[i]), MAGIC(type), MAGIC(0));

			if (fd < 0)
				continue;
			if (!is_unix(fd))
				complain("socket(%d, %d) is real", families[i], type);
			syscall(SYS_sendmsg, MAGIC(fd), &message, 0);
			syscall(SYS_sendmmsg, MAGIC(fd), &several, 1, 0);
			syscall(SYS_sendto, MAGIC(fd), "x", 1, 0, &real, sizeof(real));
			if (!syscall(SYS_connect, MAGIC(fd), &real, sizeof(real)) && type == SOCK_STREAM)
				complain("connected to the real network");
			syscall(SYS_bind, MAGIC(fd), &real, sizeof(real));
			syscall(SYS_setsockopt, MAGIC(fd), SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
			syscall(SYS_recvmsg, MAGIC(fd), &message, MSG_DONTWAIT);
			message.msg_name = &real;
			message.msg_namelen = sizeof(real);
			close(fd);
		}
	if (syscall(SYS_io_uring_setup, MAGIC(8), NULL) >= 0 || errno != ENOSYS)
		complain("io_uring_setup() with the magic number");
	if (syscall(SYS_pidfd_getfd, MAGIC(0), 0, 0) >= 0 || errno != EPERM)
		complain("pidfd_getfd() with the magic number");
}

/* A far end of the program at address, and its tag. */
static int borrow(int fd, const struct sockaddr_in *address, struct shim_far *far)
{
	socklen_t length = sizeof(*far);

	*far = (struct shim_far){ .address_length = sizeof(*address) };
	memcpy(far->address, address, sizeof(*address));
	if (getsockopt(fd, SHIM_LEVEL, SHIM_FAR, far, &length) < 0)
		return -errno;
	return far->fd;
}

static int far_end, swapped;
static atomic_bool swapping = true;

/* The number is a harmless socket's by turns. */
static void *swap(void *harmless)
{
	while (swapping) {
		dup2(far_end, swapped);
		dup2(*(int *)harmless, swapped);
		close(swapped);
	}
	return NULL;
}

static void attack_by_turns(int seconds)
{
	time_t end = time(NULL) + seconds;
	int pair[2], small = 1;
	pthread_t thread;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return;
	swapped = fcntl(pair[0], F_DUPFD, 100);
	pthread_create(&thread, NULL, swap, &pair[0]);
	while (time(NULL) < end) {
		shutdown(swapped, SHUT_RDWR);
		setsockopt(swapped, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	}
	swapping = false;
	pthread_join(thread, NULL);
}

/* Put something into the receiver's queue that says it comes with a tag. */
static void inject(int tag, const void *bytes, size_t size)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec part = { (void *)bytes, size };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	memcpy(CMSG_DATA(&control.head), &tag, sizeof(tag));
	syscall(SYS_sendmsg, MAGIC(far_end), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int memfd(const struct channel_tag *tag, bool sealed)
{
	int fd = memfd_create("tag", MFD_ALLOW_SEALING);

	if (write(fd, tag, sizeof(*tag)) < 0)
		complain("memfd: %s", strerror(errno));
	if (sealed)
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
	return fd;
}

static void attack_tags(const struct shim_far *far)
{
	struct channel_tag tag = far->tag, bad = { .kind = TAG_ERROR, .error = 512 };
	int pipes[2], directory = open("/", O_RDONLY | O_DIRECTORY);

	if (pipe(pipes) < 0)
		return;
	tag.source_length = tag.destination_length = UINT16_MAX;
	inject(pipes[0], "x", 1);
	inject(directory, "x", 1);
	inject(far_end, "x", 1);
	inject(memfd(&tag, false), "x", 1);
	inject(memfd(&tag, true), "x", 1);
	inject(memfd(&bad, true), "", 0);
	bad.error = -5;
	inject(memfd(&bad, true), "", 0);
	syscall(SYS_sendmsg, MAGIC(far_end), &(struct msghdr){ 0 }, MSG_DONTWAIT);
}

static void attack_lent(char **arguments)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM }, *found = NULL;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), small = 1;
	struct shim_far far;
	char bytes[64];

	if (getaddrinfo(arguments[0], arguments[1], &hints, &found)) {
		complain("%s is not there", arguments[0]);
		return;
	}
	far_end = borrow(fd, (struct sockaddr_in *)found->ai_addr, &far);
	freeaddrinfo(found);
	if (far_end < 0) {
		complain("nothing is lent: %s", strerror(-far_end));
		return;
	}
	if (recv(far_end, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0)
		complain("a far end can be read");
	if (!shutdown(far_end, SHUT_RDWR) || errno != EPERM)
		complain("a far end can be shut");
	if (!setsockopt(far_end, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) || errno != EPERM)
		complain("a far end can be made small");
	fcntl(far_end, F_SETFL, 0); /* blocking, also for the daemon, whose it is too */
	attack_tags(&far);
	attack_by_turns(atoi(arguments[2]));
}

/* Connect a socket with this name to the listener, as no supervisor would. Returns what is said there first, or 0. */
static char connect_as(const struct sockaddr_un *name, socklen_t length, const struct shim_tickets *tickets)
{
	struct sockaddr_un listener = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char said = 0;

	memcpy(listener.sun_path + 1, tickets->name, tickets->name_length);
	if (syscall(SYS_bind, MAGIC(fd), name, length) < 0)
		complain("bind: %s", strerror(errno));
	if (syscall(SYS_connect, MAGIC(fd), &listener,
		    offsetof(struct sockaddr_un, sun_path) + 1 + tickets->name_length) < 0)
		complain("connect: %s", strerror(errno));
	if (read(fd, &said, 1) < 1)
		said = 0;
	close(fd);
	return said;
}

/* The name of the socket whose number is so much after that of fd. */
static socklen_t name_after(int fd, unsigned more, struct sockaddr_un *ret_name, uint64_t *ret_id)
{
	enum { ID = 1 + 6 + SHIM_KEY_LENGTH + 2, DIGITS = 16 };
	socklen_t length = sizeof(*ret_name);
	char digits[DIGITS + 1] = "";

	if (syscall(SYS_getsockname, MAGIC(fd), ret_name, &length) < 0)
		complain("getsockname: %s", strerror(errno));
	memcpy(digits, ret_name->sun_path + ID, DIGITS);
	*ret_id = strtoull(digits, NULL, 16) + more;
	snprintf(digits, sizeof(digits), "%016llx", (unsigned long long)*ret_id);
	memcpy(ret_name->sun_path + ID, digits, DIGITS);
	return length;
}

/* Tickets are good for who was given them, for that listener, and only these. */
static void attack_tickets(char **arguments)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found = NULL;
	int fd = socket(AF_INET, SOCK_STREAM, 0), status;
	struct shim_tickets tickets = { .count = 3 };
	socklen_t length = sizeof(tickets), name_length;
	struct sockaddr_un name;
	uint64_t id;
	pid_t thief;

	if (getaddrinfo(arguments[0], arguments[1], &hints, &found)) {
		complain("%s is not there", arguments[0]);
		return;
	}
	name_after(fd, 0, &name, &tickets.first);
	tickets.address_length = found->ai_addrlen;
	memcpy(tickets.address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	if (getsockopt(fd, SHIM_LEVEL, SHIM_TICKETS, &tickets, &length) < 0 || tickets.count != 3) {
		complain("no tickets: %s", strerror(errno));
		return;
	}
	thief = fork();
	if (!thief) {
		name_length = name_after(fd, 1, &name, &id);
		_exit(connect_as(&name, name_length, &tickets) != 0);
	}
	waitpid(thief, &status, 0);
	if (status)
		complain("another process is taken for who has the ticket");
	name_length = name_after(fd, 1000, &name, &id);
	if (connect_as(&name, name_length, &tickets))
		complain("who has no ticket gets in");
	name_length = name_after(fd, 2, &name, &id);
	if (connect_as(&name, name_length, &tickets) != '!')
		complain("who has one does not get in");
}

int main(int count, char **arguments)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (count == 2 && !strcmp(arguments[1], "magic"))
		attack_magic(arguments + 2);
	else if (count == 5 && !strcmp(arguments[1], "lent"))
		attack_lent(arguments + 2);
	else if (count == 4 && !strcmp(arguments[1], "tickets"))
		attack_tickets(arguments + 2);
	else
		return 2;
	return verdict();
}
