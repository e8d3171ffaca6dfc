/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * setsockopt(), getsockopt() and ioctl(). What the socket's name says is
 * answered here, what a TCP or UDP socket never has is refused here as Linux
 * refuses it; the rest is the daemon's.
 */
#include "run/supervisor.h"

#include "control/shim.h"
#include "run/kernel.h"

#include <asm/socket.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define VALUE_MAX 16384

/*
 * Options at SOL_SOCKET that need no daemon. CALL_CONTINUE: native; 1: ask on.
 */
static int64_t set_locally(struct call *call, int option, const uint8_t *value, size_t length)
{
	switch (option) {
	case SO_ERROR:
	case SO_TYPE:
	case SO_DOMAIN:
	case SO_PROTOCOL:
	case SO_PEERCRED:
	case SO_PEERSEC:
	case SO_PEERGROUPS:
	case SO_PEERNAME:
	case RUN_SO_PEERPIDFD:
	case RUN_SO_INQ:
		return -ENOPROTOOPT;
	case RUN_SO_PASSPIDFD:
	case RUN_SO_PASSRIGHTS:
		return -EOPNOTSUPP;
	case SO_RCVBUFFORCE:
	case SO_SNDBUFFORCE:
		return -EPERM;
	case SO_ZEROCOPY:
		return -EOPNOTSUPP;
	case SO_PASSCRED:
	case SO_PASSSEC:
		return 0; /* Linux, until 6.15: taken, and without effect on INET */
	case SO_DONTROUTE:
	case SO_PEEK_OFF:
		return CALL_CONTINUE;
	case SO_OOBINLINE:
	case SO_RCVLOWAT:
		/* The kernel's socket is where is read, urgent bytes too, so it must know as well. */
		setsockopt(call->descriptor.fd, SOL_SOCKET, option, value, (socklen_t)length);
		return 1;
	default:
		return 1;
	}
}

/* Remember what recvmsg() must tell. */
static void note_wants(struct call *call, int level, int option, const uint8_t *value, size_t length)
{
	bool on = false;
	uint32_t want = 0;

	for (size_t i = 0; i < MIN(length, sizeof(int)); i++)
		on = on || value[i];
	if (level == IPPROTO_IP)
		want = option == IP_PKTINFO	      ? WANT_PKTINFO
		       : option == IP_RECVERR	      ? WANT_ERRORS
		       : option == IP_RECVTTL	      ? WANT_TTL
		       : option == IP_RECVTOS	      ? WANT_TOS
		       : option == IP_RECVOPTS	      ? WANT_OPTIONS
		       : option == IP_RETOPTS	      ? WANT_RETURN_OPTIONS
		       : option == IP_RECVORIGDSTADDR ? WANT_ORIGINAL
						      : 0;
	else if (level == IPPROTO_IPV6)
		want = option == IPV6_RECVPKTINFO	? WANT_PKTINFO
		       : option == IPV6_RECVERR		? WANT_ERRORS
		       : option == IPV6_RECVHOPLIMIT	? WANT_TTL
		       : option == IPV6_RECVTCLASS	? WANT_TOS
		       : option == IPV6_RECVORIGDSTADDR ? WANT_ORIGINAL
							: 0;
	if (!want)
		return;
	hint_want(call->supervisor, call->descriptor.id, want, on);
	if (on && want & (WANT_ERRORS | WANT_TTL))
		error_raise(call);
}

/* What Berth lacks is said; what is asked of a socket in the wrong way is not. */
static int64_t say_option(struct call *call, const char *name, int64_t result)
{
	int level = (int)call->args[1];
	char number[16];

	if (result != -ENOPROTOOPT && result != -EOPNOTSUPP)
		return result;
	snprintf(number, sizeof(number), "%d", level);
	say_once(call->supervisor, "%s: %s(%s, %d) is not supported here: %s", call->supervisor->name, name,
		 level == SOL_SOCKET	 ? "SOL_SOCKET"
		 : level == IPPROTO_IP	 ? "IPPROTO_IP"
		 : level == IPPROTO_IPV6 ? "IPPROTO_IPV6"
		 : level == IPPROTO_TCP	 ? "IPPROTO_TCP"
		 : level == IPPROTO_UDP	 ? "IPPROTO_UDP"
					 : number,
		 (int)call->args[2], strerrorname_np((int)-result));
	return result;
}

/* What the program sends waits in the kernel's socket first, so its limit holds there, too. */
static void limit_buffer(struct call *call, const uint8_t *value, size_t length)
{
	int size = 0;

	memcpy(&size, value, MIN(length, sizeof(size)));
	if (size <= 0 && (int)call->args[2] == TCP_NOTSENT_LOWAT)
		return; /* no mark */
	if (call->descriptor.type == SOCK_STREAM)
		descriptor_limit_buffer(call->descriptor.fd, size);
}

/*
 * Of a stream socket, and sure to succeed: nobody has to wait for it. What follows on the same socket comes after
 * it; what follows on another may overtake it, so what another would notice is not: SO_REUSEADDR decides who may
 * bind(), and what comes to a listener inherits its options. TCP_CORK not: what is written next must find it set.
 */
static bool sure(const struct call *call, const uint8_t *value, int length)
{
	int level = (int)call->args[1], option = (int)call->args[2], number = 0;
	const struct descriptor *descriptor = &call->descriptor;

	if (descriptor->type != SOCK_STREAM || length < (int)sizeof(number))
		return false;
	memcpy(&number, value, sizeof(number));
	if (level == SOL_SOCKET ? option != SO_KEEPALIVE
				: level != IPPROTO_TCP || (option != TCP_NODELAY && (option != TCP_CORK || number)))
		return false;
	return descriptor->carried || !descriptor_listening(descriptor->fd);
}

/* By express there is nothing that could wait for more, so this is only to be remembered: by the socket itself. */
static bool remember_nodelay(const struct call *call, const uint8_t *value, int length)
{
	int number = 0;

	if (!descriptor_express(&call->descriptor) || (int)call->args[1] != IPPROTO_TCP ||
	    (int)call->args[2] != TCP_NODELAY || length < (int)sizeof(number))
		return false;
	memcpy(&number, value, sizeof(number));
	descriptor_mark(call->descriptor.fd, SHIM_MARK_NODELAY, number);
	return number; /* the daemon may know it from before */
}

int64_t handle_setsockopt(struct call *call)
{
	int level = (int)call->args[1], option = (int)call->args[2], length = (int)call->args[4];
	uint8_t *value = call->scratch;
	struct channel_message message;
	int64_t r;

	if (length < 0)
		return -EINVAL;
	if (length > VALUE_MAX)
		return -ENOBUFS;
	if (memory_read(call, call->args[3], value, (size_t)length))
		return -EFAULT;
	if (level == SOL_SOCKET && option != SO_BINDTODEVICE && length < (int)sizeof(int))
		return -EINVAL;
	if (level == SOL_SOCKET) {
		r = set_locally(call, option, value, (size_t)length);
		if (r != 1)
			return r;
	}
	if (remember_nodelay(call, value, length))
		return 0;
	call_message(call, &message, CHANNEL_SETSOCKOPT);
	message.level = level;
	message.option = option;
	if (sure(call, value, length)) {
		message.flags |= CHANNEL_QUIET;
		r = line_tell(call->supervisor, line_of(call->supervisor, message.id), &message,
			      &(struct iovec){ value, (size_t)length }, 1, -1);
		return r ? -ENETDOWN : 0;
	}
	r = call_ask(call, &message, value, (size_t)length, NULL, 0);
	if (!r)
		note_wants(call, level, option, value, (size_t)length);
	if (!r &&
	    ((level == SOL_SOCKET && option == SO_SNDBUF) || (level == IPPROTO_TCP && option == TCP_NOTSENT_LOWAT)))
		limit_buffer(call, value, (size_t)length);
	return say_option(call, "setsockopt", r);
}

/* The value, clipped to the room that the caller has. */
static int64_t give_value(struct call *call, const void *value, size_t length)
{
	int room;

	if (memory_read(call, call->args[4], &room, sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	room = (int)MIN((size_t)room, length);
	if (memory_write(call, call->args[3], value, (size_t)room))
		return -EFAULT;
	return memory_write(call, call->args[4], &room, sizeof(room));
}

static int64_t give_int(struct call *call, int value)
{
	return give_value(call, &value, sizeof(value));
}

/*
 * The daemon's error is TCP's. If it has none, the socket's own may be: the
 * daemon resets the program's end natively. Either way both are cleared.
 */
static int64_t get_error(struct call *call)
{
	struct channel_message message;
	int native = 0, error = 0, r;

	call_message(call, &message, CHANNEL_GETSOCKOPT);
	message.level = SOL_SOCKET;
	message.option = SO_ERROR;
	message.value = sizeof(error);
	r = call_ask(call, &message, NULL, 0, &error, sizeof(error));
	error_seen(call);
	getsockopt(call->descriptor.fd, SOL_SOCKET, SO_ERROR, &native, &(socklen_t){ sizeof(native) });
	if (call->descriptor.type != SOCK_STREAM)
		native = 0; /* it says that there is one, not which */
	return give_int(call, r < 0 || !error ? native : error);
}

/* getpeername() by another name; but an address that is cut short is no use. Linux: sk_getsockopt() */
static int64_t get_peer(struct call *call)
{
	struct channel_message message;
	int room, r;

	call_message(call, &message, CHANNEL_GETPEERNAME);
	r = call_ask(call, &message, NULL, 0, NULL, 0);
	if (r < 0)
		return -ENOTCONN;
	if (memory_read(call, call->args[4], &room, sizeof(room)))
		return -EFAULT;
	return room > (int)message.address_length ? -EINVAL : give_value(call, message.address, message.address_length);
}

static int64_t get_locally(struct call *call, int option)
{
	const struct ucred nobody = { .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	const struct descriptor *descriptor = &call->descriptor;

	switch (option) {
	case SO_ERROR:
		return get_error(call);
	case SO_TYPE:
		return give_int(call, descriptor->type);
	case SO_DOMAIN:
		return give_int(call, descriptor->domain);
	case SO_PROTOCOL:
		return give_int(call, descriptor->protocol);
	case SO_PEERCRED:
		return give_value(call, &nobody, sizeof(nobody));
	case SO_PEERNAME:
		return get_peer(call);
	case SO_PEERGROUPS:
	case RUN_SO_PEERPIDFD:
		return -ENODATA;
	case RUN_SO_PASSPIDFD:
	case RUN_SO_PASSRIGHTS:
		return -EOPNOTSUPP;
	case RUN_SO_INQ:
	case SO_PEERSEC: /* no security module has anything to say of INET sockets here */
	case SO_RCVBUFFORCE:
	case SO_SNDBUFFORCE:
		return -ENOPROTOOPT;
	case SO_ZEROCOPY:
	case SO_PASSCRED:
	case SO_PASSSEC:
		return give_int(call, 0);
	case SO_DONTROUTE:
	case SO_PEEK_OFF:
	case SO_RCVLOWAT: /* the daemon moves the stack's */
		return CALL_CONTINUE;
	default:
		return 1;
	}
}

int64_t handle_getsockopt(struct call *call)
{
	struct channel_message message;
	int room;
	int64_t r;

	if ((int)call->args[1] == SHIM_LEVEL && (int)call->args[2] == SHIM_FAR)
		return handle_far(call);
	if ((int)call->args[1] == SHIM_LEVEL && (int)call->args[2] == SHIM_CONNECTS && call->supervisor->shim)
		return give_int(call, connect_has_begun(call));
	if ((int)call->args[1] == SHIM_LEVEL && (int)call->args[2] == SHIM_NAMES)
		return handle_names(call);
	if ((int)call->args[1] == SHIM_LEVEL && (int)call->args[2] == SHIM_LISTENER)
		return handle_listener(call);
	if ((int)call->args[1] == SHIM_LEVEL && (int)call->args[2] == SHIM_PEER)
		return handle_peer(call);
	if ((int)call->args[1] == SHIM_LEVEL && (int)call->args[2] == SHIM_TICKETS)
		return handle_tickets(call);
	if (memory_read(call, call->args[4], &room, sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if ((int)call->args[1] == IPPROTO_TCP && (int)call->args[2] == TCP_NODELAY &&
	    descriptor_express(&call->descriptor) && descriptor_marked(call->descriptor.fd, SHIM_MARK_NODELAY))
		return give_int(call, 1);
	call_message(call, &message, CHANNEL_GETSOCKOPT);
	message.level = (int)call->args[1];
	message.option = (int)call->args[2];
	message.value = MIN(room, VALUE_MAX);
	if (message.level == SOL_SOCKET) {
		r = get_locally(call, message.option);
		if (r != 1)
			return r;
	}
	r = call_ask(call, &message, NULL, 0, call->scratch, SCRATCH_SIZE);
	if (r < 0)
		return say_option(call, "getsockopt", r);
	return give_value(call, call->scratch, MIN(message.payload_length, (uint32_t)SCRATCH_SIZE));
}

/* Any socket of the program's own will do for a question about interfaces. */
static bool is_unix(int fd)
{
	int domain = 0;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof(domain) }) == 0 && domain == AF_UNIX;
}

static int64_t ioctl_configuration(struct call *call, struct channel_message *message)
{
	struct ifconf configuration;
	size_t size;
	int r;

	if (memory_read(call, call->args[2], &configuration, sizeof(configuration)))
		return -EFAULT;
	/* All of them are asked for; how many the program has room for is seen to here. */
	size = 128 * sizeof(struct ifreq);
	memset(call->scratch, 0, size);
	message->value = (int)size;
	r = call_ask(call, message, call->scratch, size, call->scratch, size);
	if (r < 0)
		return r;
	size = MIN(size, message->payload_length);
	if (configuration.ifc_buf) {
		if (configuration.ifc_len < 0)
			return -EINVAL;
		size = MIN(size, (size_t)configuration.ifc_len);
		size -= size % sizeof(struct ifreq);
		if (memory_write(call, (uintptr_t)configuration.ifc_buf, call->scratch, size))
			return -EFAULT;
	}
	configuration.ifc_len = (int)size;
	return memory_write(call, call->args[2], &configuration, sizeof(configuration));
}

/* Bytes that the peer has not acknowledged, or that have not even been sent: the daemon counts them all. */
static int64_t ioctl_queue(struct call *call, uint32_t request)
{
	struct channel_message message;
	int waiting = 0, r;

	if (!call->descriptor.ours || call->descriptor.type != SOCK_STREAM)
		return request == SIOCOUTQ ? CALL_CONTINUE : -ENOTTY;
	call_message(call, &message, CHANNEL_IOCTL);
	message.option = (int32_t)request;
	r = call_ask(call, &message, NULL, 0, &waiting, sizeof(waiting));
	return r < 0 ? r : memory_write(call, call->args[2], &waiting, sizeof(waiting));
}

/*
 * Does the next byte have the mark? One that the program's socket holds is the kernel's to tell; when all was read,
 * the daemon knows of a mark whose byte is still to come, as TCP does from the first segment that announces it.
 */
static int64_t ioctl_at_mark(struct call *call)
{
	struct channel_message message;
	int at_mark = 0, unread = 0, r;

	if (!call->descriptor.ours)
		return CALL_CONTINUE;
	if (call->descriptor.type != SOCK_STREAM)
		return -ENOTTY;
	if (!ioctl(call->descriptor.fd, SIOCATMARK, &at_mark) && !at_mark &&
	    !ioctl(call->descriptor.fd, SIOCINQ, &unread) && !unread) {
		call_message(call, &message, CHANNEL_IOCTL);
		message.option = SIOCATMARK;
		r = call_ask(call, &message, NULL, 0, &at_mark, sizeof(at_mark));
		if (r < 0)
			return r;
	}
	return memory_write(call, call->args[2], &at_mark, sizeof(at_mark));
}

/* Requests on interfaces that a struct ifreq holds; others are not supported here. */
#define IOCTL_FIRST 0x8910
#define IOCTL_LAST 0x895f

int64_t handle_ioctl(struct call *call)
{
	struct channel_message message;
	uint32_t request = (uint32_t)call->args[1];
	struct ifreq interface;
	int r;

	if (request == SIOCOUTQ || request == SIOCOUTQNSD)
		return ioctl_queue(call, request);
	if (request == SIOCATMARK)
		return ioctl_at_mark(call);
	if (!call->descriptor.ours) {
		if (!is_unix(call->descriptor.fd))
			return CALL_CONTINUE;
		call->descriptor.id = 0;
	}
	if (request == SIOCADDRT || request == SIOCDELRT)
		return -EPERM; /* the network is not the program's to change */
	if ((request < IOCTL_FIRST || request > IOCTL_LAST) && request != SIOCGIFMAP) {
		say_once(call->supervisor, "%s: ioctl(0x%x) is not supported here: ENOTTY", call->supervisor->name,
			 request);
		return -ENOTTY;
	}
	call_message(call, &message, CHANNEL_IOCTL);
	message.option = (int32_t)request;
	if (request == SIOCGIFCONF)
		return ioctl_configuration(call, &message);
	if (memory_read(call, call->args[2], &interface, sizeof(interface)))
		return -EFAULT;
	r = call_ask(call, &message, &interface, sizeof(interface), &interface, sizeof(interface));
	if (r < 0)
		return r;
	if (memory_write(call, call->args[2], &interface, sizeof(interface)))
		return -EFAULT;
	return r;
}
