/* SPDX-License-Identifier: BSD-2-Clause */
/* Joining a network: its daemon is found, or started. */
#include "run/start.h"

#include "control/paths.h"

#include <arpa/inet.h>
#include <berth/types.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS INT64_C(5000000000)
#define JOIN_TRIES 5

/* In the child that becomes the daemon. ready is the pipe's writing end. */
static void daemon_exec(const char *network, int ready)
{
	char number[16];
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	setsid();
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	if (ready != 3)
		dup2(ready, 3);
	else
		fcntl(3, F_SETFD, 0);
	close_range(4, ~0U, 0);
	snprintf(number, sizeof(number), "%d", 3);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execl("/proc/self/exe", "berth", "daemon", "--net", network, "--ready-fd", number, (char *)NULL);
	_exit(EXIT_BERTH);
}

/*
 * Start the daemon, as nobody's child: it outlives us. Wait until it says that
 * it is ready, or why it can't be (a negative errno), or is gone without a
 * word: another one has just begun.
 */
static int daemon_start(const char *network)
{
	int ends[2];
	pid_t middle;
	struct pollfd ready;
	unsigned char error = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	middle = fork();
	if (middle == 0) {
		if (fork() == 0)
			daemon_exec(network, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	if (middle > 0)
		waitpid(middle, NULL, 0);
	ready = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	if (poll(&ready, 1, (int)(PATIENCE_NS / 1000000)) == 1 && read(ends[0], &error, 1) < 0)
		error = 0; /* the next attempt to connect tells */
	close(ends[0]);
	return middle < 0 ? -EAGAIN : -error;
}

/*
 * Say HELLO. Returns the daemon's result, or -EPIPE when it is just ending: it
 * closes without a word then.
 */
static int hello(struct supervisor *supervisor, struct line *line, struct channel_hello *hello_,
		 struct channel_welcome *welcome)
{
	struct channel_message message = { .type = CHANNEL_HELLO };
	struct iovec payload = { hello_, sizeof(*hello_) };
	int64_t end = now_ns() + ANSWER_SECONDS * INT64_C(1000000000);
	int r;

	memset(welcome, 0, sizeof(*welcome));
	r = line_ask(supervisor, line, &message, &payload, 1, welcome, sizeof(*welcome));
	__atomic_store_n(&supervisor->daemon_lost, false, __ATOMIC_RELEASE);
	welcome->name[sizeof(welcome->name) - 1] = '\0';
	welcome->key[sizeof(welcome->key) - 1] = '\0';
	if (r == -EPROTONOSUPPORT)
		welcome->version = (uint32_t)message.value;
	if (r == -ENETDOWN)
		return now_ns() < end ? -EPIPE : -EHOSTDOWN;
	if (r >= 0 && (message.payload_length < sizeof(*welcome) || strlen(welcome->key) != NAME_KEY_LENGTH))
		return -EPROTO;
	return r < 0 ? r : 0;
}

/* The doctor's line that an error of the kernel's, or of a container's profile, is about. */
static const char *line_of_error(int error)
{
	switch (error) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return "open files";
	case -EAGAIN:
		return "processes";
	case -ENOSYS:
	case -EPERM:
		return "container";
	}
	return "directory";
}

static int first_hello(struct supervisor *supervisor, struct channel_hello *greeting, struct channel_welcome *welcome)
{
	const char *network = supervisor->options->network;
	int64_t end = now_ns() + PATIENCE_NS;
	int r;

	for (;;) {
		struct line *line = &supervisor->lines[LINE_EVENTS];

		r = line_open(network, line, LINE_EVENTS);
		if (!r) {
			r = hello(supervisor, line, greeting, welcome);
			if (!r)
				return 0;
			line_close(line);
		} else if ((r == -ENOENT || r == -ECONNREFUSED) && supervisor->options->exec) {
			return -ENONET;
		} else if (r == -ENOENT || r == -ECONNREFUSED) {
			r = daemon_start(network);
			if (r) {
				say("network '%s' can't be started: %s (see %s in berth doctor)", network, strerror(-r),
				    line_of_error(r));
				return -ECANCELED;
			}
			r = -EPIPE;
		}
		if (r != -EPIPE && r != -EAGAIN && r != -ECONNRESET)
			return r;
		if (now_ns() >= end)
			return -ETIMEDOUT;
		poll(NULL, 0, 10);
	}
}

/* The directory of the network: made here, so that what is wrong with it is said once and by its name. */
static int prepare_directory(const char *network)
{
	char root[PATH_MAX] = "the directory of all networks", path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int r = -ENOENT;

	/* A daemon that is just ending may take the upper directory away between. */
	for (int try = 0; r == -ENOENT && try < 5; try++)
		r = network_path(network, "run.sock", 1, path, sizeof(path));
	if (!r)
		return 0;
	network_root(root, sizeof(root));
	if (r == -ENAMETOOLONG)
		say("can't use %s: too long for a socket's path, choose another XDG_RUNTIME_DIR (see directory in berth doctor)",
		    root);
	else if (r == -EPERM)
		say("can't use %s: it has to be a directory of yours that is closed to others: chmod 700 (see directory in berth doctor)",
		    root);
	else
		say("can't use %s: %s (see directory in berth doctor)", root, strerror(-r));
	return EXIT_BERTH;
}

static void format_wanted(const struct channel_hello *hello, char text[BERTH_IP_STRLEN])
{
	struct berth_ip ip, ip6;

	memcpy(ip.bytes, hello->ip, sizeof(ip.bytes));
	memcpy(ip6.bytes, hello->ip6, sizeof(ip6.bytes));
	berth_ip_format(memcmp(&ip, &(struct berth_ip){ 0 }, sizeof(ip)) ? ip : ip6, text);
}

/* Why the host could not have the name or the address that was asked for. False: it is something else. */
static bool say_place(const struct supervisor *supervisor, int error)
{
	const char *network = supervisor->options->network, *name = supervisor->options->name;
	char text[BERTH_IP_STRLEN] = "";

	format_wanted(&supervisor->options->hello, text);
	switch (error) {
	case -EEXIST:
		say("the name '%s' is taken on network '%s' (berth ps lists who runs; take another --name)", name,
		    network);
		return true;
	case -ENOTUNIQ:
		say("the name '%s' on network '%s' is still that of a program that has ended (berth rm %s forgets it)",
		    name, network, name);
		return true;
	case -EADDRINUSE:
		say("the address %s is taken on network '%s' (berth ps lists them)", text, network);
		return true;
	case -EBUSY:
		say("the address %s is the gateway's on every network (-p and --allow): take another", text);
		return true;
	case -EADDRNOTAVAIL:
		say("a host has the same number in both addresses: --ip %s and that --ip6 do not go together", text);
		return true;
	case -EINVAL:
		say("network '%s' has no such address for a host: %s (there are 10.77.0.2 to 10.77.255.254, and fd77:: "
		    "with the same number)",
		    network, text);
		return true;
	case -ENOSPC:
		say("network '%s' has no address left", network);
		return true;
	}
	return false;
}

/* Why there is no joining. */
static void say_why(const struct supervisor *supervisor, const struct channel_welcome *welcome, int error)
{
	const char *network = supervisor->options->network;

	if (error == -ECANCELED || say_place(supervisor, error))
		return; /* said */
	switch (error) {
	case -ESRCH:
		say("there is no host '%s' that runs on network '%s' (berth ps lists them)", supervisor->options->name,
		    network);
		break;
	case -ENONET:
		say("network '%s' is not running", network);
		break;
	case -EPROTONOSUPPORT:
		say("network '%s' is run by another version of berth (its protocol is %u, this one's %d): end its programs "
		    "first, take that version's berth, or another network (--net)",
		    network, welcome->version, CHANNEL_VERSION);
		break;
	case -EPROTO:
		say("what answers for network '%s' is no daemon of berth's, or of a version that can't be told",
		    network);
		break;
	case -EACCES:
		say("can't run a program here: berth run inside berth run, start it from outside (see seccomp "
		    "in berth doctor)");
		break;
	case -EHOSTDOWN:
		say("network '%s' does not answer: its daemon is stopped, or very busy", network);
		break;
	case -ETIMEDOUT:
		say("network '%s' can't be started: its daemon does not come up (see directory and processes in berth doctor)",
		    network);
		break;
	default:
		say("can't join network '%s': %s (see %s in berth doctor)", network, strerror(-error),
		    line_of_error(error));
	}
}

/* "1.2.3.4:80", "[::1]:80". */
static void publish_format(const struct channel_publish *publish, unsigned port, char *text, size_t size)
{
	char address[BERTH_IP_STRLEN];
	struct berth_ip ip;

	memcpy(ip.bytes, publish->real_ip, sizeof(ip.bytes));
	berth_ip_format(ip, address);
	snprintf(text, size, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
}

static int publish(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->options->publish_count; i++) {
		struct channel_publish wanted = supervisor->options->publish[i];
		struct channel_message message = { .type = CHANNEL_PUBLISH };
		struct iovec payload = { &wanted, sizeof(wanted) };
		char text[BERTH_IP_STRLEN + 16];
		int r = line_ask(supervisor, &supervisor->lines[LINE_EVENTS], &message, &payload, 1, NULL, 0);

		publish_format(&wanted, r < 0 ? wanted.real_port : (unsigned)message.value, text, sizeof(text));
		if (r < 0) {
			say("can't publish %s: %s%s", text, strerror(-r),
			    r == -EADDRINUSE	  ? " (0 in its place takes a free port)"
			    : r == -EADDRNOTAVAIL ? " (no address of this machine's)"
						  : " (see ports in berth doctor)");
			return EXIT_BERTH;
		}
		if (!wanted.real_port)
			say("port %u is published at %s", wanted.port, text);
	}
	return 0;
}

static int send_rules(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->options->rule_count; i++) {
		struct channel_message message = { .type = CHANNEL_RULE };
		struct iovec payload = { (void *)&supervisor->options->rules[i], sizeof(struct channel_rule) };
		int r = line_ask(supervisor, &supervisor->lines[LINE_EVENTS], &message, &payload, 1, NULL, 0);

		if (r < 0) {
			if (supervisor->options->rules[i].kind == RULE_ALIAS)
				say("alias '%s': %s", supervisor->options->rules[i].name,
				    r == -EEXIST ? "there is a host of that name" : strerror(-r));
			else
				say("the network does not take a rule of --allow or --deny: %s", strerror(-r));
			return EXIT_BERTH;
		}
	}
	return 0;
}

/* Whether an error says that the daemon has ended meanwhile; perhaps there is another, which has never heard of us. */
static bool is_another(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED || error == -ECONNRESET || error == -ESRCH;
}

/* The other lines of the same host. -EPIPE: the daemon has ended meanwhile. */
static int join_lines(struct supervisor *supervisor, struct channel_hello *greeting, uint64_t join_id)
{
	greeting->flags = (greeting->flags | HELLO_JOIN) & ~(uint32_t)HELLO_EXEC;
	greeting->join_id = join_id;
	for (unsigned i = LINE_CALLS; i < LINE_COUNT; i++) {
		struct channel_welcome welcome;
		int r = line_open(supervisor->options->network, &supervisor->lines[i], i);

		if (!r)
			r = hello(supervisor, &supervisor->lines[i], greeting, &welcome);
		if (r)
			return is_another(r) ? -EPIPE : r;
	}
	return 0;
}

/* The file to preload, or NULL. What berth exec runs is on express where its host is. */
static const char *choose_shim(int wanted, bool express)
{
	return wanted == RUN_SHIM_ON || (wanted == RUN_SHIM_BY_EXPRESS && express) ? shim_find() : NULL;
}

/* All lines. A daemon that is killed between the first and the last is another's turn, as one is that ends before. */
static int join_all(struct supervisor *supervisor, struct channel_hello *greeting, struct channel_welcome *welcome)
{
	const struct channel_hello first = *greeting;
	int r = -EPIPE;

	for (int try = 0; r == -EPIPE && try < JOIN_TRIES; try++) {
		for (int i = 0; i < LINE_COUNT; i++)
			line_close(&supervisor->lines[i]);
		*greeting = first;
		r = first_hello(supervisor, greeting, welcome);
		if (!r)
			r = join_lines(supervisor, greeting, welcome->join_id);
	}
	return r;
}

int network_join(struct supervisor *supervisor)
{
	const char *program = strrchr(supervisor->options->argv[0], '/');
	struct channel_hello greeting = supervisor->options->hello;
	struct channel_welcome welcome = { 0 };
	struct ucred peer = { .pid = 0 };
	int r;

	if (!supervisor->options->exec && prepare_directory(supervisor->options->network))
		return EXIT_BERTH;
	greeting.version = CHANNEL_VERSION;
	greeting.flags |= supervisor->options->exec ? HELLO_EXEC : 0;
	if (getrandom(&greeting.session, sizeof(greeting.session), 0) != sizeof(greeting.session)) {
		say("getrandom(): %s (see container in berth doctor)", strerror(errno));
		return EXIT_BERTH;
	}
	supervisor->id_base = CHANNEL_ID_BASE(greeting.session);
	snprintf(greeting.name, sizeof(greeting.name), "%s",
		 supervisor->options->name ? supervisor->options->name : "");
	snprintf(greeting.program, sizeof(greeting.program), "%s",
		 program ? program + 1 : supervisor->options->argv[0]);
	greeting.pid = getpid();
	r = join_all(supervisor, &greeting, &welcome);
	supervisor->shim = choose_shim(supervisor->options->shim, !r && welcome.flags & HELLO_EXPRESS);
	if (r) {
		say_why(supervisor, &welcome, r);
		return EXIT_BERTH;
	}
	memcpy(supervisor->name, welcome.name, sizeof(supervisor->name));
	memcpy(supervisor->key, welcome.key, sizeof(supervisor->key));
	getsockopt(supervisor->lines[LINE_EVENTS].fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) });
	supervisor->daemon_pid = peer.pid;
	r = send_rules(supervisor);
	return r ? r : publish(supervisor);
}
