/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receivers: threads that wait for the program's calls in the kernel itself
 * (polling first would cost a wake-up more), run the handler and answer.
 *
 * Linux wakes everybody who waits in NOTIF_RECV for each call, so one receiver
 * does, and keeps that turn while it runs a handler, for most take less than a
 * wake-up. Before it waits for anything it looks after the listener, too, and
 * when another call comes first it gives the turn away.
 */
#include "run/supervisor.h"

#include "run/filter.h"
#include "run/kernel.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

static const struct {
	int number;
	handler *handle;
} handlers[] = {
	{ SYS_socket, handle_socket },
	{ SYS_bind, handle_bind },
	{ SYS_listen, handle_listen },
	{ SYS_connect, handle_connect },
	{ SYS_accept, handle_accept },
	{ SYS_accept4, handle_accept },
	{ SYS_getsockname, handle_getsockname },
	{ SYS_getpeername, handle_getpeername },
	{ SYS_shutdown, handle_shutdown },
	{ SYS_setsockopt, handle_setsockopt },
	{ SYS_getsockopt, handle_getsockopt },
	{ SYS_ioctl, handle_ioctl },
	{ SYS_sendto, handle_sendto },
	{ SYS_sendmsg, handle_sendmsg },
	{ SYS_sendmmsg, handle_sendmmsg },
	{ SYS_recvfrom, handle_recvfrom },
	{ SYS_recvmsg, handle_recvmsg },
	{ SYS_recvmmsg, handle_recvmmsg },
	{ SYS_open, handle_open },
	{ SYS_openat, handle_open },
};

static _Thread_local bool has_turn;

static void turn_take(struct supervisor *supervisor)
{
	if (!has_turn)
		pthread_mutex_lock(&supervisor->turn);
	has_turn = true;
}

void receiver_step_aside(struct supervisor *supervisor)
{
	if (has_turn)
		pthread_mutex_unlock(&supervisor->turn);
	has_turn = false;
}

int receiver_wait(struct supervisor *supervisor, int fd, short events, int timeout_ms)
{
	struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = supervisor->listener, .events = POLLIN } };
	int count = poll(fds, has_turn ? 2 : 1, timeout_ms);

	if (count <= 0 || fds[0].revents)
		return count;
	receiver_step_aside(supervisor);
	return poll(fds, 1, timeout_ms);
}

bool call_valid(const struct call *call)
{
	uint64_t id = call->notification;

	return ioctl(call->supervisor->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static void answer(const struct call *call, struct seccomp_notif_resp *response)
{
	/* ENOENT: it was killed meanwhile. */
	while (ioctl(call->supervisor->listener, SECCOMP_IOCTL_NOTIF_SEND, response) < 0 && errno == EINTR)
		;
}

/* Before the answer: the program may close its own next, and expects an end. */
static void let_go(struct call *call)
{
	if (call->descriptor.fd < 0)
		return;
	/* One of the worker's. Copies share the open file: a closed number would stay registered. */
	if (call->serial && call->wait_events)
		epoll_ctl(call->supervisor->epoll, EPOLL_CTL_DEL, call->descriptor.fd, NULL);
	close(call->descriptor.fd);
	call->descriptor.fd = -1;
}

void call_finish(struct call *call, int64_t value)
{
	struct seccomp_notif_resp response = { .id = call->notification };

	let_go(call);
	if (value == CALL_ANSWERED)
		return;
	if (value == CALL_CONTINUE)
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (value < 0)
		response.error = (int32_t)value;
	else
		response.val = value;
	answer(call, &response);
}

static int add_fd(struct call *call, int fd, bool cloexec)
{
	struct seccomp_notif_addfd add = {
		.id = call->notification,
		.srcfd = (uint32_t)fd,
		.newfd_flags = cloexec ? O_CLOEXEC : 0,
	};
	int number;

	do {
		number = ioctl(call->supervisor->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	} while (number < 0 && errno == EINTR);
	return number < 0 ? -errno : number;
}

/*
 * Not SECCOMP_ADDFD_FLAG_SEND, which is a call less: our copy must be gone before the program goes on. It may close
 * its own next, and what epoll, a peer or a listener's port then sees is to be an end. (Nothing comes in between that
 * the program would live through: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV.)
 */
int call_finish_fd(struct call *call, int fd, bool cloexec)
{
	int number = add_fd(call, fd, cloexec);

	if (number < 0)
		return number;
	close(fd);
	let_go(call);
	answer(call, &(struct seccomp_notif_resp){ .id = call->notification, .val = number });
	return number;
}

int call_add_fd(struct call *call, int fd)
{
	return add_fd(call, fd, true);
}

/* Is the program's descriptor number closed by exec? Nobody can see that in a copy. */
static bool closes_on_exec(pid_t tid, int number)
{
	char path[48], line[64];
	unsigned flags = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, number);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file) && sscanf(line, "flags: %o", &flags) != 1)
		;
	fclose(file);
	return flags & O_CLOEXEC;
}

int call_replace_fd(struct call *call, int number, int fd)
{
	struct seccomp_notif_addfd add = {
		.newfd_flags = closes_on_exec(call->tid, number) ? O_CLOEXEC : 0,
		.id = call->notification,
		.flags = SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (uint32_t)fd,
		.newfd = (uint32_t)number,
	};

	return ioctl(call->supervisor->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

/* A call that is not there, or of a table that we don't serve. Linux: ENOSYS */
static int64_t refuse(struct supervisor *supervisor, const struct seccomp_data *data)
{
	if (data->arch != FILTER_AUDIT_ARCH)
		say_once(supervisor, "%s: 32-bit system calls are not supported here: ENOSYS", supervisor->name);
	else
		say_once(supervisor, "%s: io_uring_setup() is not supported here: ENOSYS", supervisor->name);
	return -ENOSYS;
}

/* Calls whose first argument is no socket's descriptor. */
static bool has_none(int number)
{
	return number == SYS_socket || number == SYS_open || number == SYS_openat;
}

static int64_t run_handler(struct call *call, struct peers *peers)
{
	for (size_t i = 0; i < COUNT_OF(handlers); i++) {
		if (handlers[i].number != call->number)
			continue;
		if (!has_none(call->number) && call->number != SYS_ioctl) {
			int64_t r = descriptor_get(call, peers);

			if (r == CALL_CONTINUE && call->descriptor.fd >= 0 &&
			    (call->number == SYS_recvmsg || call->number == SYS_recvmmsg))
				return handle_foreign_receive(call);
			if (r == CALL_CONTINUE && far_concerns(call))
				return handle_foreign_change(call);
			if (r)
				return r;
			far_follow(call);
		} else if (call->number == SYS_ioctl) {
			/* Interfaces are asked of AF_UNIX sockets, too: the handler sorts it out. */
			int64_t r = descriptor_get(call, peers);

			if (r && (r != CALL_CONTINUE || call->descriptor.fd < 0))
				return r;
		}
		return handlers[i].handle(call);
	}
	return -ENOSYS;
}

/*
 * The answer to a datagram often comes soon: one receiver may wait for it here,
 * for no longer than a signal would wait for the worker to see it. That saves
 * handing the call over. The others go on meanwhile.
 */
static int64_t linger(struct call *call)
{
	int64_t value = CALL_PENDING;

	if (call->wait_events != EPOLLIN || __atomic_exchange_n(&call->supervisor->lingering, 1, __ATOMIC_ACQUIRE))
		return value;
	if (receiver_wait(call->supervisor, call->descriptor.fd, POLLIN, TICK_MS) == 1)
		value = call_valid(call) ? call->attempt(call) : CALL_ANSWERED;
	__atomic_store_n(&call->supervisor->lingering, 0, __ATOMIC_RELEASE);
	return value;
}

static void serve(struct supervisor *supervisor, const struct seccomp_notif *request, struct peers *peers,
		  uint8_t *scratch)
{
	struct call call = {
		.supervisor = supervisor,
		.notification = request->id,
		.tid = (pid_t)request->pid,
		.number = request->data.nr,
		.descriptor = { .fd = -1 },
		.scratch = scratch,
	};
	int64_t value;

	memcpy(call.args, request->data.args, sizeof(call.args));
	if (request->data.arch != FILTER_AUDIT_ARCH || call.number == SYS_io_uring_setup)
		value = refuse(supervisor, &request->data);
	else
		value = run_handler(&call, peers);
	if (value == CALL_PENDING)
		value = linger(&call);
	if (value == CALL_PENDING) {
		if (worker_take(&call))
			return;
		value = -ENOMEM;
	}
	call_finish(&call, value);
}

/* Nobody is left who could call: the kernel says so for ever from then on. ENOENT alone is also a caller's death. */
static bool callers_gone(const struct supervisor *supervisor)
{
	struct pollfd listener = { .fd = supervisor->listener, .events = POLLIN };

	return poll(&listener, 1, 0) == 1 && listener.revents & POLLHUP;
}

void *receiver_run(void *context)
{
	struct supervisor *supervisor = context;
	struct peers *peers = calloc(1, sizeof(*peers));
	uint8_t *scratch = malloc(SCRATCH_SIZE);
	struct seccomp_notif_sizes sizes = { 0 };
	struct seccomp_notif *request;

	syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
	sizes.seccomp_notif = MAX(sizes.seccomp_notif, sizeof(*request));
	request = calloc(1, sizes.seccomp_notif);
	while (peers && scratch && request) {
		turn_take(supervisor);
		memset(request, 0, sizes.seccomp_notif);
		if (ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_RECV, request) == 0)
			serve(supervisor, request, peers, scratch);
		else if (errno != EINTR && errno != ENOENT)
			break;
		else if (errno == ENOENT && callers_gone(supervisor))
			break;
	}
	receiver_step_aside(supervisor);
	if (peers)
		peers_fini(peers);
	free(peers);
	free(scratch);
	free(request);
	return NULL;
}
