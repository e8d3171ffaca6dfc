/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Published ports on the command line, [IP:]REAL:PORT[/tcp|/udp], and berth
 * publish and unpublish, which change them while the program runs.
 */
#include "cli/launch.h"
#include "control/paths.h"

#include <berth/types.h>
#include <ctype.h>
#include <getopt.h>
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

enum { OPTION_NET = 256 };

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network that the host is on (default: default)" },
	{ 0 },
};

static json_t *publish_json(const struct channel_publish *publish)
{
	char text[BERTH_IP_STRLEN];
	struct berth_ip ip;

	memcpy(ip.bytes, publish->real_ip, sizeof(ip.bytes));
	return json_pack("{s:s, s:i, s:i, s:s}", "address", berth_ip_format(ip, text), "real_port", publish->real_port,
			 "port", publish->port, "protocol", publish->protocol == IPPROTO_UDP ? "udp" : "tcp");
}

/* Ask for it. Prints what the host has published then. */
static int change_one(const struct command *command, const char *network, const char *host,
		      const struct channel_publish *publish)
{
	json_t *body = publish_json(publish), *answer;
	char path[160], text[512];
	int r = program_path(command, host, command->name, path, sizeof(path));

	if (!r)
		r = api_put(command, network, path, body, &answer);
	json_decref(body);
	if (r)
		return r;
	published_list(json_object_get(answer, "published"), text, sizeof(text));
	printf("%s\n", text);
	json_decref(answer);
	return CLI_OK;
}

static int change_run(const struct command *command, int argc, char **argv)
{
	const char *network = NETWORK_DEFAULT, *host, *wrong;
	struct channel_publish publish;
	int result;

	while ((result = options_next(command, argc, argv)) > 0)
		network = optarg;
	if (result != OPTIONS_END)
		return options_exit(result);
	if (network_check(command, network))
		return CLI_USAGE;
	if (argc - optind < 2)
		return usage_error(command, optind < argc ? "no ports given" : "no host given");
	host = argv[optind++];
	wrong = publish_parse(argv[optind], &publish);
	if (wrong)
		return usage_error(command, "'%s': %s", argv[optind], wrong);
	optind++;
	if (usage_no_operands(command, argc, argv))
		return CLI_USAGE;
	return cli_finish(change_one(command, network, host, &publish));
}

#define DETAILS \
	"Prints what the host has published then.\n\n" \
	"Exit code: 0; 1 when the network is not running, has no such host, or it can't be done;\n" \
	"125 for wrong use.\n"

const struct command command_publish = {
	.name = "publish",
	.usage = "[OPTIONS] HOST [IP:]REAL:PORT[/udp]",
	.summary = "Let the real machine in at a port, while the program runs",
	.options = options,
	.details = DETAILS,
	.run = change_run,
};

const struct command command_unpublish = {
	.name = "unpublish",
	.usage = "[OPTIONS] HOST [IP:]REAL:PORT[/udp]",
	.summary = "Close a published port; conversations go on",
	.options = options,
	.details = DETAILS,
	.run = change_run,
};
