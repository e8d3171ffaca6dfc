/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The abstract names of channel.h: written and read in one place. A name is
 * used as a struct sockaddr_un whose path begins with a zero byte.
 */
#ifndef CONTROL_NAME_H
#define CONTROL_NAME_H

#include <berth/types.h>

#include <sys/socket.h>
#include <sys/un.h>

#define NAME_KEY_LENGTH 32 /* hex digits */

/* What an abstract name says. */
struct name {
	enum name_kind {
		NAME_DAEMON,   /* ".d": the daemon's listener for connections that programs make */
		NAME_SOCKET,   /* ".s": a program's own socket */
		NAME_FAR,      /* ".f": the far end of a datagram socket's pair, where it may be lent */
		NAME_ACCEPTED, /* ".c": the daemon's end of a connection that a program accepts */
	} kind;
	uint64_t id;
	/* NAME_SOCKET */
	uint16_t domain, type, protocol; /* 0-255 */
	/* NAME_ACCEPTED: the far end. family is AF_INET or AF_INET6 */
	uint16_t family, port;
	struct berth_ip ip;
};

/*
 * ".d" | ".s" id domain type protocol | ".f" id | ".c" id "." family port ip, where id
 * has 16 hex digits; domain, type, protocol and family 2; port 4; ip all 16
 * bytes of a struct berth_ip, so 32. Returns the length for bind() and connect().
 */
socklen_t name_write(const char key[NAME_KEY_LENGTH], const struct name *name, struct sockaddr_un *ret_address);
/* Returns 0, or -EINVAL: not a name of the network with this key. */
int name_read(const char key[NAME_KEY_LENGTH], const struct sockaddr_un *address, socklen_t length,
	      struct name *ret_name);

/*
 * Is a stream socket bound to name still open anywhere? Asks by binding one to
 * it: EADDRINUSE says yes. (Connecting a datagram socket does not tell: Linux
 * keeps abstract names apart by type and refuses either way.) *probe is a
 * socket kept from one question to the next, the caller's to close; -1: none.
 */
bool name_is_alive(int *probe, const struct sockaddr_un *address, socklen_t length);

#endif
