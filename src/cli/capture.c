/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth capture: the daemon's pcapng stream, block by block, through libpcap's
 * filter language, to a file or a pipe. Packet blocks are counted and chosen;
 * all others pass as they are.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/http.h"
#include "control/paths.h"

enum { OPTION_NET = 256 };

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network to look at (default: default)" },
	{ 'w', "write", "FILE", "write to FILE, in pcapng; - is standard output" },
	{ 'i', "interface", "HOST", "only what this host sends and gets" },
	{ 'c', "count", "N", "end after N packets" },
	{ 's', "snapshot-length", "BYTES", "keep only so much of each packet" },
	{ 0 },
};

enum { BLOCK_PACKET = 6, BLOCK_MIN = 12, BLOCK_MAX = 1 << 20, PACKET_HEAD = 28 };

struct capture {
	const struct command *command;
	const char *network, *host, *file;
	unsigned long count, snap_length;
	struct bpf_program filter;
	bool filtered;
	FILE *out;
	unsigned long seen, taken;
	uint8_t block[BLOCK_MAX];
	size_t length; /* of what is in block so far */
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	stopped = 1;
}

static uint32_t u32_at(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value)); /* the daemon is on this machine: its byte order is ours */
	return value;
}

static bool chosen(struct capture *capture, const uint8_t *block, uint32_t length)
{
	struct pcap_pkthdr header = { .ts = { 0 } };

	if (u32_at(block) != BLOCK_PACKET || length < PACKET_HEAD + 4)
		return true;
	capture->seen++;
	header.caplen = u32_at(block + 20);
	header.len = u32_at(block + 24);
	if (header.caplen > length - PACKET_HEAD - 4)
		return false;
	if (capture->filtered && !pcap_offline_filter(&capture->filter, &header, block + PACKET_HEAD))
		return false;
	capture->taken++;
	return true;
}

static bool enough(const struct capture *capture)
{
	return capture->count && capture->taken >= capture->count;
}

/* Pass on the whole blocks at the front of what is there. False: this is no pcapng, or it can't be written. */
static bool pass_blocks(struct capture *capture)
{
	size_t at = 0;

	while (capture->length - at >= BLOCK_MIN && !enough(capture)) {
		uint32_t length = u32_at(capture->block + at + 4);

		if (length < BLOCK_MIN || length > BLOCK_MAX || length % 4)
			return false;
		if (length > capture->length - at)
			break;
		if (chosen(capture, capture->block + at, length) &&
		    fwrite(capture->block + at, 1, length, capture->out) != length)
			return false;
		at += length;
	}
	memmove(capture->block, capture->block + at, capture->length - at);
	capture->length -= at;
	return fflush(capture->out) == 0;
}

static int stream(struct capture *capture, int fd)
{
	for (;;) {
		ssize_t n;

		if (!pass_blocks(capture)) {
			if (errno != EPIPE)
				fprintf(stderr, "berth capture: %s: can't be written: %s\n", capture->file,
					strerror(errno));
			return CLI_FAILED;
		}
		if (stopped || enough(capture))
			return CLI_OK;
		n = read(fd, capture->block + capture->length, sizeof(capture->block) - capture->length);
		if (n == 0)
			return CLI_OK; /* the network has ended */
		if (n < 0 && errno != EINTR) {
			fprintf(stderr, "berth capture: the network's daemon: %s\n", strerror(errno));
			return CLI_FAILED;
		}
		capture->length += n > 0 ? (size_t)n : 0;
	}
}

static int open_output(struct capture *capture)
{
	if (!strcmp(capture->file, "-")) {
		capture->out = stdout;
		if (!isatty(STDOUT_FILENO))
			return CLI_OK;
		return usage_error(capture->command, "captures are not for terminals: -w FILE, or pipe it: "
						     "berth capture | tcpdump -n -r -");
	}
	capture->out = fopen(capture->file, "we");
	if (capture->out)
		return CLI_OK;
	fprintf(stderr, "berth capture: %s: %s\n", capture->file, strerror(errno));
	return CLI_FAILED;
}

/* Start the stream; the user is told if there is none. */
static int open_stream(struct capture *capture, int *ret_fd)
{
	char target[256];
	int status;

	snprintf(target, sizeof(target), "/v1/capture?snaplen=%lu&host=%.64s", capture->snap_length,
		 capture->host ? capture->host : "");
	status = http_stream(capture->network, target, ret_fd, (char *)capture->block, sizeof(capture->block),
			     &capture->length);
	if (status == 200)
		return CLI_OK;
	if (status > 0)
		close(*ret_fd);
	return api_failed(capture->command, capture->network, status < 0 ? status : -EPROTO);
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = stop }; /* without SA_RESTART: read() is to end */

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int capture_all(struct capture *capture)
{
	int fd, r = open_output(capture);

	if (r || (r = open_stream(capture, &fd)))
		return r;
	catch_signals();
	r = stream(capture, fd);
	close(fd);
	if (capture->out != stdout && fclose(capture->out) && r == CLI_OK)
		r = CLI_FAILED;
	fprintf(stderr, "%lu packets captured, %lu seen\n", capture->taken, capture->seen);
	return r;
}

/* The rest of the command line is the filter, as tcpdump has it. */
static int compile(struct capture *capture, int argc, char **argv)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, BLOCK_MAX);
	char text[4096] = "";
	int r = CLI_OK;

	for (int i = optind; i < argc; i++) {
		if (strlen(text) + strlen(argv[i]) + 2 > sizeof(text)) {
			pcap_close(pcap);
			return usage_error(capture->command, "the filter is too long");
		}
		strcat(text, text[0] ? " " : "");
		strcat(text, argv[i]);
	}
	if (!pcap)
		return CLI_FAILED;
	if (pcap_compile(pcap, &capture->filter, text, 1, PCAP_NETMASK_UNKNOWN))
		r = usage_error(capture->command, "'%s' is no filter: %s", text, pcap_geterr(pcap));
	capture->filtered = r == CLI_OK;
	pcap_close(pcap);
	return r;
}

static bool number_from(const char *text, unsigned long *ret_number)
{
	char *end;

	errno = 0;
	*ret_number = strtoul(text, &end, 10);
	return !errno && end != text && !*end && *text != '-' && *ret_number;
}

static int parse(struct capture *capture, int argc, char **argv)
{
	int result;

	while ((result = options_next(capture->command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			capture->network = optarg;
		else if (result == 'w')
			capture->file = optarg;
		else if (result == 'i')
			capture->host = optarg;
		else if (!number_from(optarg, result == 'c' ? &capture->count : &capture->snap_length))
			return usage_error(capture->command, "-%c: '%s' is no number", result, optarg), OPTIONS_WRONG;
	}
	return result;
}

static int capture_run(const struct command *command, int argc, char **argv)
{
	struct capture *capture = cli_alloc(sizeof(*capture));
	int r;

	memset(capture, 0, sizeof(*capture));
	capture->command = command;
	capture->network = NETWORK_DEFAULT;
	capture->file = "-";
	r = parse(capture, argc, argv);
	if (r != OPTIONS_END) {
		free(capture);
		return options_exit(r);
	}
	r = network_check(command, capture->network);
	if (!r)
		r = compile(capture, argc, argv);
	if (!r && capture->host)
		r = host_check(command, capture->network, capture->host);
	if (!r)
		r = capture_all(capture);
	if (capture->filtered)
		pcap_freecode(&capture->filter);
	free(capture);
	return r;
}

const struct command command_capture = {
	.name = "capture",
	.usage = "[OPTIONS] [FILTER]",
	.summary = "Record the packets of a network",
	.options = options,
	.details = "Writes pcapng, for tcpdump, tshark and Wireshark: an interface for each host, named as\n"
		   "it is; packets as they are where a host sends or gets them, with direction and time in\n"
		   "nanoseconds; those that a cable dropped as well, with a comment that says why. FILTER\n"
		   "is tcpdump's (pcap-filter(7)). It ends with Ctrl-C, after -c packets, or with the network.\n\n"
		   "  berth capture -w web.pcapng -i web 'tcp port 80'\n"
		   "  berth capture | tcpdump -n -r -\n\n"
		   "Exit code: 0; 1 when the network is not running or there is no such host; 125 for wrong\n"
		   "use.\n",
	.run = capture_run,
};
