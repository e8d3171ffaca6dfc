/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the runner relies on the kernel for, one behaviour a test. A failure
 * here explains others; a system that forbids one is told apart from one that
 * does it wrong by a skip with the reason.
 */
#include "run/filter.h"
#include "run/kernel.h"
#include "tests/test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static socklen_t abstract(struct sockaddr_un *address, const char *name)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1,
					    "berth-platform-%d-%s", getpid(), name));
}

static int stream_bound(const char *name, struct sockaddr_un *address, socklen_t *length)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*length = abstract(address, name);
	if (bind(fd, (struct sockaddr *)address, *length) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static unsigned events_of(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT };

	poll(&poll_fd, 1, 0);
	return (unsigned)poll_fd.revents;
}

/* A child under the filter calls body; ret_listener is its listener, here. Returns its pid or 0 after skipping. */
static pid_t watched_child(void (*body)(void), int *ret_listener)
{
	int ends[2], number = -1, pidfd;
	pid_t pid;

	if (pipe(ends))
		return 0;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		number = filter_install(false);
		if (write(ends[1], &number, sizeof(number)) == sizeof(number) && number >= 0)
			body();
		_exit(0);
	}
	if (read(ends[0], &number, sizeof(number)) != sizeof(number) || number < 0) {
		test_skip("no seccomp listener allowed here");
	} else {
		pidfd = kernel_pidfd_open(pid, 0);
		*ret_listener = kernel_pidfd_getfd(pidfd, number);
		close(pidfd);
		if (*ret_listener < 0)
			test_skip("pidfd_getfd() is refused here");
		number = *ret_listener;
	}
	close(ends[0]);
	close(ends[1]);
	if (number >= 0)
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

static void open_and_write(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	_exit(fd >= 0 && write(fd, "through", 7) == 7 ? 21 : 1);
}

TEST(platform, a_call_is_answered_with_a_descriptor_of_ours)
{
	struct seccomp_notif request = { 0 };
	struct seccomp_notif_addfd add = { .flags = SECCOMP_ADDFD_FLAG_SEND };
	int listener, pair[2], status;
	char text[8] = "";
	pid_t pid = watched_child(open_and_write, &listener);

	if (!pid)
		return;
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	REQUIRE(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0);
	CHECK_EQ(request.data.nr, SYS_socket);
	CHECK_EQ(request.pid, pid);
	add.id = request.id;
	add.srcfd = (uint32_t)pair[0];
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0);
	close(pair[0]);
	CHECK_EQ(read(pair[1], text, 7), 7);
	CHECK_STR(text, "through");
	waitpid(pid, &status, 0);
	CHECK_EQ(WEXITSTATUS(status), 21);
	close(pair[1]);
	close(listener);
}

static volatile sig_atomic_t alarmed;

static void on_alarm(int number)
{
	alarmed = 1;
}

static void accept_with_alarm(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGUSR1, &action, NULL);
	int r = accept(0, NULL, NULL);
	_exit(r < 0 && errno == EINTR && alarmed ? 22 : 1);
}

TEST(platform, a_signal_waits_until_the_call_is_answered_erestartsys)
{
	struct seccomp_notif request = { 0 };
	struct seccomp_notif_resp response = { .error = -RUN_ERESTARTSYS };
	int listener, status;
	pid_t pid = watched_child(accept_with_alarm, &listener);

	if (!pid)
		return;
	REQUIRE(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0);
	kill(pid, SIGUSR1);
	poll(NULL, 0, 20);
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id) == 0);
	response.id = request.id;
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0);
	waitpid(pid, &status, 0);
	CHECK_EQ(WEXITSTATUS(status), 22);
	close(listener);
}

static void wait_in_accept(void)
{
	accept(0, NULL, NULL);
}

TEST(platform, a_killed_caller_s_notification_is_invalid)
{
	struct seccomp_notif request = { 0 };
	int listener;
	pid_t pid = watched_child(wait_in_accept, &listener);

	if (!pid)
		return;
	REQUIRE(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0);
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id) == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id) < 0 && errno == ENOENT);
	close(listener);
}

TEST(platform, a_name_tells_whether_its_stream_socket_is_open)
{
	struct sockaddr_un address;
	socklen_t length;
	int fd = stream_bound("alive", &address, &length), probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	REQUIRE(fd >= 0);
	CHECK(bind(probe, (struct sockaddr *)&address, length) < 0 && errno == EADDRINUSE);
	close(fd);
	CHECK_EQ(bind(probe, (struct sockaddr *)&address, length), 0);
	close(probe);
}

TEST(platform, both_ends_of_a_connection_have_names)
{
	struct sockaddr_un address, own;
	socklen_t length, own_length, got = sizeof(own);
	int listener = stream_bound("listener", &address, &length);
	int client = stream_bound("client", &own, &own_length);
	struct sockaddr_un name;

	REQUIRE(listener >= 0 && client >= 0);
	CHECK_EQ(listen(listener, 1), 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&address, length), 0);
	int accepted = accept(listener, (struct sockaddr *)&name, &got);
	CHECK_EQ(got, own_length);
	CHECK_BYTES(&name, &own, own_length);
	got = sizeof(name);
	CHECK_EQ(getsockname(accepted, (struct sockaddr *)&name, &got), 0);
	CHECK_BYTES(&name, &address, length);
	close(accepted);
	close(client);
	close(listener);
}

TEST(platform, half_of_a_pair_can_be_bound)
{
	struct sockaddr_un address, name;
	socklen_t length = abstract(&address, "pair"), got = sizeof(name);
	int pair[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	CHECK_EQ(bind(pair[0], (struct sockaddr *)&address, length), 0);
	CHECK_EQ(getsockname(pair[0], (struct sockaddr *)&name, &got), 0);
	CHECK_BYTES(&name, &address, length);
	close(pair[0]);
	close(pair[1]);
}

TEST(platform, filler_turns_pollout_off_until_it_is_read)
{
	char bytes[16];
	int pair[2], count = 0;

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &(int){ 1 }, sizeof(int));
	while (events_of(pair[0]) & POLLOUT && count < 16 && send(pair[0], "", 1, 0) == 1)
		count++;
	CHECK(count > 0 && count < 16);
	CHECK_EQ(events_of(pair[0]), 0);
	CHECK_EQ(read(pair[1], bytes, sizeof(bytes)), count);
	CHECK_EQ(events_of(pair[0]), POLLOUT);
	close(pair[0]);
	close(pair[1]);
}

TEST(platform, setting_sndbuf_gives_an_epollout_edge)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int pair[2], epoll = epoll_create1(EPOLL_CLOEXEC);

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &(int){ 1 << 20 }, sizeof(int));
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
	close(pair[0]);
	close(pair[1]);
	close(epoll);
}

TEST(platform, closing_with_a_byte_unread_is_econnreset)
{
	char byte;
	int pair[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK_EQ(send(pair[0], "", 1, 0), 1);
	close(pair[1]);
	CHECK(recv(pair[0], &byte, 1, 0) < 0 && errno == ECONNRESET);
	close(pair[0]);
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

TEST(platform, a_native_recv_drops_a_descriptor_without_a_leak)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec part = { (void *)"data", 4 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.bytes)
	};
	int pair[2], tag = memfd_create("tag", MFD_CLOEXEC), before;
	char text[8];

	REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	memcpy(CMSG_DATA(&control.head), &tag, sizeof(tag));
	CHECK_EQ(sendmsg(pair[1], &message, 0), 4);
	before = open_descriptors();
	CHECK_EQ(recv(pair[0], text, sizeof(text), 0), 4);
	CHECK_EQ(open_descriptors(), before);
	close(pair[0]);
	close(pair[1]);
	close(tag);
}

TEST(platform, so_rcvbuf_of_a_stream_socket_is_kept_and_not_inherited)
{
	struct sockaddr_un address;
	socklen_t length, size = sizeof(int);
	int listener = stream_bound("mark", &address, &length), client = socket(AF_UNIX, SOCK_STREAM, 0), value;

	REQUIRE(listener >= 0);
	listen(listener, 1);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &(int){ 5120 }, sizeof(int));
	setsockopt(client, SOL_SOCKET, SO_RCVBUF, &(int){ 5120 }, sizeof(int));
	CHECK_EQ(connect(client, (struct sockaddr *)&address, length), 0);
	int accepted = accept(listener, NULL, NULL);
	getsockopt(client, SOL_SOCKET, SO_RCVBUF, &value, &size);
	CHECK_EQ(value, 10240);
	getsockopt(accepted, SOL_SOCKET, SO_RCVBUF, &value, &size);
	CHECK(value != 10240);
	close(accepted);
	close(client);
	close(listener);
}
