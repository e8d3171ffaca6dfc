/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls whose arguments are wrong, or become so while they are read: hostile.h.
 */
#include "hostile.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Arguments that change while they are read. */
static struct {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		uint8_t bytes[128];
	} address;
	struct msghdr message;
	struct mmsghdr batch[4];
	struct iovec parts[8];
	uint8_t data[4096];
	socklen_t length;
	int value;
	int fds[16];
} shared;
static atomic_int racing = 1;

static void *race_changes(void *seed)
{
	struct sockaddr_in inside = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in outside = { .sin_family = AF_INET, .sin_port = htons(53) };

	inside.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	inet_pton(AF_INET, REAL, &outside.sin_addr);
	dice_state ^= (uintptr_t)seed << 32;
	while (racing) {
		memcpy(&shared.address, dice() & 1 ? &inside : &outside, sizeof(inside));
		shared.address.any.sa_family = (sa_family_t)(dice() & 7 ? AF_INET : dice() % 40);
		shared.length = (socklen_t)(dice() & 3 ? sizeof(inside) : dice());
		shared.message.msg_namelen = (socklen_t)(dice() & 3 ? sizeof(inside) : dice());
		shared.message.msg_iovlen = dice() & 3 ? 1 + dice() % 8 : dice();
		shared.message.msg_controllen = dice() & 3 ? 0 : dice();
		shared.message.msg_control = dice() & 1 ? NULL : (void *)(uintptr_t)dice();
		shared.parts[dice() % 8].iov_len = dice() & 3 ? dice() % 4096 : dice();
		shared.batch[dice() % 4].msg_hdr = shared.message;
		shared.value = (int)dice();
	}
	return NULL;
}

static void *race_descriptors(void *seed)
{
	dice_state ^= (uintptr_t)seed << 32;
	while (racing) {
		size_t a = dice() % 16, b = dice() % 16;

		switch (dice() % 5) {
		case 0:
			dup2(shared.fds[a], shared.fds[b]);
			break;
		case 1:
			close(shared.fds[a]);
			shared.fds[a] =
				socket(dice() & 1 ? AF_INET : AF_UNIX, dice() & 1 ? SOCK_STREAM : SOCK_DGRAM, 0);
			break;
		case 2:
			close(shared.fds[a]);
			shared.fds[a] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
			break;
		default:
			fcntl(shared.fds[a], F_SETFL, O_NONBLOCK);
			break;
		}
	}
	return NULL;
}

static void race_once(int fd)
{
	switch (dice() % 14) {
	case 0:
		connect(fd, &shared.address.any, sizeof(struct sockaddr_in));
		break;
	case 1:
		bind(fd, &shared.address.any, shared.length);
		break;
	case 2:
	case 3:
		sendto(fd, shared.data, dice() % 4096, MSG_DONTWAIT | MSG_NOSIGNAL, &shared.address.any,
		       sizeof(struct sockaddr_in));
		break;
	case 4:
	case 5:
		sendmsg(fd, &shared.message, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 6:
		sendmmsg(fd, shared.batch, 4, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 7:
		recvmsg(fd, &shared.message, MSG_DONTWAIT);
		break;
	case 8:
		recvmmsg(fd, shared.batch, 4, MSG_DONTWAIT, NULL);
		break;
	case 9:
		recvfrom(fd, shared.data, sizeof(shared.data), MSG_DONTWAIT, &shared.address.any, &shared.length);
		break;
	case 10:
		getsockname(fd, &shared.address.any, &shared.length);
		break;
	case 11:
		setsockopt(fd, (int)(dice() % 42), (int)(dice() % 64), &shared.value, shared.length % 64);
		break;
	case 12:
		getsockopt(fd, (int)(dice() % 42), (int)(dice() % 64), shared.data, &shared.length);
		break;
	default:
		send(fd, shared.data, dice() % 4096, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

void attack_racing(char **arguments)
{
	int rounds = atoi(arguments[0]);
	pthread_t threads[3];

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < 8; i++)
		shared.parts[i] = (struct iovec){ shared.data, 100 };
	shared.message = (struct msghdr){
		.msg_name = &shared.address, .msg_namelen = 16, .msg_iov = shared.parts, .msg_iovlen = 1
	};
	for (size_t i = 0; i < 16; i++)
		shared.fds[i] = socket(AF_INET, i & 1 ? SOCK_DGRAM : SOCK_STREAM | SOCK_NONBLOCK, 0);
	pthread_create(&threads[0], NULL, race_changes, (void *)1);
	pthread_create(&threads[1], NULL, race_changes, (void *)2);
	pthread_create(&threads[2], NULL, race_descriptors, (void *)3);
	alarm(60); /* a blocking call may have met a blocking socket; its death ends this well enough */
	signal(SIGALRM, SIG_DFL);
	for (int i = 0; i < rounds; i++)
		race_once(shared.fds[dice() % 16]);
	racing = 0;
}

/* Any of our calls with any arguments, above all such as point nowhere and lengths without end. */
uint64_t any_argument(void)
{
	static uint8_t page[65536];

	switch (dice() % 10) {
	case 0:
		return 0;
	case 1:
		return UINT64_C(1) << 63;
	case 2:
		return UINT64_MAX - dice() % 4096;
	case 3:
		return UINT64_C(0x7fffffffffff) - dice() % 64;
	case 4:
		return dice();
	case 5:
	case 6:
		return (uintptr_t)page + dice() % 60000;
	case 7:
		return UINT32_MAX - dice() % 3;
	default:
		return dice() % 64;
	}
}

static void nowhere_round(unsigned seed)
{
	static const int numbers[] = { SYS_socket,     SYS_bind,	SYS_listen,	 SYS_connect,  SYS_accept,
				       SYS_accept4,    SYS_getsockname, SYS_getpeername, SYS_shutdown, SYS_sendmsg,
				       SYS_recvmsg,    SYS_sendmmsg,	SYS_recvmmsg,	 SYS_sendto,   SYS_recvfrom,
				       SYS_setsockopt, SYS_getsockopt,	SYS_ioctl };
	static const uint32_t requests[] = { 0x8912, 0x8913, 0x8915, 0x8933, 0x8927, 0x8910,
					     0x890b, 0x8946, 0x8b01, 0x541b, 0x5411 };

	dice_state = 0x9e3779b97f4a7c15u * (seed + 1);
	alarm(5);
	for (int i = 3; i < 12; i++)
		socket(i & 1 ? AF_INET : AF_INET6, i & 2 ? SOCK_DGRAM | SOCK_NONBLOCK : SOCK_STREAM | SOCK_NONBLOCK, 0);
	for (int i = 0; i < 400; i++) {
		int number = numbers[dice() % (sizeof(numbers) / sizeof(numbers[0]))];
		uint64_t first = dice() % 8 ? 3 + dice() % 9 : any_argument();
		uint64_t second = any_argument();

		if (number == SYS_ioctl)
			second = requests[dice() % (sizeof(requests) / sizeof(requests[0]))];
		syscall(number, first, second, any_argument(), any_argument(), any_argument(), any_argument());
	}
	_exit(0);
}

void attack_nowhere(char **arguments)
{
	unsigned rounds = (unsigned)atoi(arguments[0]);

	for (unsigned round = 0; round < rounds; round++) {
		pid_t child = fork();

		if (child == 0) {
			close(0), close(1), close(2);
			nowhere_round(round);
		}
		waitpid(child, NULL, 0); /* how it dies is its own affair */
	}
}

/* As many sockets as there can be, again and again, and none of them closed politely. */
void attack_exhaust(char **arguments)
{
	for (int round = 0; round < 3; round++) {
		pid_t child = fork();

		if (child == 0) {
			struct sockaddr_in any = { .sin_family = AF_INET };

			for (int i = 0; i < 900; i++) {
				int fd = socket(AF_INET, (i & 1 ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);

				any.sin_port = 0;
				bind(fd, (struct sockaddr *)&any, sizeof(any));
				if (!(i & 1))
					listen(fd, 5);
			}
			kill(getpid(), SIGKILL);
		}
		waitpid(child, NULL, 0);
	}
}
