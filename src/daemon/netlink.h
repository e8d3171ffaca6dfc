/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer to a netlink request while it is made, message by message. */
#ifndef DAEMON_NETLINK_H
#define DAEMON_NETLINK_H

#include "daemon/state.h"

#include <berth/inspect.h>
#include <linux/netlink.h>

enum { REPLY_SIZE = 16384 }; /* what every reader of dumps has room for */

struct reply {
	struct plug *plug;
	const struct nlmsghdr *request;
	uint8_t bytes[REPLY_SIZE];
	size_t length, message; /* message: where the one being written begins */
	bool dump;
};

/* Begin a message with size bytes after its head, zeroed, which are returned; attributes; and its end. */
void *reply_begin(struct reply *reply, uint16_t type, size_t size);
void reply_attribute(struct reply *reply, uint16_t type, const void *bytes, size_t size);
void reply_end(struct reply *reply);

/* diag.c: NETLINK_SOCK_DIAG. Returns 0 or a negative errno, which is then the answer. */
int diag_answer(struct reply *reply);
enum { DIAG_CLOSED = 7, DIAG_LISTEN = 10 }; /* Linux: include/net/tcp_states.h */
/* A socket's state and timer in Linux's numbers. */
uint8_t diag_state(const struct berth_socket_info *info);
uint8_t diag_timer(const struct berth_socket_info *info);
/* Put in what the host's program sees of its peer, and what the stack does not know: a connection by express. */
void diag_show(struct host *host, struct berth_socket_info *info);

#endif
