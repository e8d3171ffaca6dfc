/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Express for datagrams (daemon/far.c): the shim asks by what far end what it
 * sends goes straight into the receiver's queue. Such an end is another
 * program's. It can be written to; what else could be done to it is seen to:
 * nobody shuts it or squeezes its buffer, and nothing is read from it, because
 * a socket gets a new pair before it sends anything natively.
 */
#include "run/supervisor.h"

#include "control/shim.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NAMES_AT_ONCE = 64 };

int far_name(struct supervisor *supervisor, int far, uint64_t id)
{
	struct name name = { .kind = NAME_FAR, .id = id };
	struct sockaddr_un address;
	socklen_t length = name_write(supervisor->key, &name, &address);

	return bind(far, (struct sockaddr *)&address, length) < 0 ? -errno : 0;
}

static bool is_far(const struct supervisor *supervisor, int fd)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	struct name name;

	return getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
	       name_read(supervisor->key, &address, length, &name) == 0 && name.kind == NAME_FAR;
}

bool far_concerns(const struct call *call)
{
	if (!call->supervisor->shim)
		return false;
	return call->number == SYS_shutdown || (call->number == SYS_setsockopt && (int)call->args[1] == SOL_SOCKET &&
						((int)call->args[2] == SO_SNDBUF || (int)call->args[2] == SO_RCVBUF));
}

/*
 * The kernel would look the number up again, and find a far end there that
 * another thread has just put in its place: so this is done to what was looked at.
 */
int64_t handle_foreign_change(struct call *call)
{
	int fd = call->descriptor.fd, value;

	if (fd < 0)
		return -EBADF;
	if (is_far(call->supervisor, fd))
		return -EPERM;
	if (call->number == SYS_shutdown)
		return shutdown(fd, (int)call->args[1]) < 0 ? -errno : 0;
	if ((int)call->args[4] < (int)sizeof(value))
		return -EINVAL;
	if (memory_read(call, call->args[3], &value, sizeof(value)))
		return -EFAULT;
	return setsockopt(fd, SOL_SOCKET, (int)call->args[2], &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Ask for the far end. Returns it or -errno; the rest goes to *far. */
static int ask(struct call *call, struct shim_far *far)
{
	struct channel_message message;
	int fd, r;

	call_message(call, &message, CHANNEL_FAR);
	message.address_length = (uint16_t)far->address_length;
	memcpy(message.address, far->address, message.address_length);
	r = line_ask_fd(call->supervisor, line_of(call->supervisor, message.id), &message, NULL, 0, &far->tag,
			sizeof(far->tag), &fd);
	if (r >= 0 && (fd < 0 || message.payload_length != sizeof(far->tag)))
		r = -EAGAIN;
	if (r < 0 && fd >= 0)
		close(fd);
	far->room = (uint32_t)message.value;
	return r < 0 ? r : fd;
}

int64_t handle_far(struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	struct shim_far far;
	int room, fd;

	/* Where descriptors can't be looked at, nobody could keep a lent one from harm. */
	if (!supervisor->shim || supervisor->holders || call->descriptor.type != SOCK_DGRAM ||
	    call->descriptor.protocol != IPPROTO_UDP)
		return -ENOPROTOOPT;
	if (memory_read(call, call->args[4], &room, sizeof(room)) ||
	    memory_read(call, call->args[3], &far, sizeof(far)))
		return -EFAULT;
	if (room != (int)sizeof(far) || far.address_length > CHANNEL_ADDRESS_MAX)
		return -EINVAL;
	fd = ask(call, &far);
	if (fd < 0)
		return fd;
	far.fd = call_add_fd(call, fd);
	close(fd);
	if (far.fd < 0)
		return far.fd;
	return memory_write(call, call->args[3], &far, sizeof(far));
}

static bool same_namespace(pid_t tid, const char *kind)
{
	struct stat ours, theirs;
	char path[48], own[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", tid, kind);
	snprintf(own, sizeof(own), "/proc/self/ns/%s", kind);
	return stat(path, &theirs) == 0 && stat(own, &ours) == 0 && ours.st_ino == theirs.st_ino &&
	       ours.st_dev == theirs.st_dev;
}

/* For sockets that the shim makes: few enough that a program which makes many processes does not use them up. */
int64_t handle_names(struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	struct shim_names names = { .count = NAMES_AT_ONCE };
	int room;

	/* Where descriptors can't be looked at, the supervisor has a copy of each socket, and so must make it. */
	if (!supervisor->shim || supervisor->holders || call->descriptor.type != SOCK_STREAM ||
	    !same_namespace(call->tid, "net"))
		return -ENOPROTOOPT;
	if (memory_read(call, call->args[4], &room, sizeof(room)))
		return -EFAULT;
	if (room != (int)sizeof(names))
		return -EINVAL;
	names.first = id_new(supervisor, names.count);
	memcpy(names.key, supervisor->key, sizeof(names.key));
	return memory_write(call, call->args[3], &names, sizeof(names));
}

/* May the shim take connections itself? Not where they would inherit something, or one waits here. */
int64_t handle_listener(struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	struct shim_listener answer;
	struct channel_message message;
	int room, fd;

	if (!supervisor->shim || supervisor->holders || call->descriptor.type != SOCK_STREAM)
		return -ENOPROTOOPT;
	if (memory_read(call, call->args[4], &room, sizeof(room)) ||
	    memory_read(call, call->args[3], &answer, sizeof(answer)))
		return -EFAULT;
	if (room != (int)sizeof(answer))
		return -EINVAL;
	if (!descriptor_listening(call->descriptor.fd) || !descriptor_plain(call->descriptor.fd) ||
	    accept_stashed(call->descriptor.id))
		return -EAGAIN;
	answer.id = call->descriptor.id;
	answer.table = -1;
	if (answer.wants_table) {
		call_message(call, &message, CHANNEL_TABLE);
		int r = line_ask_fd(supervisor, line_of(supervisor, message.id), &message, NULL, 0, NULL, 0, &fd);
		if (r < 0 || fd < 0)
			return r < 0 ? r : -EAGAIN;
		answer.table = call_add_fd(call, fd);
		close(fd);
		if (answer.table < 0)
			return answer.table;
	}
	return memory_write(call, call->args[3], &answer, sizeof(answer));
}

int64_t handle_tickets(struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	struct channel_tickets wanted;
	struct channel_message message;
	struct shim_tickets tickets;
	struct iovec part = { &wanted, sizeof(wanted) };
	int room, r;

	if (!supervisor->shim || supervisor->holders || call->descriptor.type != SOCK_STREAM ||
	    call->descriptor.carried || !same_namespace(call->tid, "user"))
		return -ENOPROTOOPT;
	if (memory_read(call, call->args[4], &room, sizeof(room)) ||
	    memory_read(call, call->args[3], &tickets, sizeof(tickets)))
		return -EFAULT;
	if (room != (int)sizeof(tickets) || tickets.address_length > CHANNEL_ADDRESS_MAX ||
	    tickets.first != call->descriptor.id)
		return -EINVAL;
	wanted = (struct channel_tickets){ tickets.first, tickets.count, process_group(call->tid) };
	call_message(call, &message, CHANNEL_TICKETS);
	message.address_length = (uint16_t)tickets.address_length;
	memcpy(message.address, tickets.address, message.address_length);
	r = line_ask(supervisor, line_of(supervisor, message.id), &message, &part, 1, tickets.name,
		     sizeof(tickets.name));
	if (r < 0)
		return r;
	tickets.uid = supervisor->uid;
	tickets.count = (uint32_t)MAX(message.value, 0);
	tickets.name_length = MIN(message.payload_length, (uint32_t)sizeof(tickets.name) - 1);
	return memory_write(call, call->args[3], &tickets, sizeof(tickets));
}

/* What waits in the old pair waits in the new one. */
static void move_queue(int from, int to)
{
	static _Thread_local uint8_t bytes[65536];
	union {
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part;
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes };

	for (;;) {
		struct cmsghdr *head;
		ssize_t length;
		int tag = -1;

		part = (struct iovec){ bytes, sizeof(bytes) };
		message.msg_controllen = sizeof(control.bytes);
		message.msg_flags = 0;
		length = recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		head = length < 0 ? NULL : CMSG_FIRSTHDR(&message);
		if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
			memcpy(&tag, CMSG_DATA(head), sizeof(tag));
		/* The end of the queue; and of the socket, which an untagged empty message looks like. */
		if (length < 0 || (!length && tag < 0))
			return;
		part.iov_len = (size_t)length;
		sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (tag >= 0)
			close(tag);
	}
}

struct replacement {
	struct call *call;
	char old[DESCRIPTOR_TARGET];
	int fd;
};

static void replace_copy(void *context, int number, const char *target)
{
	struct replacement *replacement = context;

	if (!strcmp(target, replacement->old))
		call_replace_fd(replacement->call, number, replacement->fd);
}

/* Put fd in the place of every descriptor of the call's process that is the socket with this inode. */
static void replace_copies(struct call *call, uint64_t inode, int fd)
{
	struct replacement replacement = { .call = call, .fd = fd };

	descriptor_target(inode, replacement.old);
	descriptors_each(call->tid, replace_copy, &replacement);
}

/* Ids that are others now, for processes that have a copy of the old pair. The oldest are forgotten. */
static void remember(struct supervisor *supervisor, uint64_t old, uint64_t new)
{
	pthread_mutex_lock(&supervisor->lock);
	supervisor->renewed[supervisor->renewed_count++ % COUNT_OF(supervisor->renewed)] =
		(struct renewed){ .old = old, .new = new };
	pthread_mutex_unlock(&supervisor->lock);
}

static uint64_t present_id(struct supervisor *supervisor, uint64_t id)
{
	pthread_mutex_lock(&supervisor->lock);
	for (size_t i = 0; i < COUNT_OF(supervisor->renewed); i++) /* later ones follow from earlier ones */
		for (size_t j = 0; j < COUNT_OF(supervisor->renewed); j++)
			if (supervisor->renewed[j].old == id)
				id = supervisor->renewed[j].new;
	pthread_mutex_unlock(&supervisor->lock);
	return id;
}

void far_follow(struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	struct descriptor *old = &call->descriptor;
	uint64_t id;
	int fd;

	if (!__atomic_load_n(&supervisor->renewed_count, __ATOMIC_RELAXED) || old->type != SOCK_DGRAM)
		return;
	id = present_id(supervisor, old->id);
	fd = id == old->id ? -1 : descriptor_find(supervisor, id);
	if (fd < 0)
		return;
	replace_copies(call, descriptor_inode(old->fd), fd);
	close(old->fd);
	descriptor_identify(supervisor, fd, old);
}

/* The new pair takes the old one's place: at the daemon's first, then in the program. */
static int replace(struct call *call, int fd, int far, uint64_t id)
{
	struct descriptor *old = &call->descriptor;
	struct supervisor *supervisor = call->supervisor;
	struct channel_message message;
	struct iovec part = { &id, sizeof(id) };
	int r;

	move_queue(old->fd, far);
	call_message(call, &message, CHANNEL_RENEW);
	r = line_ask_passing(supervisor, line_of(supervisor, old->id), &message, &part, 1, far);
	if (r)
		return r;
	/* Copies may keep it open: who still sends to it is to notice. */
	shutdown(old->fd, SHUT_RDWR);
	move_queue(old->fd, far);
	r = call_replace_fd(call, (int)call->args[0], fd);
	if (r)
		return r;
	remember(supervisor, old->id, id);
	replace_copies(call, descriptor_inode(old->fd), fd);
	hint_want(supervisor, id, hint_get(supervisor, old->id).wants, true);
	hint_set(supervisor, id, call->tid, (int)call->args[0], descriptor_inode(fd));
	return 0;
}

/*
 * Differs: what epoll knew of the old pair is lost, and other processes that
 * have a copy (fork()) see an end of file until a call of theirs is notified
 * (far_follow()). That is so only for a socket that others sent to straight
 * before it was connected.
 */
int far_renew(struct call *call)
{
	struct descriptor *old = &call->descriptor;
	uint64_t id = id_new(call->supervisor, 1);
	int fd, far, r = socket_pair_make(descriptor_nonblocking(old) ? SOCK_NONBLOCK : 0, &fd, &far);

	if (r)
		return r;
	r = socket_name(call->supervisor, fd, id, old->domain, old->type, old->protocol);
	if (!r)
		r = far_name(call->supervisor, far, id);
	if (!r)
		r = replace(call, fd, far, id);
	close(far);
	if (r) {
		close(fd);
		return r;
	}
	close(old->fd);
	descriptor_identify(call->supervisor, fd, old);
	return 0;
}
