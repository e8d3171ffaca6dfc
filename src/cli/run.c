/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth run: reads its options into a struct run_options; src/run does the rest.
 * Everything wrong with the command line is said here, before anything starts.
 */
#include "cli/cli.h"

#include <berth/types.h>
#include <ctype.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/paths.h"
#include "run/run.h"

enum {
	PUBLISH_MAX = 64,
	OPTION_NET = 256,
	OPTION_NAME,
	OPTION_IP,
	OPTION_EXPRESS,
};

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network to be on (default: default); the first program starts it" },
	{ OPTION_NAME, "name", "NAME", "this host's name (default: the program's, made unique)" },
	{ OPTION_IP, "ip", "ADDRESS", "this host's address (default: the next free one)" },
	{ 'p', "publish", "[IP:]REAL:PORT[/udp]", "reach PORT from the real machine at REAL (IP: 127.0.0.1)" },
	{ OPTION_EXPRESS, "express", NULL, "carry connections past Berth's TCP, program to program: faster" },
	{ 0 },
};

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

/* Returns NULL, or what is wrong with it. */
static const char *publish_parse(const char *argument, struct channel_publish *ret_publish)
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

/* A host's name is a DNS label. RFC 1123 §2.1, RFC 1035 §2.3.1. */
static bool host_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (!length || length > 63 || name[0] == '-' || name[length - 1] == '-')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '-')
			return false;
	return true;
}

struct run_line {
	struct run_options options;
	struct channel_publish publish[PUBLISH_MAX];
};

static int take_publish(const struct command *command, struct run_line *line)
{
	const char *wrong;

	if (line->options.publish_count == PUBLISH_MAX)
		return usage_error(command, "at most %d ports can be published", PUBLISH_MAX);
	wrong = publish_parse(optarg, &line->publish[line->options.publish_count]);
	if (wrong)
		return usage_error(command, "-p '%s': %s", optarg, wrong);
	line->options.publish_count++;
	return CLI_OK;
}

static int take_option(const struct command *command, int letter, struct run_line *line)
{
	struct berth_ip ip;

	switch (letter) {
	case OPTION_NET:
		if (network_check(command, optarg))
			return CLI_USAGE;
		line->options.network = optarg;
		return CLI_OK;
	case OPTION_NAME:
		if (!host_name_valid(optarg))
			return usage_error(
				command, "--name '%s': a host's name is 1 to 63 letters, digits and inner '-'", optarg);
		line->options.name = optarg;
		return CLI_OK;
	case OPTION_IP:
		if (berth_ip_parse(optarg, &ip))
			return usage_error(command, "--ip '%s': that is no IP address", optarg);
		memcpy(line->options.hello.ip, ip.bytes, sizeof(line->options.hello.ip));
		return CLI_OK;
	case OPTION_EXPRESS:
		line->options.hello.flags |= HELLO_EXPRESS;
		return CLI_OK;
	default: /* 'p' */
		return take_publish(command, line);
	}
}

static int run_run(const struct command *command, int argc, char **argv)
{
	struct run_line line = { .options = { .network = NETWORK_DEFAULT } };
	int result;

	while ((result = options_next(command, argc, argv)) > 0)
		if (take_option(command, result, &line))
			return CLI_USAGE;
	if (result != OPTIONS_END)
		return options_exit(result);
	if (optind >= argc)
		return usage_error(command, "no program given");
	line.options.publish = line.publish;
	line.options.argv = argv + optind;
	return run_program(&line.options);
}

const struct command command_run = {
	.name = "run",
	.usage = "[OPTIONS] [--] PROGRAM [ARGUMENTS]",
	.summary = "Run a program on a network of Berth's",
	.options = options,
	.details = "The program has a host of its own: an address, every port, and a name that the\n"
		   "other programs on the network reach it by. When the last one ends, so does the\n"
		   "network.\n\n"
		   "Exit code: the program's own; 128 + n when signal n ended it; 125 when Berth could\n"
		   "not run it (a line on stderr says why); 126 when it can't be executed; 127 when\n"
		   "there is no such program.\n",
	.run = run_run,
	.program_follows = true,
};
