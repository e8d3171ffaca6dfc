/* SPDX-License-Identifier: BSD-2-Clause */
/* Flags of send() and recv(), requests of ioctl(), and what an accepted socket has of its listener. */
#include "probe.h"

#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>

static const struct {
	const char *name;
	int flag;
} flags[] = {
	{ "OOB", MSG_OOB },	      { "DONTROUTE", MSG_DONTROUTE },
	{ "EOR", MSG_EOR },	      { "WAITALL", MSG_WAITALL },
	{ "CONFIRM", MSG_CONFIRM },   { "MORE", MSG_MORE },
	{ "NOSIGNAL", MSG_NOSIGNAL }, { "ERRQUEUE", MSG_ERRQUEUE },
	{ "TRUNC", MSG_TRUNC },	      { "CTRUNC", MSG_CTRUNC },
	{ "PEEK", MSG_PEEK },	      { "CLOEXEC", MSG_CMSG_CLOEXEC },
	{ "PROXY", MSG_PROXY },	      { "SYN", MSG_SYN },
	{ "unknown", 1 << 25 },
};

static void sent_with(void (*open)(int ends[2]))
{
	union address peer;
	char bytes[16];

	for (size_t i = 0; i < COUNT_OF(flags); i++) {
		socklen_t length = sizeof(peer);
		int ends[2];

		open(ends);
		getpeername(ends[0], &peer.any, &length);
		say_count(flags[i].name, send(ends[0], "ab", 2, flags[i].flag));
		send(ends[0], "c", 1, 0); /* what MORE held back goes with it */
		await(ends[1], POLLIN);
		nap(20);
		say("/%zd", recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT));
		close(ends[0]);
		close(ends[1]);
	}
}

static void send_stream(void)
{
	sent_with(open_pair);
}

static void send_datagram(void)
{
	sent_with(open_pair_udp);
}

static void received_with(void (*open)(int ends[2]))
{
	char bytes[2];

	for (size_t i = 0; i < COUNT_OF(flags); i++) {
		int ends[2];

		open(ends);
		send(ends[0], "abc", 3, 0);
		await(ends[1], POLLIN);
		say_count(flags[i].name, recv(ends[1], bytes, sizeof(bytes), flags[i].flag | MSG_DONTWAIT));
		say("/%zd", recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT));
		close(ends[0]);
		close(ends[1]);
	}
}

static void receive_stream(void)
{
	received_with(open_pair);
}

static void receive_datagram(void)
{
	received_with(open_pair_udp);
}

/* FIONREAD and their like have scenarios of their own. */
static const struct {
	const char *name;
	unsigned long request;
} requests[] = {
	{ "FIOSETOWN", 0x8901 },    { "SIOCSPGRP", 0x8902 },  { "FIOGETOWN", 0x8903 },
	{ "SIOCGPGRP", 0x8904 },    { "SIOCATMARK", 0x8905 }, { "SIOCGSTAMP", 0x8906 },
	{ "SIOCGSTAMPNS", 0x8907 }, { "FIOCLEX", 0x5451 },    { "FIONCLEX", 0x5450 },
	{ "FIOASYNC", 0x5452 },	    { "FIONBIO", 0x5421 },    { "TCGETS", 0x5401 },
	{ "TIOCGWINSZ", 0x5413 },   { "FIGETBSZ", 2 },	      { "FIBMAP", 1 },
	{ "SIOCADDRT", 0x890b },    { "SIOCPROTO", 0x89e0 },  { "SIOCDEV", 0x89f0 },
	{ "SIOCGARP", 0x8954 },	    { "none", 0x1234 },	      { "SIOCOUTQNSD", 0x894b },
};

static void requests_of(int fd)
{
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		char room[256] = "";

		say_result(requests[i].name, ioctl(fd, requests[i].request, room));
	}
}

static void ioctl_stream(void)
{
	int ends[2];

	open_pair(ends);
	requests_of(ends[0]);
}

static void ioctl_datagram(void)
{
	int ends[2];

	open_pair_udp(ends);
	requests_of(ends[0]);
}

static void say_int(const char *label, int fd, int level, int option)
{
	int value = -1;

	if (getsockopt(fd, level, option, &value, &(socklen_t){ sizeof(value) }) < 0)
		say_result(label, -1);
	else
		say(" %s=%d", label, value);
}

static void inherited(void)
{
	static const struct {
		const char *name;
		int level, option, value;
	} options[] = {
		{ "NODELAY", IPPROTO_TCP, TCP_NODELAY, 1 },
		{ "KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ "KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 7 },
		{ "OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 1 },
		{ "REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1 },
		{ "RCVBUF", SOL_SOCKET, SO_RCVBUF, 30000 },
		{ "SNDBUF", SOL_SOCKET, SO_SNDBUF, 30000 },
		{ "TOS", IPPROTO_IP, IP_TOS, 0x10 },
		{ "TTL", IPPROTO_IP, IP_TTL, 9 },
		{ "PRIORITY", SOL_SOCKET, SO_PRIORITY, 3 },
		{ "MAXSEG", IPPROTO_TCP, TCP_MAXSEG, 500 },
		{ "USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 777 },
	};
	int listener = open_listener(AF_INET, 5), client, server;
	struct linger linger = { 1, 5 };
	struct timeval soon = { 0, 100000 };
	socklen_t length = sizeof(linger);
	char byte;

	for (size_t i = 0; i < COUNT_OF(options); i++)
		setsockopt(listener, options[i].level, options[i].option, &options[i].value, sizeof(int));
	setsockopt(listener, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	set_nonblocking(listener);
	client = open_client(listener);
	await(listener, POLLIN);
	server = accept(listener, NULL, NULL);
	for (size_t i = 0; i < COUNT_OF(options); i++)
		say_int(options[i].name, server, options[i].level, options[i].option);
	linger.l_onoff = linger.l_linger = 0;
	getsockopt(server, SOL_SOCKET, SO_LINGER, &linger, &length);
	say(" linger=%d/%d", linger.l_onoff, linger.l_linger);
	say_result("read", read(server, &byte, 1)); /* ends by the timeout, or never */
	close(client);
}

/* close() waits until what was written has been taken, or for the time. */
static void linger_waits(void)
{
	struct linger linger = { 1, 1 };
	struct timespec begin, end;
	static char block[1 << 16];
	int ends[2], seconds;

	open_pair(ends);
	setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	set_nonblocking(ends[0]);
	for (int i = 0; i < 20; i++) {
		while (write(ends[0], block, sizeof(block)) > 0)
			;
		nap(5);
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	say_result("close", close(ends[0]));
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (int)(end.tv_sec - begin.tv_sec) + (end.tv_nsec - begin.tv_nsec > 900000000);
	say(" waited=%d", seconds >= 1);
}

const struct scenario flag_scenarios[] = {
	{ "flags-send-stream", send_stream },
	{ "flags-send-datagram", send_datagram },
	{ "flags-receive-stream", receive_stream },
	{ "flags-receive-datagram", receive_datagram },
	{ "ioctl-stream", ioctl_stream },
	{ "ioctl-datagram", ioctl_datagram },
	{ "accept-inherits", inherited },
	{ "linger-waits", linger_waits },
	{ 0 },
};
