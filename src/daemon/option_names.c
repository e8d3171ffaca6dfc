/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of the socket options that programs are most often seen to set: for the journal. */
#include "daemon/journal.h"

#include "base/bytes.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#define NAMED(level, option) \
	{ \
		level, option, #option \
	}

static const struct {
	int level, option;
	const char *name;
} options[] = {
	NAMED(SOL_SOCKET, SO_REUSEADDR),
	NAMED(SOL_SOCKET, SO_REUSEPORT),
	NAMED(SOL_SOCKET, SO_KEEPALIVE),
	NAMED(SOL_SOCKET, SO_LINGER),
	NAMED(SOL_SOCKET, SO_RCVBUF),
	NAMED(SOL_SOCKET, SO_SNDBUF),
	NAMED(SOL_SOCKET, SO_BROADCAST),
	NAMED(SOL_SOCKET, SO_BINDTODEVICE),
	NAMED(SOL_SOCKET, SO_OOBINLINE),
	NAMED(SOL_SOCKET, SO_RCVLOWAT),
	NAMED(SOL_SOCKET, SO_TIMESTAMP),
	NAMED(SOL_SOCKET, SO_ZEROCOPY),
	NAMED(IPPROTO_TCP, TCP_NODELAY),
	NAMED(IPPROTO_TCP, TCP_CORK),
	NAMED(IPPROTO_TCP, TCP_KEEPIDLE),
	NAMED(IPPROTO_TCP, TCP_KEEPINTVL),
	NAMED(IPPROTO_TCP, TCP_KEEPCNT),
	NAMED(IPPROTO_TCP, TCP_DEFER_ACCEPT),
	NAMED(IPPROTO_TCP, TCP_USER_TIMEOUT),
	NAMED(IPPROTO_TCP, TCP_CONGESTION),
	NAMED(IPPROTO_TCP, TCP_FASTOPEN),
	NAMED(IPPROTO_TCP, TCP_QUICKACK),
	NAMED(IPPROTO_TCP, TCP_MAXSEG),
	NAMED(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	NAMED(IPPROTO_IP, IP_TOS),
	NAMED(IPPROTO_IP, IP_TTL),
	NAMED(IPPROTO_IP, IP_RECVERR),
	NAMED(IPPROTO_IP, IP_PKTINFO),
	NAMED(IPPROTO_IP, IP_ADD_MEMBERSHIP),
	NAMED(IPPROTO_IP, IP_MTU_DISCOVER),
	NAMED(IPPROTO_IP, IP_MULTICAST_TTL),
	NAMED(IPPROTO_IP, IP_MULTICAST_LOOP),
	NAMED(IPPROTO_IPV6, IPV6_V6ONLY),
	NAMED(IPPROTO_IPV6, IPV6_RECVERR),
	NAMED(IPPROTO_IPV6, IPV6_TCLASS),
	NAMED(IPPROTO_IPV6, IPV6_RECVPKTINFO),
};

const char *journal_option_name(int level, int option)
{
	for (size_t i = 0; i < COUNT_OF(options); i++)
		if (options[i].level == level && options[i].option == option)
			return options[i].name;
	return NULL;
}
