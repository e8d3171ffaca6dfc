/* SPDX-License-Identifier: BSD-2-Clause */
/* The supervisor's small things: time, words, ids, hints; and its threads. */
#include "run/supervisor.h"

#include "os/process.h"
#include "run/holder.h"
#include "run/kernel.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>

#define SENT_VALID_NS 200000000

int64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* One write(), so that lines of several processes do not mix. */
static void say_line(const char *text)
{
	char line[640];
	int length = snprintf(line, sizeof(line), "berth: %s\n", text);

	length = MIN(length, (int)sizeof(line) - 1);
	line[length - 1] = '\n';
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		return; /* there is nobody to tell */
}

void say(const char *format, ...)
{
	char text[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	say_line(text);
}

void say_once(struct supervisor *supervisor, const char *format, ...)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a: our own words, nobody's to choose */
	char text[600];
	va_list arguments;
	bool fresh = true;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (const char *c = text; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3;
	pthread_mutex_lock(&supervisor->lock);
	for (size_t i = 0; i < supervisor->said_count; i++)
		fresh = fresh && supervisor->said[i] != hash;
	fresh = fresh && supervisor->said_count < COUNT_OF(supervisor->said);
	if (fresh)
		supervisor->said[supervisor->said_count++] = hash;
	pthread_mutex_unlock(&supervisor->lock);
	if (fresh)
		say_line(text);
}

uint64_t id_new(struct supervisor *supervisor, uint32_t count)
{
	return supervisor->id_base + __atomic_fetch_add(&supervisor->id_count, count, __ATOMIC_RELAXED) + 1;
}

/* supervisor->lock is held. */
static struct hint *hint_slot(struct supervisor *supervisor, uint64_t id)
{
	return &supervisor->hints[(id * UINT64_C(0x9e3779b97f4a7c15)) >> 52];
}

void hint_set(struct supervisor *supervisor, uint64_t id, pid_t pid, int fd, uint64_t inode)
{
	struct hint *hint;

	pthread_mutex_lock(&supervisor->lock);
	hint = hint_slot(supervisor, id);
	if (hint->id != id)
		*hint = (struct hint){ .id = id };
	hint->pid = pid;
	hint->fd = fd;
	hint->inode = inode;
	pthread_mutex_unlock(&supervisor->lock);
}

void hint_want(struct supervisor *supervisor, uint64_t id, uint32_t want, bool on)
{
	struct hint *hint;

	pthread_mutex_lock(&supervisor->lock);
	hint = hint_slot(supervisor, id);
	if (hint->id != id)
		*hint = (struct hint){ .id = id };
	hint->wants = on ? hint->wants | want : hint->wants & ~want;
	pthread_mutex_unlock(&supervisor->lock);
}

void hint_sent(struct supervisor *supervisor, uint64_t id, uint64_t address)
{
	struct hint *hint;

	pthread_mutex_lock(&supervisor->lock);
	hint = hint_slot(supervisor, id);
	if (hint->id != id && address)
		*hint = (struct hint){ .id = id };
	if (hint->id == id) {
		hint->sent_to = address;
		hint->sent_until_ns = now_ns() + SENT_VALID_NS;
	}
	pthread_mutex_unlock(&supervisor->lock);
}

struct hint hint_get(struct supervisor *supervisor, uint64_t id)
{
	struct hint hint;

	pthread_mutex_lock(&supervisor->lock);
	hint = *hint_slot(supervisor, id);
	pthread_mutex_unlock(&supervisor->lock);
	return hint.id == id ? hint : (struct hint){ .id = id };
}

void supervisor_prepare(struct supervisor *supervisor)
{
	supervisor->wake = -1;
	supervisor->listener = -1;
	supervisor->outputs[0] = supervisor->outputs[1] = supervisor->ready = -1;
	for (int i = 0; i < LINE_COUNT; i++)
		supervisor->lines[i].fd = -1;
	pthread_mutex_init(&supervisor->lock, NULL);
	pthread_mutex_init(&supervisor->notes_lock, NULL);
	pthread_mutex_init(&supervisor->turn, NULL);
	list_init(&supervisor->pending);
	list_init(&supervisor->connecting);
	list_init(&supervisor->notes);
}

static bool supervisor_init(struct supervisor *supervisor)
{
	struct name name = { .kind = NAME_DAEMON };
	sigset_t all;

	sigfillset(&all);
	supervisor->epoll = epoll_create1(EPOLL_CLOEXEC);
	supervisor->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	supervisor->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	supervisor->hints = calloc(HINT_COUNT, sizeof(*supervisor->hints));
	supervisor->next_serial = 1;
	process_raise_descriptors(); /* a copy of what each waiting call is about; with holders, of every socket */
	if (holders_needed())
		supervisor->holders = holders_new();
	supervisor->uid = getuid();
	supervisor->daemon_name_length = name_write(supervisor->key, &name, &supervisor->daemon_name);
	supervisor->filler = connect_measure_filler();
	return supervisor->epoll >= 0 && supervisor->wake >= 0 && supervisor->signals >= 0 && supervisor->hints;
}

int supervise(struct supervisor *supervisor)
{
	pthread_t thread;
	int code;

	if (!supervisor_init(supervisor)) {
		say("can't run the supervisor: %s (see %s in berth doctor)", strerror(errno),
		    errno == EPERM || errno == ENOSYS ? "container" : "open files");
		return EXIT_BERTH;
	}
	/* The woken side runs where we ran (6.6): a quarter of the cost. Older kernels say EINVAL. */
	ioctl(supervisor->listener, RUN_NOTIF_SET_FLAGS, RUN_NOTIF_SYNC_WAKE_UP);
	for (int i = 0; i < RECEIVER_COUNT; i++) {
		if (pthread_create(&thread, NULL, receiver_run, supervisor)) {
			say("can't run the supervisor: no more threads (see processes in berth doctor)");
			return EXIT_BERTH;
		}
		pthread_detach(thread);
	}
	wake_worker(supervisor); /* there may be notes from before */
	code = worker_run(supervisor);
	__atomic_store_n(&supervisor->child, 0, __ATOMIC_RELEASE);
	return code;
}
