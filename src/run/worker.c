/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker: calls that wait, what the daemon says unasked, signals, and the
 * program's end.
 *
 * A thread whose call is with us can't run a signal handler: it sleeps killably
 * (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), because otherwise calls would be
 * done twice. So every tick, while calls wait, /proc says who has a signal
 * pending, and its call is answered ERESTARTSYS: the kernel then runs the
 * handler and restarts the call or returns EINTR, as the handler was installed.
 */
#include "run/supervisor.h"

#include "control/paths.h"
#include "run/kernel.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { KEY_LINE, KEY_WAKE = LINE_COUNT, KEY_SIGNALS, KEY_LISTENER, KEY_CALLS };

static int64_t deadline_of(const struct call *call)
{
	struct timeval time = { 0 };

	if (!call->timeout_option ||
	    getsockopt(call->descriptor.fd, SOL_SOCKET, call->timeout_option, &time, &(socklen_t){ sizeof(time) }) ||
	    (!time.tv_sec && !time.tv_usec))
		return 0;
	return now_ns() + (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

bool worker_take(const struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	struct call *copy = malloc(sizeof(*copy));
	struct epoll_event event = { .events = call->wait_events };

	if (!copy)
		return false;
	*copy = *call;
	copy->scratch = NULL;
	copy->deadline_ns = deadline_of(call);
	pthread_mutex_lock(&supervisor->lock);
	copy->serial = KEY_CALLS + supervisor->next_serial++;
	event.data.u64 = copy->serial;
	/* Under the lock: the worker must not free it before this is done. */
	if (call->wait_events && epoll_ctl(supervisor->epoll, EPOLL_CTL_ADD, copy->descriptor.fd, &event) < 0) {
		pthread_mutex_unlock(&supervisor->lock);
		free(copy);
		return false; /* nobody would ever wake it */
	}
	list_append(&supervisor->pending, &copy->node);
	supervisor->pending_count++;
	pthread_mutex_unlock(&supervisor->lock);
	wake_worker(supervisor);
	return true;
}

void worker_finish(struct call *call, int64_t value)
{
	struct supervisor *supervisor = call->supervisor;

	if (call->connect_id)
		connect_abandoned(call);
	pthread_mutex_lock(&supervisor->lock);
	list_remove(&call->node);
	supervisor->pending_count--;
	pthread_mutex_unlock(&supervisor->lock);
	call_finish(call, value);
	free(call);
}

static void attempt(struct call *call, uint8_t *scratch)
{
	int64_t value;

	if (!call_valid(call)) {
		worker_finish(call, CALL_ANSWERED);
		return;
	}
	call->scratch = scratch;
	value = call->attempt(call);
	if (value != CALL_PENDING)
		worker_finish(call, value);
}

/* The pending call with this serial, or NULL. Only the worker removes any, so it stays. */
static struct call *call_find(struct supervisor *supervisor, uint64_t serial)
{
	struct call *found = NULL;

	pthread_mutex_lock(&supervisor->lock);
	LIST_EACH(&supervisor->pending, node) {
		struct call *call = LIST_ITEM(node, struct call, node);

		if (call->serial == serial) {
			found = call;
			break;
		}
	}
	pthread_mutex_unlock(&supervisor->lock);
	return found;
}

struct signals {
	uint64_t own, shared, blocked, ignored;
	pid_t group;
};

static bool signals_read(pid_t tid, struct signals *signals)
{
	char path[32], line[256];
	FILE *file;

	*signals = (struct signals){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "Tgid: %d", &signals->group);
		sscanf(line, "SigPnd: %" SCNx64, &signals->own);
		sscanf(line, "ShdPnd: %" SCNx64, &signals->shared);
		sscanf(line, "SigBlk: %" SCNx64, &signals->blocked);
		if (sscanf(line, "SigIgn: %" SCNx64, &signals->ignored) == 1)
			break;
	}
	fclose(file);
	return true;
}

/*
 * What to answer a call whose thread has a signal to see to, or 0.
 * ERESTARTSYS may only be given to a thread that the kernel has marked, else it
 * reaches the program as an errno: those with a signal of their own, and the
 * group's first thread, which gets the group's signals unless it blocks them.
 * Of the others one is marked, nobody can say which: they get a plain EINTR.
 */
static int signal_verdict(struct call *call)
{
	struct signals signals;

	if (!signals_read(call->tid, &signals))
		return 0;
	signals.own &= ~signals.blocked & ~signals.ignored;
	signals.shared &= ~signals.blocked & ~signals.ignored;
	call->signal_seen = signals.own || signals.shared ? call->signal_seen + 1 : 0;
	if (call->signal_seen && (signals.own || call->tid == signals.group))
		return -RUN_ERESTARTSYS;
	return call->signal_seen > 2 ? -EINTR : 0;
}

/* Returns true when the call has got its answer. */
static bool tick_call(struct call *call, uint8_t *scratch, int64_t now)
{
	int verdict;

	if (!call_valid(call)) {
		worker_finish(call, CALL_ANSWERED);
		return true;
	}
	verdict = signal_verdict(call);
	if (verdict) {
		if (call->connect_id)
			connect_interrupted(call);
		worker_finish(call, call->done ? (int64_t)call->done : verdict);
		return true;
	}
	if (call->deadline_ns && now >= call->deadline_ns) {
		if (call->connect_id)
			connect_interrupted(call);
		worker_finish(call, call->timeout_result);
		return true;
	}
	if (!call->wait_events && !call->connect_id) {
		attempt(call, scratch);
		return true;
	}
	return false;
}

static void tick(struct supervisor *supervisor, uint8_t *scratch)
{
	uint64_t last = 0, end = supervisor->next_serial + KEY_CALLS;
	int64_t now = now_ns();

	/* The list may change under each call's feet: go on by serial, which only grows. */
	for (;;) {
		struct call *next = NULL;

		pthread_mutex_lock(&supervisor->lock);
		LIST_EACH(&supervisor->pending, node) {
			struct call *call = LIST_ITEM(node, struct call, node);

			if (call->serial > last) {
				next = call;
				break;
			}
		}
		pthread_mutex_unlock(&supervisor->lock);
		if (!next || next->serial >= end)
			return;
		last = next->serial;
		tick_call(next, scratch, now);
	}
}

/* The daemon wants a reset to reach the program: one byte unread at its end does it. */
static void reset(struct supervisor *supervisor, struct channel_message *message)
{
	int fd = descriptor_find(supervisor, message->id);

	message->result = -ENOENT;
	if (fd >= 0) {
		message->result = send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
		close(fd);
	}
	line_tell(supervisor, &supervisor->lines[LINE_EVENTS], message, NULL, 0, -1);
}

/* berth kill. What stopped goes on only if front, which stopped as well, does. */
static void signal_program(struct supervisor *supervisor, int number)
{
	kill(supervisor->child, number);
	if (number == SIGCONT)
		kill(supervisor->front, SIGCONT);
}

/* Every process below us, again and again, for new ones may be made meanwhile. The shell is not told of it. */
static void pause_program(struct supervisor *supervisor, bool paused)
{
	int before = -1, count = 0;

	supervisor->paused = paused;
	for (int round = 0; round < 100 && count != before; round++) {
		pid_t *pids = NULL;

		before = count;
		count = descendants_list(getpid(), &pids);
		for (int i = 0; i < count; i++)
			kill(pids[i], paused ? SIGSTOP : SIGCONT);
		if (count >= 0)
			free(pids);
	}
}

static void take_notes(struct supervisor *supervisor)
{
	for (;;) {
		struct note *note;

		pthread_mutex_lock(&supervisor->notes_lock);
		note = LIST_FIRST(&supervisor->notes, struct note, node);
		if (note)
			list_remove(&note->node);
		pthread_mutex_unlock(&supervisor->notes_lock);
		if (!note)
			return;
		if (note->message.type == CHANNEL_CONNECTED)
			connect_arrived(supervisor, &note->message, note->payload);
		else if (note->message.type == CHANNEL_RESET)
			reset(supervisor, &note->message);
		else if (note->message.type == CHANNEL_SIGNAL)
			signal_program(supervisor, note->message.value);
		else if (note->message.type == CHANNEL_PAUSE)
			pause_program(supervisor, note->message.value);
		else if (note->message.type == CHANNEL_TELL)
			say("%s", note->payload);
		else if (note->message.type == CHANNEL_SOCKET)
			__atomic_store_n(&supervisor->not_made, true, __ATOMIC_RELAXED);
		free(note);
	}
}

/* The program's end, or a stop that the shell must see in front. Returns the exit code or -1. */
static int reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | __WALL)) > 0) {
		if (pid != supervisor->child)
			continue;
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (WIFSIGNALED(status)) {
			sigqueue(supervisor->front, SIGRTMAX - 1, (union sigval){ .sival_int = -WTERMSIG(status) });
			return 128 + WTERMSIG(status);
		}
		if (WIFSTOPPED(status) && !supervisor->options->detach && !supervisor->paused)
			sigqueue(supervisor->front, SIGRTMAX - 1, (union sigval){ .sival_int = WSTOPSIG(status) });
	}
	return -1;
}

/*
 * Signals that front was sent reach us as SIGRTMAX - 2. Those that the whole
 * group was sent reach us as themselves, and the program, too: not again then.
 */
static void take_signal(struct supervisor *supervisor, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	if (number == SIGRTMAX - 2 && (pid_t)info->ssi_pid == supervisor->front && info->ssi_code == SI_QUEUE) {
		if (info->ssi_int > 0 && info->ssi_int < 65)
			supervisor->forward_at[info->ssi_int] = now_ns() + 3000000;
	} else if (number < 65) {
		supervisor->group_seen[number] = now_ns();
	}
}

/* Returns milliseconds until the next is due, or -1. */
static int forward_signals(struct supervisor *supervisor)
{
	int64_t now = now_ns();
	int wait = -1;

	for (int number = 1; number < 65; number++) {
		if (!supervisor->forward_at[number])
			continue;
		if (now < supervisor->forward_at[number]) {
			wait = 1;
			continue;
		}
		if (!supervisor->group_seen[number] || now - supervisor->group_seen[number] > 50000000)
			kill(supervisor->child, number);
		supervisor->forward_at[number] = 0;
	}
	return wait;
}

static void take_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof(info)) == sizeof(info))
		take_signal(supervisor, &info);
}

static bool watch(struct supervisor *supervisor, int fd, uint64_t key)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = key };

	return epoll_ctl(supervisor->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/*
 * Lines of calls are read by who asks. Watched as well, each answer would wake
 * two threads. Without events the end of the line is still told.
 * supervisor->lock is held.
 */
static bool line_watch(struct supervisor *supervisor, const struct line *line, int operation)
{
	struct epoll_event event = { .events = line->expected ? EPOLLIN : 0, .data.u64 = KEY_LINE + line->index };

	return epoll_ctl(supervisor->epoll, operation, line->fd, &event) == 0;
}

void line_expect(struct supervisor *supervisor, struct line *line, int by)
{
	pthread_mutex_lock(&supervisor->lock);
	line->expected += (unsigned)by;
	if (!line->expected || (by > 0 && line->expected == 1))
		line_watch(supervisor, line, EPOLL_CTL_MOD); /* not there yet: it is added with this */
	pthread_mutex_unlock(&supervisor->lock);
}

static bool watch_all(struct supervisor *supervisor)
{
	bool good =
		watch(supervisor, supervisor->wake, KEY_WAKE) && watch(supervisor, supervisor->signals, KEY_SIGNALS);

	good = good && watch(supervisor, supervisor->lines[LINE_EVENTS].fd, KEY_LINE + LINE_EVENTS);
	pthread_mutex_lock(&supervisor->lock);
	for (unsigned i = LINE_CALLS; i < LINE_COUNT; i++)
		good = good && line_watch(supervisor, &supervisor->lines[i], EPOLL_CTL_ADD);
	pthread_mutex_unlock(&supervisor->lock);
	return good;
}

static void handle_event(struct supervisor *supervisor, uint64_t key, uint8_t *scratch)
{
	struct call *call;
	uint64_t count;

	if (key < LINE_COUNT) {
		if (!line_drain(supervisor, &supervisor->lines[key]))
			__atomic_store_n(&supervisor->daemon_lost, true, __ATOMIC_RELEASE);
	} else if (key == KEY_WAKE) {
		if (read(supervisor->wake, &count, sizeof(count)) < 0)
			return;
	} else if (key == KEY_SIGNALS) {
		take_signals(supervisor);
	} else {
		call = call_find(supervisor, key);
		if (call)
			attempt(call, scratch);
	}
}

/* Nothing is to be left of a daemon that was killed. Its lock may outlive its sockets for a moment. */
static void clean_up(const char *network)
{
	for (int try = 0; network_clean(network) == -EWOULDBLOCK && try < 50; try++)
		poll(NULL, 0, 20);
}

/* Returns the exit code when it is over, else -1. */
static int check_end(struct supervisor *supervisor)
{
	int code = reap(supervisor);

	if (code >= 0)
		return code;
	if (__atomic_load_n(&supervisor->daemon_lost, __ATOMIC_ACQUIRE)) {
		if (supervisor->options->exec) {
			say("host '%s' has ended; so does the program", supervisor->name);
			return 128 + SIGKILL;
		}
		say("the network's daemon has ended; so does the program");
		clean_up(supervisor->options->network);
		return EXIT_BERTH;
	}
	return getppid() == supervisor->front ? -1 : EXIT_BERTH;
}

int worker_run(struct supervisor *supervisor)
{
	uint8_t *scratch = malloc(SCRATCH_SIZE);
	int64_t next_tick = 0;
	int code = -1;

	if (!scratch || !watch_all(supervisor)) {
		say("can't run the supervisor: no memory");
		code = EXIT_BERTH;
	}
	while (code < 0) {
		struct epoll_event events[16];
		bool waiting = __atomic_load_n(&supervisor->pending_count, __ATOMIC_RELAXED) != 0;
		int timeout = forward_signals(supervisor), count;

		if (timeout < 0 && (waiting || supervisor->holders))
			timeout = TICK_MS;
		count = epoll_wait(supervisor->epoll, events, COUNT_OF(events), timeout);
		for (int i = 0; i < count; i++)
			handle_event(supervisor, events[i].data.u64, scratch);
		take_notes(supervisor);
		holders_sweep(supervisor, false);
		if (waiting && now_ns() >= next_tick) {
			tick(supervisor, scratch);
			next_tick = now_ns() + TICK_MS * 1000000;
		}
		code = check_end(supervisor);
	}
	take_notes(supervisor);
	free(scratch);
	return code;
}
