/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket(): what is ours is made here and put into the program; what is not
 * supported gets Linux's errno for it, and a line on stderr, once.
 */
#include "run/supervisor.h"

#include "run/kernel.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define TYPE_MASK 0xf /* Linux: SOCK_TYPE_MASK */
#define COMMAND_VALID_NS 10000000

static const struct {
	int number;
	const char *name;
} families[] = {
	{ AF_INET, "AF_INET" },	    { AF_INET6, "AF_INET6" }, { AF_NETLINK, "AF_NETLINK" },
	{ AF_PACKET, "AF_PACKET" }, { AF_VSOCK, "AF_VSOCK" }, { AF_BLUETOOTH, "AF_BLUETOOTH" },
	{ AF_ALG, "AF_ALG" },	    { AF_XDP, "AF_XDP" },     { AF_TIPC, "AF_TIPC" },
	{ AF_CAN, "AF_CAN" },	    { AF_KEY, "AF_KEY" },     { AF_QIPCRTR, "AF_QIPCRTR" },
};

static const char *const types[] = {
	[SOCK_STREAM] = "SOCK_STREAM", [SOCK_DGRAM] = "SOCK_DGRAM",	    [SOCK_RAW] = "SOCK_RAW",
	[SOCK_RDM] = "SOCK_RDM",       [SOCK_SEQPACKET] = "SOCK_SEQPACKET", [SOCK_PACKET] = "SOCK_PACKET"
};

/* Say that this is not there, and fail. */
static int unsupported(struct call *call, int error)
{
	int domain = (int)call->args[0], type = (int)call->args[1] & TYPE_MASK;
	char family[24];
	const char *type_name = type < (int)COUNT_OF(types) && types[type] ? types[type] : "…";

	snprintf(family, sizeof(family), "%d", domain);
	for (size_t i = 0; i < COUNT_OF(families); i++)
		if (families[i].number == domain)
			snprintf(family, sizeof(family), "%s", families[i].name);
	say_once(call->supervisor, "%s: socket(%s, %s, %d) is not supported here: %s", call->supervisor->name, family,
		 type_name, (int)call->args[2], strerrorname_np(-error));
	return error;
}

/*
 * Which protocol socket() means, or why not. Linux: inet_create(), netlink_create().
 */
static int check_kind(struct call *call, int domain, int type, int *protocol)
{
	if (domain == AF_NETLINK) {
		if (type != SOCK_RAW && type != SOCK_DGRAM)
			return -ESOCKTNOSUPPORT;
		if (*protocol == NETLINK_ROUTE || *protocol == NETLINK_SOCK_DIAG)
			return 0;
		return unsupported(call, -EPROTONOSUPPORT);
	}
	if (domain == AF_PACKET)
		return unsupported(call, -EPERM);
	if (domain != AF_INET && domain != AF_INET6)
		return unsupported(call, -EAFNOSUPPORT);
	if (*protocol < 0 || *protocol >= IPPROTO_MAX)
		return -EINVAL;
	switch (type) {
	case SOCK_STREAM:
	case SOCK_DGRAM: {
		int own = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
		int echo = domain == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6; /* ping without privileges: icmp(7) */

		if (type == SOCK_DGRAM && (*protocol == echo || *protocol == IPPROTO_UDPLITE))
			return 0;
		if (*protocol && *protocol != own)
			return unsupported(call, -EPROTONOSUPPORT);
		*protocol = own;
		return 0;
	}
	case SOCK_RAW:
		/* Differs: without CAP_NET_RAW. What it sends reaches this network and no other. */
		if (!*protocol || *protocol > UINT8_MAX)
			return -EPROTONOSUPPORT;
		return 0;
	case SOCK_PACKET:
		return unsupported(call, -EPERM);
	default:
		return unsupported(call, -ESOCKTNOSUPPORT);
	}
}

int socket_pair_make(int flags, int *ret_fd, int *ret_far)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (flags)
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
	fcntl(pair[1], F_SETFL, O_NONBLOCK); /* files of their own: this is the daemon's alone */
	descriptor_grow_buffer(pair[0]);
	descriptor_grow_buffer(pair[1]);
	*ret_fd = pair[0];
	*ret_far = pair[1];
	return 0;
}

/* Make the program's end and, for datagrams, the daemon's. Returns 0 or -errno. */
static int make(int type, int flags, int *ret_fd, int *ret_far)
{
	*ret_far = -1;
	if (type != SOCK_STREAM)
		return socket_pair_make(flags, ret_fd, ret_far);
	*ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0); /* its buffer grows when it is connected */
	return *ret_fd < 0 ? -errno : 0;
}

int socket_name(struct supervisor *supervisor, int fd, uint64_t id, int domain, int type, int protocol)
{
	struct name name = { .kind = NAME_SOCKET,
			     .id = id,
			     .domain = (uint16_t)domain,
			     .type = (uint16_t)type,
			     .protocol = (uint16_t)protocol };
	struct sockaddr_un address;
	socklen_t length = name_write(supervisor->key, &name, &address);

	return bind(fd, (struct sockaddr *)&address, length) < 0 ? -errno : 0;
}

static void command_read(pid_t pid, char command[16])
{
	char path[32];
	ssize_t length = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, command, 15);
		close(fd);
	}
	while (length > 0 && command[length - 1] == '\n')
		length--;
	command[length > 0 ? length : 0] = '\0';
}

/* Who makes many connections is not asked for each. */
void call_command(const struct call *call, char command[16])
{
	static _Thread_local struct {
		pid_t tid;
		int64_t until_ns;
		char command[16];
	} last;
	int64_t now = now_ns();

	if (last.tid != call->tid || now >= last.until_ns) {
		last.tid = call->tid;
		last.until_ns = now + COMMAND_VALID_NS;
		command_read(call->tid, last.command);
	}
	memcpy(command, last.command, sizeof(last.command));
}

/*
 * Give the daemon its end of a datagram socket. It mostly takes it, and is not
 * waited for; while it can't, socket() is to say so.
 */
static int hand_over(struct supervisor *supervisor, struct channel_message *message, int far)
{
	struct line *line = line_of(supervisor, message->id);
	int r;

	if (!__atomic_load_n(&supervisor->not_made, __ATOMIC_RELAXED))
		return line_tell(supervisor, line, message, NULL, 0, far);
	message->flags |= CHANNEL_ASKED;
	r = line_ask_passing(supervisor, line, message, NULL, 0, far);
	if (!r)
		__atomic_store_n(&supervisor->not_made, false, __ATOMIC_RELAXED);
	return r;
}

int socket_make(struct call *call, int domain, int type, int protocol, int flags, uint64_t *ret_id)
{
	struct supervisor *supervisor = call->supervisor;
	uint64_t id = id_new(supervisor, 1);
	struct channel_message message = { .type = CHANNEL_SOCKET,
					   .id = id,
					   .domain = (uint16_t)domain,
					   .kind = (uint16_t)type,
					   .protocol = (uint16_t)protocol,
					   .pid = call->tid };
	int fd = -1, far = -1, r = make(type, flags, &fd, &far);

	if (r)
		return r;
	r = socket_name(supervisor, fd, id, domain, type, protocol);
	if (!r && far >= 0 && supervisor->shim && !far_name(supervisor, far, id))
		message.flags = CHANNEL_LENDABLE;
	if (!r && far >= 0) {
		call_command(call, message.command);
		r = hand_over(supervisor, &message, far);
	}
	if (far >= 0)
		close(far);
	if (r) {
		close(fd);
		return r == -EPIPE ? -ENETDOWN : r;
	}
	*ret_id = id;
	return fd;
}

int64_t handle_socket(struct call *call)
{
	int domain = (int)call->args[0], type = (int)call->args[1], protocol = (int)call->args[2];
	int flags = type & ~TYPE_MASK, number, fd;
	uint64_t id = 0, inode;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	type &= TYPE_MASK;
	fd = check_kind(call, domain, type, &protocol);
	if (fd)
		return fd;
	fd = socket_make(call, domain, type, protocol, flags & SOCK_NONBLOCK, &id);
	if (fd < 0)
		return fd;
	inode = descriptor_inode(fd);
	holder_add(call->supervisor, fd);
	number = call_finish_fd(call, fd, flags & SOCK_CLOEXEC);
	if (number < 0) {
		close(fd);
		return number;
	}
	hint_set(call->supervisor, id, call->tid, number, inode);
	return CALL_ANSWERED;
}
