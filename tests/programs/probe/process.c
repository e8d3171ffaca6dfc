/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that several processes have, descriptors that travel, signals. */
#include "probe.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

/* What the exec()ed probe does: "say FD" writes to it; "open FD" exits 0 when it is open. */
void helper_run(int count, char **words)
{
	int fd = count > 1 ? atoi(words[1]) : -1;
	union address address;
	socklen_t length = sizeof(address);

	if (count > 1 && !strcmp(words[0], "say"))
		_exit(getpeername(fd, &address.any, &length) == 0 && write(fd, "exec", 4) == 4 ? 0 : 1);
	if (count > 1 && !strcmp(words[0], "accept")) {
		int accepted = accept(fd, &address.any, &length);

		_exit(accepted >= 0 && write(accepted, "took", 4) == 4 ? 0 : 1);
	}
	_exit(fcntl(fd, F_GETFD) < 0);
}

static int helper(const char *what, int fd)
{
	char number[16];
	int status;
	pid_t pid = fork();

	if (!pid) {
		snprintf(number, sizeof(number), "%d", fd);
		execl("/proc/self/exe", "probe", "--helper", what, number, NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void across_exec(void)
{
	int ends[2], listener = open_listener(AF_INET, 5), client;
	char bytes[8] = "";

	open_pair(ends);
	say(" kept=%d", helper("open", ends[0]));
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	say(" cloexec=%d", helper("open", ends[0]));
	say(" made-cloexec=%d", helper("open", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
	say(" said=%d", helper("say", ends[1]));
	say_count("read", read(ends[0], bytes, 8));
	say(" %s", bytes);
	client = open_client(listener);
	say(" accepted=%d", helper("accept", listener));
	say_count("read", read(client, bytes, 8));
	say(" %s", bytes);
	client = open_client(listener);
	client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	say(" accept4=%d nonblock=%d", helper("open", client), !!(fcntl(client, F_GETFL) & O_NONBLOCK));
}

/* Workers accept until a client says "q"; each answers with its own digit. */
static void worker(int listener, char digit)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		char byte = 0;

		if (fd < 0 || read(fd, &byte, 1) != 1)
			_exit(1);
		if (byte == 'q')
			_exit(0);
		write(fd, &digit, 1);
		close(fd);
	}
}

static int ask(int listener)
{
	int fd = open_client(listener);
	char byte = 0;

	write(fd, "?", 1);
	if (read(fd, &byte, 1) != 1)
		byte = '!';
	close(fd);
	return byte;
}

static void shared_listener(void)
{
	int listener = open_listener(AF_INET, 64), served = 0, fd, status, ended = 0;

	for (int i = 0; i < 4; i++)
		if (!fork())
			worker(listener, (char)('0' + i));
	for (int i = 0; i < 40; i++)
		served += ask(listener) != '!';
	say(" served=%d", served);
	for (int i = 0; i < 4; i++) {
		fd = open_client(listener);
		write(fd, "q", 1);
	}
	while (wait(&status) > 0)
		ended += WIFEXITED(status) && !WEXITSTATUS(status);
	say(" ended=%d", ended);
}

static void reuse_port(void)
{
	int listeners[3], on = 1, seen[3] = { 0 };
	union address address = loopback(AF_INET, 0);
	pid_t pids[3];

	for (int i = 0; i < 3; i++) {
		listeners[i] = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(listeners[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
		say_result("bind", bind(listeners[i], &address.any, sizeof(address.in)));
		say_result("listen", listen(listeners[i], 64));
		address = loopback(AF_INET, port_of(listeners[0]));
	}
	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		if (!pids[i])
			worker(listeners[i], (char)('0' + i));
	}
	for (int i = 0; i < 90; i++) {
		int digit = ask(listeners[0]) - '0';

		if (digit >= 0 && digit < 3)
			seen[digit]++;
	}
	say(" all=%d each=%d", seen[0] + seen[1] + seen[2], seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
	for (int i = 0; i < 3; i++)
		kill(pids[i], SIGKILL);
}

static void duplicates(void)
{
	int ends[2], copy, other[2];
	char byte;

	open_pair(ends);
	copy = dup(ends[0]);
	close(ends[0]);
	say_count("write", write(copy, "x", 1));
	say_poll("open", ends[1], POLLIN);
	read(ends[1], &byte, 1);
	open_pair(other);
	say_result("dup2", dup2(other[0], copy)); /* the last of ends[0]: closes it */
	say_poll("closed", ends[1], POLLRDHUP);
	say_count("end", read(ends[1], &byte, 1));
	say_count("write", write(copy, "y", 1));
	say_poll("other", other[1], POLLIN);
	close(other[0]);
	if (!fork()) {
		close(copy);
		_exit(0);
	}
	wait(NULL);
	say_count("after-child", write(copy, "z", 1));
	nap(30);
	say_poll("other", other[1], 0);
}

static int send_fd(int over, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec part = { (char[]){ "f" }, 1 };
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return (int)sendmsg(over, &header, 0);
}

static int receive_fd(int over)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control;
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int fd = -1;

	if (recvmsg(over, &header, 0) == 1 && CMSG_FIRSTHDR(&header))
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static void passed_on(int over)
{
	int connected = receive_fd(over), listener, udp, fd;
	union address from;
	socklen_t length = sizeof(from);
	char bytes[8];

	if (write(connected, "from", 4) != 4)
		_exit(1);
	listener = receive_fd(over);
	fd = accept(listener, &from.any, &length);
	if (fd < 0 || write(fd, "acc", 3) != 3)
		_exit(2);
	udp = receive_fd(over);
	await(udp, POLLIN);
	length = sizeof(from);
	if (recvfrom(udp, bytes, sizeof(bytes), 0, &from.any, &length) < 0 ||
	    sendto(udp, "udp", 3, 0, &from.any, length) != 3)
		_exit(3);
	_exit(0);
}

static void passing(void)
{
	int over[2], ends[2], listener = open_listener(AF_INET, 5), udp = open_bound(AF_INET, SOCK_DGRAM), status, fd;
	union address to = loopback(AF_INET, port_of(udp));
	char bytes[8];
	pid_t pid;

	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, over);
	pid = fork();
	if (!pid)
		passed_on(over[1]);
	open_pair(ends);
	say_count("send", send_fd(over[0], ends[1]));
	close(ends[1]);
	say_count("read", read(ends[0], bytes, 8));
	say_count("send", send_fd(over[0], listener));
	fd = open_client(listener);
	close(listener);
	say_count("read", read(fd, bytes, 8));
	say_count("send", send_fd(over[0], udp));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	say_count("to", sendto(fd, "hi", 2, 0, &to.any, sizeof(to.in)));
	await(fd, POLLIN);
	say_count("back", recv(fd, bytes, 8, MSG_DONTWAIT));
	waitpid(pid, &status, 0);
	say(" status=%d", WEXITSTATUS(status));
}

static void killed(void)
{
	int ends[2], busy[2];
	char byte;
	pid_t pid;

	open_pair(ends);
	open_pair(busy);
	write(busy[0], "unread", 6);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	close(ends[1]);
	await(busy[1], POLLIN);
	close(busy[1]);
	nap(30);
	say_poll("alive", ends[0], 0);
	kill(pid, SIGKILL);
	say_poll("killed", ends[0], POLLRDHUP);
	say_count("read", read(ends[0], &byte, 1));
	say_poll("unread", busy[0], POLLERR);
	say_result("read", read(busy[0], &byte, 1));
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	signals = signals + 1;
}

/* In 100 ms, and again every 100 ms, a signal; with or without SA_RESTART. */
static void begin_signals(int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };
	struct itimerval time = { { 0, 100000 }, { 0, 100000 } };

	signals = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &time, NULL);
}

static void interrupted(void)
{
	int ends[2], listener = open_listener(AF_INET, 5), udp = open_bound(AF_INET, SOCK_DGRAM);
	union address from;
	struct iovec part = { &from, 1 };
	struct msghdr header = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1 };
	struct pollfd poll_fd = { .fd = udp, .events = POLLIN };

	open_pair(ends);
	begin_signals(0);
	say_result("accept", accept(listener, NULL, NULL));
	say_result("read", read(ends[0], &from, 1));
	say_result("recvfrom", recvfrom(udp, &from, 1, 0, &from.any, &(socklen_t){ sizeof(from) }));
	say_result("recvmsg", recvmsg(udp, &header, 0));
	say_result("recv", recv(udp, &from, 1, 0));
	say_result("poll", poll(&poll_fd, 1, -1));
	say(" handled=%d", signals >= 6);
}

/* The helper gives each call what it waits for after some signals. */
static void restarted(void)
{
	int ends[2], listener = open_listener(AF_INET, 5), udp = open_bound(AF_INET, SOCK_DGRAM);
	union address to = loopback(AF_INET, port_of(udp)), from;
	char byte;

	open_pair(ends);
	if (!fork()) {
		nap(350);
		open_client(listener);
		nap(300);
		write(ends[1], "x", 1);
		nap(300);
		sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, &to.any, sizeof(to.in));
		nap(300);
		_exit(0);
	}
	begin_signals(SA_RESTART);
	say_result("accept", accept(listener, NULL, NULL));
	say_count("read", read(ends[0], &byte, 1));
	say_count("recvfrom", recvfrom(udp, &byte, 1, 0, &from.any, &(socklen_t){ sizeof(from) }));
	say(" handled=%d", signals >= 3);
}

static void timeouts(void)
{
	int ends[2], listener = open_listener(AF_INET, 5), udp = open_bound(AF_INET, SOCK_DGRAM);
	struct timeval soon = { 0, 30000 }, got = { 0 };
	socklen_t length = sizeof(got);
	union address from;
	char byte;

	open_pair(ends);
	say_result("set", setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	setsockopt(udp, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &got, &length);
	say(" as-set=%d", got.tv_usec >= 30000 && got.tv_usec < 45000);
	say_result("read", read(ends[0], &byte, 1));
	say_result("accept", accept(listener, NULL, NULL));
	say_result("recvfrom", recvfrom(udp, &byte, 1, 0, &from.any, &(socklen_t){ sizeof(from) }));
	say_result("recv", recv(udp, &byte, 1, 0));
	soon = (struct timeval){ 0, 2000000 };
	say_result("out-of-range", setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
}

static void no_descriptors(void)
{
	int listener = open_listener(AF_INET, 5), fd = open_client(listener);
	struct rlimit old, few;

	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)fd + 1;
	setrlimit(RLIMIT_NOFILE, &few);
	say_result("socket", socket(AF_INET, SOCK_STREAM, 0));
	say_result("udp", socket(AF_INET, SOCK_DGRAM, 0));
	say_result("accept", accept(listener, NULL, NULL));
	say_poll("still", listener, POLLIN);
	setrlimit(RLIMIT_NOFILE, &old);
	fd = accept(listener, NULL, NULL);
	say_result("accept", fd);
	say_count("write", write(fd, "x", 1));
}

static void *shut_later(void *fd)
{
	nap(100);
	shutdown(*(int *)fd, SHUT_RDWR);
	return NULL;
}

static void threads(void)
{
	int ends[2], listener = open_listener(AF_INET, 5), udp[2];
	pthread_t thread;
	char byte;

	open_pair(ends);
	pthread_create(&thread, NULL, shut_later, &ends[0]);
	say_count("read", read(ends[0], &byte, 1));
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, shut_later, &listener);
	say_result("accept", accept(listener, NULL, NULL));
	pthread_join(thread, NULL);
	open_pair_udp(udp);
	pthread_create(&thread, NULL, shut_later, &udp[0]);
	say_count("udp", recv(udp[0], &byte, 1, 0));
	pthread_join(thread, NULL);
}

static void as_file(void)
{
	int ends[2], udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct stat status;
	char link[64], path[32];
	ssize_t n;

	open_pair(ends);
	fstat(ends[0], &status);
	say(" socket=%d size=%ld", S_ISSOCK(status.st_mode), (long)status.st_size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	n = readlink(path, link, sizeof(link));
	say(" link=%.*s", n > 8 ? 8 : 0, link);
	say(" flags=%x udp=%x fd=%d", fcntl(ends[0], F_GETFL), fcntl(udp, F_GETFL), fcntl(ends[0], F_GETFD));
	say_result("seek", lseek(ends[0], 0, SEEK_SET));
	say_result("pread", pread(ends[0], link, 1, 0));
	say_result("truncate", ftruncate(ends[0], 0));
	say_result("sync", fsync(ends[0]));
	say_result("open", open(path, O_RDWR));
	say_result("pair", socketpair(AF_INET, SOCK_STREAM, 0, ends));
}

static void signal_io(void)
{
	int ends[2];

	open_pair(ends);
	signal(SIGIO, count_signal);
	signals = 0;
	say_result("owner", fcntl(ends[1], F_SETOWN, getpid()));
	say_result("async", fcntl(ends[1], F_SETFL, O_ASYNC | O_NONBLOCK));
	write(ends[0], "x", 1);
	for (int i = 0; i < 300 && !signals; i++)
		nap(10);
	say(" signalled=%d", signals > 0);
}

const struct scenario process_scenarios[] = {
	{ "process-exec", across_exec },	{ "process-shared-listener", shared_listener },
	{ "process-reuse-port", reuse_port },	{ "process-duplicates", duplicates },
	{ "process-passing", passing },		{ "process-killed", killed },
	{ "process-interrupted", interrupted }, { "process-restarted", restarted },
	{ "process-timeouts", timeouts },	{ "process-no-descriptors", no_descriptors },
	{ "process-threads", threads },		{ "process-as-file", as_file },
	{ "process-signal-io", signal_io },	{ 0 },
};
