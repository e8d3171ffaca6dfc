/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Published ports on the command line: [IP:]REAL:PORT[/tcp|/udp].
 */
#include "cli/launch.h"

#include <berth/types.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* A port number in all of text; low: the least that is allowed. Returns -1 if it is none. */
static long port_parse(const char *text, long low)
{
	char *end;
	long port;

	if (!isdigit((unsigned char)*text))
		return -1;
	port = strtol(text, &end, 10);
	return *end || port < low || port > 65535 ? -1 : port;
}

/* Cut "/tcp" or "/udp" off text. Returns the protocol, or -1. */
static int protocol_cut(char *text)
{
	char *slash = strchr(text, '/');

	if (!slash)
		return IPPROTO_TCP;
	*slash++ = '\0';
	if (!strcmp(slash, "tcp"))
		return IPPROTO_TCP;
	return !strcmp(slash, "udp") ? IPPROTO_UDP : -1;
}

/* Read "1.2.3.4" or "[::1]". */
static int real_ip_parse(char *text, struct berth_ip *ret_ip)
{
	size_t length = strlen(text);

	if (text[0] == '[' && length > 2 && text[length - 1] == ']') {
		text[length - 1] = '\0';
		text++;
	}
	return berth_ip_parse(text, ret_ip);
}

const char *publish_parse(const char *argument, struct channel_publish *ret_publish)
{
	char text[128], *port, *real, *ip = NULL;
	struct berth_ip address;
	int protocol;

	if (snprintf(text, sizeof(text), "%s", argument) >= (int)sizeof(text))
		return "too long";
	protocol = protocol_cut(text);
	if (protocol < 0)
		return "the protocol is /tcp or /udp";
	port = strrchr(text, ':');
	if (!port)
		return "it takes two ports, REAL:PORT";
	*port++ = '\0';
	real = strrchr(text, ':');
	if (real) {
		*real++ = '\0';
		ip = text;
	} else {
		real = text;
	}
	if (real_ip_parse(ip ? ip : (char[]){ "127.0.0.1" }, &address))
		return "that is no IP address";
	if (port_parse(port, 1) < 0 || port_parse(real, 0) < 0)
		return "a port is a number from 1 to 65535 (REAL may be 0: any)";
	*ret_publish = (struct channel_publish){ .real_port = (uint16_t)port_parse(real, 0),
						 .port = (uint16_t)port_parse(port, 1),
						 .protocol = (uint8_t)protocol };
	memcpy(ret_publish->real_ip, address.bytes, sizeof(ret_publish->real_ip));
	return NULL;
}
