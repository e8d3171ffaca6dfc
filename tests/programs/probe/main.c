/* SPDX-License-Identifier: BSD-2-Clause */
/* usage: probe [NAME…]: all scenarios, or those whose names begin so. */
#include "probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>

enum { LIMIT_SECONDS = 30, PATIENCE_MS = 1500 };

static char line[4096];
static size_t line_used;

void say(const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(line + line_used, sizeof(line) - line_used, format, arguments);
	va_end(arguments);
	if (n > 0)
		line_used += (size_t)n < sizeof(line) - line_used ? (size_t)n : sizeof(line) - line_used - 1;
}

const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return !error ? "0" : name ? name : "?";
}

void say_result(const char *label, long r)
{
	say(" %s=%s", label, r < 0 ? error_name(errno) : "0");
}

void say_count(const char *label, long r)
{
	if (r < 0)
		say_result(label, r);
	else
		say(" %s=%ld", label, r);
}

void nap(int milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

short await(int fd, short wanted)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

	for (int i = 0; i < PATIENCE_MS / 5; i++) {
		poll(&poll_fd, 1, 0);
		if ((poll_fd.revents & wanted) == wanted)
			break;
		nap(5);
	}
	return poll_fd.revents;
}

void say_poll(const char *label, int fd, short wanted)
{
	static const struct {
		short bit;
		const char *name;
	} bits[] = { { POLLIN, "IN" },	 { POLLPRI, "PRI" }, { POLLOUT, "OUT" },  { POLLRDHUP, "RDHUP" },
		     { POLLERR, "ERR" }, { POLLHUP, "HUP" }, { POLLNVAL, "NVAL" } };
	short events = await(fd, wanted);
	const char *between = "=";

	say(" %s", label);
	for (size_t i = 0; i < COUNT_OF(bits); i++) {
		if (!(events & bits[i].bit))
			continue;
		say("%s%s", between, bits[i].name);
		between = "|";
	}
	if (!events)
		say("=none");
}

void say_error(const char *label, int fd)
{
	int error = -1;
	socklen_t length = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		say_result(label, -1);
	else
		say(" %s=%s", label, error_name(error));
}

union address loopback(int family, unsigned port)
{
	union address address = { .storage = { .ss_family = (sa_family_t)family } };

	if (family == AF_INET) {
		address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		address.in.sin_port = htons((uint16_t)port);
	} else {
		address.in6.sin6_addr = in6addr_loopback;
		address.in6.sin6_port = htons((uint16_t)port);
	}
	return address;
}

socklen_t address_length(const union address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->in) : sizeof(address->in6);
}

unsigned port_of(int fd)
{
	union address address = { 0 };
	socklen_t length = sizeof(address);

	getsockname(fd, &address.any, &length);
	return ntohs(address.in.sin_port);
}

static void flush_line(void)
{
	printf("%s\n", line);
	fflush(stdout);
}

static void give_up(const char *what)
{
	say(" cannot-%s=%s", what, error_name(errno));
	flush_line();
	_exit(0);
}

int open_bound(int family, int type)
{
	union address address = loopback(family, 0);
	int fd = socket(family, type, 0);

	if (fd < 0 || bind(fd, &address.any, address_length(&address)) < 0)
		give_up("bind");
	return fd;
}

int open_listener(int family, int backlog)
{
	int fd = open_bound(family, SOCK_STREAM);

	if (listen(fd, backlog) < 0)
		give_up("listen");
	return fd;
}

int open_client(int listener)
{
	union address address;
	socklen_t length = sizeof(address);
	int fd;

	getsockname(listener, &address.any, &length);
	fd = socket(address.any.sa_family, SOCK_STREAM, 0);
	if (connect(fd, &address.any, length) < 0)
		give_up("connect");
	return fd;
}

void open_pair(int ends[2])
{
	int listener = open_listener(AF_INET, 5);

	ends[0] = open_client(listener);
	ends[1] = accept(listener, NULL, NULL);
	if (ends[1] < 0)
		give_up("accept");
	close(listener);
}

void open_pair_udp(int ends[2])
{
	for (int i = 0; i < 2; i++)
		ends[i] = open_bound(AF_INET, SOCK_DGRAM);
	for (int i = 0; i < 2; i++) {
		union address address = loopback(AF_INET, port_of(ends[1 - i]));

		if (connect(ends[i], &address.any, sizeof(address.in)) < 0)
			give_up("connect");
	}
}

void set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void say_address(const char *label, const union address *address, unsigned port_wanted)
{
	char text[INET6_ADDRSTRLEN] = "?";
	unsigned port = 0;

	if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->in.sin_addr, text, sizeof(text));
		port = ntohs(address->in.sin_port);
	} else if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->in6.sin6_addr, text, sizeof(text));
		port = ntohs(address->in6.sin6_port);
	}
	say(" %s=%s%s", label, text, port == port_wanted ? "=" : port ? "!" : "0");
}

static void run(const struct scenario *scenario)
{
	int status;
	pid_t pid;

	line_used = 0;
	say("%s:", scenario->name);
	pid = fork();
	if (!pid) {
		alarm(LIMIT_SECONDS);
		signal(SIGPIPE, SIG_IGN);
		scenario->run();
		flush_line();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status)) {
		say(" killed by %s", sigabbrev_np(WTERMSIG(status)));
		flush_line();
	}
}

static bool is_wanted(const char *name, char **wanted)
{
	if (!*wanted)
		return true;
	for (; *wanted; wanted++)
		if (!strncmp(name, *wanted, strlen(*wanted)))
			return true;
	return false;
}

int main(int count, char **words)
{
	static const struct scenario *const files[] = { tcp_scenarios,	     readiness_scenarios, udp_scenarios,
							process_scenarios,   message_scenarios,	  bind_scenarios,
							interface_scenarios, pointer_scenarios,	  flag_scenarios,
							local_scenarios };

	if (count > 1 && !strcmp(words[1], "--helper"))
		helper_run(count - 2, words + 2);
	for (size_t i = 0; i < COUNT_OF(files); i++)
		for (const struct scenario *scenario = files[i]; scenario->name; scenario++)
			if (is_wanted(scenario->name, words + 1))
				run(scenario);
	options_run(words[1]);
	return 0;
}
