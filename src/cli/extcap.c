/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth extcap: Wireshark's and tshark's way to captures of Berth's networks
 * (extcap(4)). They call it with options that ask which interfaces there are,
 * what comes from one of them, and to capture into a pipe. "berth.NETWORK" is
 * a network, "berth.NETWORK.HOST" one host of it; neither name has a dot.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "control/paths.h"

enum {
	OPTION_VERSION = 256,
	OPTION_INTERFACES,
	OPTION_DLTS,
	OPTION_CONFIG,
	OPTION_INTERFACE,
	OPTION_CAPTURE,
	OPTION_FIFO,
	OPTION_FILTER,
	OPTION_KEYLOG,
	OPTION_RING,
};

static const struct cli_option options[] = {
	{ OPTION_VERSION, "extcap-version", "VERSION", "Wireshark's" },
	{ OPTION_INTERFACES, "extcap-interfaces", NULL, "say which interfaces there are" },
	{ OPTION_INTERFACE, "extcap-interface", "NAME", "the interface that the rest is about" },
	{ OPTION_DLTS, "extcap-dlts", NULL, "say of which kind its packets are" },
	{ OPTION_CONFIG, "extcap-config", NULL, "say what can be set" },
	{ OPTION_FILTER, "extcap-capture-filter", "FILTER", "only these packets; without --capture: check it" },
	{ OPTION_CAPTURE, "capture", NULL, "capture" },
	{ OPTION_FIFO, "fifo", "FILE", "where to" },
	{ OPTION_KEYLOG, "keylog", "FILE", "put the TLS secrets in FILE into the capture" },
	{ OPTION_RING, "ring", NULL, "what the ring holds, instead of what comes" },
	{ 0 },
};

enum wish { WISH_NONE, WISH_INTERFACES, WISH_DLTS, WISH_CONFIG, WISH_CAPTURE };

struct extcap {
	enum wish wish;
	const char *interface, *fifo, *filter, *keylog;
	bool ring;
	char network[64], host[64]; /* of interface; host empty: all */
};

static int is_network(const struct dirent *entry)
{
	return network_name_valid(entry->d_name);
}

static void print_network(const struct command *command, const char *network)
{
	json_t *hosts, *host;
	size_t i;

	if (network_clean(network) != -EWOULDBLOCK || api_get(command, network, "/v1/hosts", &hosts))
		return; /* it does not run */
	printf("interface {value=berth.%s}{display=Berth network %s}\n", network, network);
	json_array_foreach(hosts, i, host)
		printf("interface {value=berth.%s.%s}{display=Berth host %s on network %s}\n", network,
		       api_string(host, "name"), api_string(host, "name"), network);
	json_decref(hosts);
}

static int print_interfaces(const struct command *command)
{
	struct dirent **entries = NULL;
	char root[256];
	int count;

	printf("extcap {version=" BERTH_VERSION "}{display=Berth}\n");
	count = network_root(root, sizeof(root)) ? 0 : scandir(root, &entries, is_network, alphasort);
	for (int i = 0; i < count; i++) {
		print_network(command, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return cli_finish(CLI_OK);
}

static int print_dlts(void)
{
	printf("dlt {number=%d}{name=EN10MB}{display=Ethernet}\n", DLT_EN10MB);
	return cli_finish(CLI_OK);
}

static int print_config(void)
{
	printf("arg {number=0}{call=--keylog}{display=TLS key log}{type=fileselect}{mustexist=false}"
	       "{tooltip=The file that SSLKEYLOGFILE names, while programs write it}\n"
	       "arg {number=1}{call=--ring}{display=What the ring holds}{type=boolflag}{default=false}"
	       "{tooltip=The last packets, as berth capture --ring on has them kept, instead of what comes}\n");
	return cli_finish(CLI_OK);
}

/* Wireshark shows what is printed beside the filter. */
static int check_filter(const char *filter)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	struct bpf_program program;

	if (pcap && pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN))
		printf("%s\n", pcap_geterr(pcap));
	else if (pcap)
		pcap_freecode(&program);
	if (pcap)
		pcap_close(pcap);
	return cli_finish(CLI_OK);
}

/* "berth.NETWORK.HOST" */
static bool split_interface(struct extcap *extcap)
{
	const char *network = extcap->interface, *dot;

	if (!network || strncmp(network, "berth.", 6))
		return false;
	network += 6;
	dot = strchr(network, '.');
	snprintf(extcap->network, sizeof(extcap->network), "%.*s", dot ? (int)(dot - network) : (int)strlen(network),
		 network);
	snprintf(extcap->host, sizeof(extcap->host), "%s", dot ? dot + 1 : "");
	return network_name_valid(extcap->network) && (!dot || name_is_host(extcap->host));
}

/* As if the user had said so. */
static int capture(const struct extcap *extcap)
{
	const char *words[16] = { "capture", "--quiet", "--net", extcap->network, "-w", extcap->fifo };
	int count = 6;

	if (extcap->host[0]) {
		words[count++] = "-i";
		words[count++] = extcap->host;
	}
	if (extcap->keylog && extcap->keylog[0]) {
		words[count++] = "--keylog";
		words[count++] = extcap->keylog;
	}
	if (extcap->ring)
		words[count++] = "--save";
	words[count++] = "--";
	if (extcap->filter && extcap->filter[0])
		words[count++] = extcap->filter;
	words[count] = NULL;
	optind = 0; /* from the beginning: glibc's way to say so */
	return command_capture.run(&command_capture, count, (char **)(uintptr_t)words);
}

static void take_option(struct extcap *extcap, int letter, const char *value)
{
	switch (letter) {
	case OPTION_INTERFACES:
		extcap->wish = WISH_INTERFACES;
		break;
	case OPTION_DLTS:
		extcap->wish = WISH_DLTS;
		break;
	case OPTION_CONFIG:
		extcap->wish = WISH_CONFIG;
		break;
	case OPTION_CAPTURE:
		extcap->wish = WISH_CAPTURE;
		break;
	case OPTION_INTERFACE:
		extcap->interface = value;
		break;
	case OPTION_FIFO:
		extcap->fifo = value;
		break;
	case OPTION_FILTER:
		extcap->filter = value;
		break;
	case OPTION_KEYLOG:
		extcap->keylog = value;
		break;
	case OPTION_RING:
		extcap->ring = true;
		break;
	default:
		break; /* whichever version: all of them ask the same */
	}
}

static int extcap_run(const struct command *command, int argc, char **argv)
{
	struct extcap extcap = { .wish = WISH_NONE };
	int result;

	while ((result = options_next(command, argc, argv)) > 0)
		take_option(&extcap, result, optarg);
	if (result != OPTIONS_END)
		return options_exit(result);
	if (usage_no_operands(command, argc, argv))
		return CLI_USAGE;
	if (extcap.wish == WISH_INTERFACES)
		return print_interfaces(command);
	if (!split_interface(&extcap))
		return usage_error(command, "--extcap-interfaces, or --extcap-interface berth.NETWORK[.HOST]");
	if (extcap.wish == WISH_DLTS)
		return print_dlts();
	if (extcap.wish == WISH_CONFIG)
		return print_config();
	if (extcap.wish == WISH_NONE && extcap.filter)
		return check_filter(extcap.filter);
	if (extcap.wish == WISH_NONE || !extcap.fifo)
		return usage_error(command, "nothing to do: --capture --fifo FILE, --extcap-dlts or --extcap-config");
	return capture(&extcap);
}

const struct command command_extcap = {
	.name = "extcap",
	.usage = "OPTIONS",
	.summary = "Be an interface of Wireshark's",
	.options = options,
	.details = "Wireshark and tshark call this themselves (extcap(4)); man berth-capture says how they\n"
		   "find it.\n\n"
		   "Exit code: 0; 1 when the network is not running or has no such host; 125 for wrong use.\n",
	.run = extcap_run,
	.internal = true,
};
