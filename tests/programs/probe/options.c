/* SPDX-License-Identifier: BSD-2-Clause */
/* Every socket option that programs were seen to use: read, set to 1, read again, read short. */
#include "probe.h"

#include <linux/in6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

/* Newer than some libcs. */
#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT 25
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define OPTION(level, option) \
	{ \
#option, level, option \
	}
static const struct {
	const char *name;
	int level, option;
} options[] = {
	OPTION(SOL_SOCKET, SO_TYPE),
	OPTION(SOL_SOCKET, SO_ERROR),
	OPTION(SOL_SOCKET, SO_DOMAIN),
	OPTION(SOL_SOCKET, SO_PROTOCOL),
	OPTION(SOL_SOCKET, SO_REUSEADDR),
	OPTION(SOL_SOCKET, SO_REUSEPORT),
	OPTION(SOL_SOCKET, SO_KEEPALIVE),
	OPTION(SOL_SOCKET, SO_BROADCAST),
	OPTION(SOL_SOCKET, SO_OOBINLINE),
	OPTION(SOL_SOCKET, SO_DONTROUTE),
	OPTION(SOL_SOCKET, SO_LINGER),
	OPTION(SOL_SOCKET, SO_PRIORITY),
	OPTION(SOL_SOCKET, SO_RCVLOWAT),
	OPTION(SOL_SOCKET, SO_SNDLOWAT),
	OPTION(SOL_SOCKET, SO_RCVTIMEO),
	OPTION(SOL_SOCKET, SO_SNDTIMEO),
	OPTION(SOL_SOCKET, SO_TIMESTAMP),
	OPTION(SOL_SOCKET, SO_TIMESTAMPNS),
	OPTION(SOL_SOCKET, SO_TIMESTAMPING),
	OPTION(SOL_SOCKET, SO_ACCEPTCONN),
	OPTION(SOL_SOCKET, SO_PEERCRED),
	OPTION(SOL_SOCKET, SO_PASSCRED),
	OPTION(SOL_SOCKET, SO_PEEK_OFF),
	OPTION(SOL_SOCKET, SO_ZEROCOPY),
	OPTION(SOL_SOCKET, SO_BUSY_POLL),
	OPTION(SOL_SOCKET, SO_MARK),
	OPTION(SOL_SOCKET, SO_RXQ_OVFL),
	OPTION(SOL_SOCKET, SO_RCVBUF),
	OPTION(SOL_SOCKET, SO_SNDBUF),
	OPTION(SOL_SOCKET, SO_RCVBUFFORCE),
	OPTION(SOL_SOCKET, SO_MAX_PACING_RATE),
	OPTION(SOL_SOCKET, SO_INCOMING_CPU),
	OPTION(SOL_SOCKET, SO_BINDTODEVICE),
	OPTION(SOL_SOCKET, SO_NO_CHECK),
	{ "unknown-socket", SOL_SOCKET, 999 },
	OPTION(IPPROTO_TCP, TCP_NODELAY),
	OPTION(IPPROTO_TCP, TCP_MAXSEG),
	OPTION(IPPROTO_TCP, TCP_CORK),
	OPTION(IPPROTO_TCP, TCP_KEEPIDLE),
	OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
	OPTION(IPPROTO_TCP, TCP_KEEPCNT),
	OPTION(IPPROTO_TCP, TCP_SYNCNT),
	OPTION(IPPROTO_TCP, TCP_LINGER2),
	OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT),
	OPTION(IPPROTO_TCP, TCP_WINDOW_CLAMP),
	OPTION(IPPROTO_TCP, TCP_QUICKACK),
	OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
	OPTION(IPPROTO_TCP, TCP_FASTOPEN),
	OPTION(IPPROTO_TCP, TCP_FASTOPEN_CONNECT),
	OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	OPTION(IPPROTO_TCP, TCP_REPAIR),
	OPTION(IPPROTO_TCP, TCP_ULP),
	OPTION(IPPROTO_TCP, TCP_CONGESTION),
	OPTION(IPPROTO_TCP, TCP_TIMESTAMP),
	OPTION(IPPROTO_TCP, TCP_SAVE_SYN),
	{ "unknown-tcp", IPPROTO_TCP, 999 },
	OPTION(IPPROTO_IP, IP_TOS),
	OPTION(IPPROTO_IP, IP_TTL),
	OPTION(IPPROTO_IP, IP_OPTIONS),
	OPTION(IPPROTO_IP, IP_PKTINFO),
	OPTION(IPPROTO_IP, IP_RECVTTL),
	OPTION(IPPROTO_IP, IP_RECVTOS),
	OPTION(IPPROTO_IP, IP_RECVERR),
	OPTION(IPPROTO_IP, IP_MTU_DISCOVER),
	OPTION(IPPROTO_IP, IP_MTU),
	OPTION(IPPROTO_IP, IP_FREEBIND),
	OPTION(IPPROTO_IP, IP_TRANSPARENT),
	OPTION(IPPROTO_IP, IP_MINTTL),
	OPTION(IPPROTO_IP, IP_MULTICAST_TTL),
	OPTION(IPPROTO_IP, IP_MULTICAST_LOOP),
	OPTION(IPPROTO_IP, IP_MULTICAST_ALL),
	OPTION(IPPROTO_IP, IP_MULTICAST_IF),
	OPTION(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
	OPTION(IPPROTO_IP, IP_RECVORIGDSTADDR),
	OPTION(IPPROTO_IP, IP_HDRINCL),
	OPTION(IPPROTO_IP, IP_RECVOPTS),
	{ "unknown-ip", IPPROTO_IP, 999 },
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY),
	OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
	OPTION(IPPROTO_IPV6, IPV6_MULTICAST_HOPS),
	OPTION(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
	OPTION(IPPROTO_IPV6, IPV6_MULTICAST_IF),
	OPTION(IPPROTO_IPV6, IPV6_RECVPKTINFO),
	OPTION(IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
	OPTION(IPPROTO_IPV6, IPV6_RECVTCLASS),
	OPTION(IPPROTO_IPV6, IPV6_TCLASS),
	OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
	OPTION(IPPROTO_IPV6, IPV6_MTU),
	OPTION(IPPROTO_IPV6, IPV6_RECVERR),
	OPTION(IPPROTO_IPV6, IPV6_DONTFRAG),
	OPTION(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL),
	OPTION(IPPROTO_IPV6, IPV6_FREEBIND),
	{ "unknown-ipv6", IPPROTO_IPV6, 999 },
	OPTION(IPPROTO_UDP, UDP_CORK),
	OPTION(IPPROTO_UDP, UDP_SEGMENT),
	OPTION(IPPROTO_UDP, UDP_GRO),
	OPTION(IPPROTO_UDP, UDP_NO_CHECK6_TX),
	{ "unknown-udp", IPPROTO_UDP, 999 },
	{ "unknown-level", 77, 1 },
};

static const struct {
	const char *name;
	int domain, type;
} kinds[] = {
	{ "tcp4", AF_INET, SOCK_STREAM },
	{ "udp4", AF_INET, SOCK_DGRAM },
	{ "tcp6", AF_INET6, SOCK_STREAM },
	{ "udp6", AF_INET6, SOCK_DGRAM },
};

static void say_value(const char *label, int fd, size_t i, size_t room)
{
	unsigned char value[64] = { 0 };
	socklen_t length = (socklen_t)room;

	if (getsockopt(fd, options[i].level, options[i].option, value, &length) < 0) {
		printf(" %s=%s", label, error_name(errno));
		return;
	}
	printf(" %s=", label);
	if (length == sizeof(int))
		printf("%d", *(int *)(void *)value);
	else
		for (socklen_t j = 0; j < length && j < 16; j++)
			printf("%02x", value[j]);
	printf("/%u", length);
}

static void try_option(size_t kind, size_t i)
{
	int fd = socket(kinds[kind].domain, kinds[kind].type, 0), one = 1;

	printf("option-%s-%s:", kinds[kind].name, options[i].name);
	say_value("get", fd, i, 64);
	printf(" set=%s",
	       setsockopt(fd, options[i].level, options[i].option, &one, sizeof(one)) < 0 ? error_name(errno) : "0");
	say_value("then", fd, i, 64);
	say_value("short", fd, i, 1);
	printf(" set-short=%s",
	       setsockopt(fd, options[i].level, options[i].option, &one, 1) < 0 ? error_name(errno) : "0");
	printf(" set-none=%s\n",
	       setsockopt(fd, options[i].level, options[i].option, NULL, 0) < 0 ? error_name(errno) : "0");
	fflush(stdout);
	close(fd);
}

void options_run(const char *only)
{
	char name[64];

	for (size_t kind = 0; kind < COUNT_OF(kinds); kind++)
		for (size_t i = 0; i < COUNT_OF(options); i++) {
			snprintf(name, sizeof(name), "option-%s-%s", kinds[kind].name, options[i].name);
			if (!only || !strncmp(name, only, strlen(only)))
				try_option(kind, i);
		}
}
