/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a preloaded shim must not change, run by shim.t: signals, cancellation,
 * closing of what one has not opened, descriptors that change hands.
 *
 *	shim_probe HOST PORT [storm]	a UDP echo is there; says a line for each
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_storage echo;
static socklen_t echo_length;

static int open_udp(void)
{
	struct timeval wait = { .tv_sec = 10 };
	int fd = socket(echo.ss_family, SOCK_DGRAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

/* Send word and get it back, from whom it went to. */
static int exchange(int fd, const char *word)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	char bytes[64] = "";
	ssize_t n;

	if (sendto(fd, word, strlen(word), 0, (struct sockaddr *)&echo, echo_length) < 0)
		return 0;
	n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &length);
	return n == (ssize_t)strlen(word) && !memcmp(bytes, word, (size_t)n) && length == echo_length &&
	       !memcmp(&from, &echo, length);
}

static void *receive(void *fd)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	char bytes[8];

	recvfrom(*(int *)fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &length);
	return NULL;
}

static const char *cancel(void)
{
	int fd = open_udp();
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, receive, &fd);
	usleep(50000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	close(fd);
	return result == PTHREAD_CANCELED ? "cancelled" : "not cancelled";
}

static void nothing(int number)
{
}

static const char *interrupt(int flags)
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = flags };
	struct itimerval soon = { .it_value = { .tv_usec = 100000 } };
	struct timeval wait = { .tv_usec = 300000 };
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	int fd = open_udp(), error;
	char bytes[8];

	sigaction(SIGALRM, &action, NULL);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setitimer(ITIMER_REAL, &soon, NULL);
	error = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &length) < 0 ? errno : 0;
	close(fd);
	return error == EINTR ? "EINTR" : error == EAGAIN ? "EAGAIN" : strerror(error);
}

/* Who is used to be answered at once does not stay awake for what never comes. */
static const char *habit(void)
{
	struct timeval wait = { .tv_usec = 300000 };
	struct rusage before, after;
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	char bytes[8];
	int fd = open_udp();

	for (int i = 0; i < 300; i++)
		if (!exchange(fd, "again"))
			return "no exchange";
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	getrusage(RUSAGE_THREAD, &before);
	for (int i = 0; i < 2; i++) {
		if (i && recv(fd, bytes, sizeof(bytes), 0) >= 0)
			return "what nobody sent";
		if (!i && recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &length) >= 0)
			return "what nobody sent to be seen";
		if (errno != EAGAIN)
			return strerror(errno);
	}
	getrusage(RUSAGE_THREAD, &after);
	close(fd);
	timersub(&after.ru_utime, &before.ru_utime, &after.ru_utime);
	timersub(&after.ru_stime, &before.ru_stime, &after.ru_stime);
	timeradd(&after.ru_utime, &after.ru_stime, &wait);
	return wait.tv_sec || wait.tv_usec > 100000 ? "awake" : "asleep";
}

/* What connect() says that it was interrupted in goes on, and what never waits never says so. */
static const char *storm(void)
{
	struct sigaction action = { .sa_handler = nothing };
	struct itimerval often = { { .tv_usec = 1000 }, { .tv_usec = 1000 } }, never = { 0 };
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(here);
	int listener = socket(AF_INET, SOCK_STREAM, 0), lost = 0, broken = 0;

	bind(listener, (struct sockaddr *)&here, sizeof(here));
	listen(listener, 5);
	getsockname(listener, (struct sockaddr *)&here, &length);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 6000; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
		struct pollfd ready = { .fd = fd, .events = POLLOUT };

		broken += fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0;
		if (connect(fd, (struct sockaddr *)&here, sizeof(here)) < 0 && errno == EINTR)
			while (poll(&ready, 1, 10000) < 0 && errno == EINTR)
				;
		if (getpeername(fd, (struct sockaddr *)&here, &length) < 0) {
			lost++;
			break;
		}
		close(fd);
		do {
			fd = accept(listener, NULL, NULL);
		} while (fd < 0 && errno == EINTR);
		close(fd);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	close(listener);
	return broken ? "a call that never waits was interrupted"
	       : lost ? "a connection that was begun is none"
		      : "none lost";
}

/* As daemons do; and everything that is closed is closed, and free to be had again. */
static const char *close_all(int fd)
{
	int kept = dup2(fd, 3), next;

	for (int i = 4; i < 20000; i++)
		close(i);
	close_range(4, ~0u, 0);
	next = dup(1);
	close(next);
	return next != 4 ? "a low number is taken" : exchange(kept, "after closing") ? "goes on" : "lost its way";
}

/* Another socket under the same number talks for itself. */
static const char *reuse(int fd)
{
	int other = open_udp();
	struct sockaddr_storage first, second;
	socklen_t length = sizeof(first);

	if (!exchange(fd, "one") || !exchange(fd, "two"))
		return "no exchange";
	getsockname(fd, (struct sockaddr *)&first, &length);
	dup2(other, fd);
	close(other);
	if (!exchange(fd, "three"))
		return "the new one does not get its answer";
	getsockname(fd, (struct sockaddr *)&second, &length);
	return memcmp(&first, &second, length) ? "its own port" : "the old one's port";
}

static const char *inherit(int fd)
{
	int status;
	pid_t child;

	exchange(fd, "parent");
	child = fork();
	if (!child)
		_exit(!exchange(fd, "child"));
	waitpid(child, &status, 0);
	return status ? "the child is lost" : exchange(fd, "parent again") ? "both" : "the parent is lost";
}

int main(int count, char **arguments)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM }, *found;
	int fd;

	if (count < 3 || getaddrinfo(arguments[1], arguments[2], &hints, &found))
		return 2;
	memcpy(&echo, found->ai_addr, found->ai_addrlen);
	echo_length = found->ai_addrlen;
	freeaddrinfo(found);
	fd = open_udp();
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("exchange: %s\n", exchange(fd, "hello") ? "good" : "bad");
	printf("bad address: %s\n",
	       sendto(fd, "x", 1, 0, (struct sockaddr *)&echo, 3) < 0 ? strerrorname_np(errno) : "taken");
	printf("nobody's pointer: %s\n",
	       recvfrom(fd, NULL, 1, MSG_DONTWAIT, NULL, NULL) < 0 ? strerrorname_np(errno) : "taken");
	printf("no socket: %s\n",
	       sendto(1, "x", 1, 0, (struct sockaddr *)&echo, echo_length) < 0 ? strerrorname_np(errno) : "taken");
	printf("habit: %s\n", habit());
	printf("cancel: %s\n", cancel());
	printf("signal: %s\n", interrupt(0));
	if (count > 3)
		printf("storm: %s\n", storm());
	printf("fork: %s\n", inherit(fd));
	printf("reuse: %s\n", reuse(fd));
	printf("close: %s\n", close_all(fd));
	return 0;
}
