/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon: beginning, turns, end. It holds its network's lock as long as it
 * lives, so leftovers of one that was killed can only be leftovers. It sleeps
 * unless a socket or a timer has something, and ends with its last host.
 */
#include "daemon/daemon.h"

#include "control/paths.h"
#include "daemon/capture.h"
#include "daemon/journal.h"
#include "daemon/record.h"
#include "daemon/rules.h"
#include "daemon/state.h"
#include "net/network.h"
#include "os/clock.h"
#include "os/confine.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ROUNDS_A_TURN = 32,   /* of work and frames, before the kernel's events are looked at again */
	STARTUP_SECONDS = 10, /* for the first host to come */
	LOCK_TRIES = 10,
	PACKETS_MIN = 64 << 20,
	PACKETS_MAX = 1 << 30, /* bytes */
	END_BUFFER = 4 << 20,  /* wished for; the kernel cuts it to wmem_max */
};

void host_touch(struct host *host)
{
	berth_time now = host->daemon->loop.now;

	if (berth_stack_now(host->stack) < now)
		berth_stack_advance(host->stack, now);
}

void plug_work(struct plug *plug)
{
	if (list_empty(&plug->work))
		list_append(&plug->host->daemon->work, &plug->work);
}

void daemon_settle(struct daemon *daemon)
{
	berth_net_advance(daemon->net, daemon->loop.now);
}

static void run_work(struct daemon *daemon)
{
	struct list turn;
	struct plug *plug;

	list_init(&turn); /* those that come meanwhile wait for the next round */
	while ((plug = LIST_FIRST(&daemon->work, struct plug, work))) {
		list_remove(&plug->work);
		list_append(&turn, &plug->work);
	}
	while ((plug = LIST_FIRST(&turn, struct plug, work))) {
		list_remove(&plug->work);
		host_touch(plug->host);
		plug->role->core_ready(plug);
	}
}

static void tick(void *context)
{
	struct daemon *daemon = context;

	for (int round = 0; round < ROUNDS_A_TURN; round++) {
		berth_net_advance(daemon->net, daemon->loop.now);
		if (list_empty(&daemon->work))
			break;
		run_work(daemon);
	}
	api_run(daemon);
	hosts_reap(daemon);
}

static berth_time deadline(void *context)
{
	struct daemon *daemon = context;

	if (!list_empty(&daemon->work))
		return daemon->loop.now;
	return MIN(berth_net_deadline(daemon->net), api_deadline(daemon));
}

static void on_signal(void *context, int number)
{
	loop_stop(&((struct daemon *)context)->loop);
}

static void startup_over(struct berth_timer *timer)
{
	loop_stop(&CONTAINER_OF(timer, struct daemon, startup)->loop);
}

static int take_lock(struct daemon *daemon)
{
	char path[256];
	int r = -ENOENT;

	/* A predecessor that is just ending may take the directory away under us. */
	for (int try = 0; r == -ENOENT && try < LOCK_TRIES; try++) {
		r = network_path(daemon->network, "", 1, daemon->directory, sizeof(daemon->directory));
		if (!r)
			r = network_path(daemon->network, "lock", 1, path, sizeof(path));
		if (!r)
			r = process_lock(path);
	}
	if (r < 0)
		return r;
	daemon->lock = r;
	return 0;
}

static int listen_at(struct daemon *daemon, const char *what, int type, struct loop_watch *watch)
{
	char path[256];
	int r = network_path(daemon->network, what, 1, path, sizeof(path));

	if (!r)
		r = process_listen(path, type);
	if (r < 0)
		return r;
	int fd = r;
	r = loop_add(&daemon->loop, watch, fd, EPOLLIN);
	if (r < 0)
		close(fd);
	return r;
}

/* The abstract ".d" that programs' sockets connect to. */
static int listen_streams(struct daemon *daemon)
{
	struct name name = { .kind = NAME_DAEMON };
	struct sockaddr_un address;
	socklen_t length = name_write(daemon->key, &name, &address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r = 0;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, SOMAXCONN) < 0)
		r = -errno;
	daemon->stream_listener.ready = stream_accept;
	if (!r)
		r = loop_add(&daemon->loop, &daemon->stream_listener, fd, EPOLLIN);
	if (r < 0)
		close(fd);
	return r;
}

static void observe_drop(void *context, const struct berth_frame *frame)
{
	journal_frame(context, frame);
}

/* A quarter of the machine's: what the hosts' queues and cables hold together. */
static size_t memory_for_packets(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t quarter = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 4 : 0;

	return (size_t)MIN(MAX(quarter, (uint64_t)PACKETS_MIN), (uint64_t)PACKETS_MAX);
}

static int make_network(struct daemon *daemon)
{
	struct berth_net_config config = { .now = clock_now(),
					   .name = daemon->network,
					   .memory = memory_for_packets() };
	uint8_t key[NAME_KEY_LENGTH / 2];

	entropy_fill(&config.seed, sizeof(config.seed));
	entropy_fill(key, sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++)
		snprintf(daemon->key + 2 * i, 3, "%02x", key[i]);
	daemon->net = berth_net_new(&config);
	if (daemon->net)
		berth_net_observe_drops(daemon->net, observe_drop, daemon);
	if (daemon->net)
		daemon->net->ask = lookup_ask;
	daemon->scratch = malloc(SCRATCH_SIZE);
	daemon->probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	spare_open(daemon);
	return daemon->net && daemon->scratch && daemon->probe >= 0 ? 0 : -ENOMEM;
}

static int watch_signals(struct daemon *daemon)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* the terminal of who started us is not ours */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	daemon->loop.signal = on_signal;
	return loop_signals(&daemon->loop, &set);
}

static int daemon_open(struct daemon *daemon)
{
	int r = take_lock(daemon);

	if (!r)
		r = loop_init(&daemon->loop);
	if (r < 0)
		return r;
	daemon->loop.context = daemon;
	daemon->started = daemon->loop.now;
	daemon->run_listener.ready = channel_accept;
	r = watch_signals(daemon);
	if (!r)
		r = make_network(daemon);
	if (!r)
		r = journal_open(daemon);
	if (!r)
		r = listen_streams(daemon);
	if (!r)
		r = listen_at(daemon, "api.sock", SOCK_STREAM, &daemon->api_listener);
	if (!r)
		r = api_open(daemon, daemon->api_listener.fd);
	if (!r)
		r = listen_at(daemon, "run.sock", SOCK_SEQPACKET, &daemon->run_listener);
	if (r < 0)
		return r;
	daemon->loop.tick = tick;
	daemon->loop.deadline = deadline;
	daemon->startup.run = startup_over;
	return loop_timer_set(&daemon->loop, &daemon->startup, daemon->loop.now + STARTUP_SECONDS * BERTH_SEC);
}

static void end_listener(struct daemon *daemon, struct loop_watch *watch, const char *what)
{
	char path[256];
	int fd = watch->fd;

	if (fd < 0)
		return;
	if (what && !network_path(daemon->network, what, 0, path, sizeof(path)))
		unlink(path);
	loop_remove(&daemon->loop, watch);
	close(fd);
}

/* Nothing is to be left: files, the directory, and the one above when it is empty. */
static void remove_files(struct daemon *daemon)
{
	char path[256];

	if (!network_path(daemon->network, "lock", 0, path, sizeof(path)))
		unlink(path);
	rmdir(daemon->directory);
	if (!network_root(path, sizeof(path)))
		rmdir(path);
	close(daemon->lock);
}

static void daemon_close(struct daemon *daemon)
{
	bool looping = daemon->loop.epoll > 0;

	end_listener(daemon, &daemon->run_listener, "run.sock");
	while (looping && !list_empty(&daemon->hosts))
		host_free(LIST_FIRST(&daemon->hosts, struct host, node));
	while (looping && !list_empty(&daemon->channels))
		channel_free(LIST_FIRST(&daemon->channels, struct channel, node));
	captures_end(daemon);
	journal_end(daemon);
	records_end(daemon);
	api_close(daemon);
	end_listener(daemon, &daemon->api_listener, "api.sock");
	end_listener(daemon, &daemon->stream_listener, NULL);
	journal_close(daemon);
	berth_net_free(daemon->net);
	free(daemon->scratch);
	if (daemon->probe >= 0)
		close(daemon->probe);
	if (daemon->spare >= 0)
		close(daemon->spare);
	if (looping)
		loop_fini(&daemon->loop);
	if (daemon->lock >= 0)
		remove_files(daemon);
}

/* Tell who started us why there will be no network. That another daemon is there is found out by asking it. */
static void say_failed(int ready_fd, int error)
{
	unsigned char byte = (unsigned char)-error;

	if (ready_fd < 0)
		return;
	if (error != -EWOULDBLOCK && write(ready_fd, &byte, 1) < 0) {
		/* Who waited has gone. */
	}
	close(ready_fd);
}

/*
 * Tell who started us. From now on its stderr is let go of, too: it may be a
 * pipe whose reader waits for the end of the program, not of the network.
 */
static void say_ready(int ready_fd)
{
	int null;

	if (ready_fd < 0)
		return;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDERR_FILENO);
		close(null);
	}
	if (write(ready_fd, "", 1) < 0) {
		/* Who waited has gone; somebody else may come. */
	}
	close(ready_fd);
}

/* The network's directory, and the one above when it was the last, are removed at the end. */
static int confine(const struct daemon *daemon)
{
	char root[256];
	int r = network_root(root, sizeof(root));

	if (getenv("BERTH_DEBUGGABLE"))
		return 0;
	return r ? r : process_confine(root);
}

int daemon_main(const char *network, int ready_fd)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));

	if (!daemon)
		return -ENOMEM;
	snprintf(daemon->network, sizeof(daemon->network), "%s", network);
	list_init(&daemon->hosts);
	list_init(&daemon->channels);
	list_init(&daemon->work);
	list_init(&daemon->captures);
	list_init(&daemon->records);
	list_init(&daemon->readers);
	daemon->lock = daemon->probe = daemon->spare = -1;
	daemon->run_listener.fd = daemon->stream_listener.fd = daemon->api_listener.fd = daemon->api_events.fd = -1;
	daemon->send_buffer = END_BUFFER;
	daemon->sweep_at = 256;
	umask(077);
	process_raise_descriptors();
	process_harden();
	process_wake_exactly();
	int r = daemon_open(daemon);
	if (!r)
		r = confine(daemon);
	if (!r) {
		say_ready(ready_fd);
		r = loop_run(&daemon->loop);
	} else {
		say_failed(ready_fd, r);
	}
	daemon_close(daemon);
	free(daemon);
	return r;
}
