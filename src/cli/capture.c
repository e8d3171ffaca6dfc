/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth capture: the daemon's pcapng stream, block by block, through libpcap's
 * filter language, to files or a pipe. Packet blocks are counted and chosen;
 * all others go into every file. With a key log packets wait a moment, so that
 * the secrets which a program writes meanwhile stand before them.
 */
#include "cli/capture.h"

#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/http.h"
#include "control/json.h"
#include "control/paths.h"

enum { OPTION_NET = 256, OPTION_KEYLOG, OPTION_SAVE, OPTION_RING, OPTION_SECONDS, OPTION_SIZE, OPTION_QUIET };

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network to look at (default: default)" },
	{ 'w', "write", "FILE", "write to FILE, in pcapng; - is standard output" },
	{ 'i', "interface", "HOST[,PEER]", "only what HOST sends and gets; what goes between it and PEER" },
	{ 'c', "count", "N", "end after N packets" },
	{ 's', "snapshot-length", "BYTES", "keep only so much of each packet" },
	{ 'C', "file-size", "SIZE", "begin another file after SIZE million bytes, or 500k, 10M, 1G" },
	{ 'G', "rotate-seconds", "SECONDS", "begin another file after SECONDS; FILE is for strftime(3)" },
	{ 'W', "file-count", "N", "with -C: N files, the oldest is overwritten; with -G: end after N" },
	{ OPTION_KEYLOG, "keylog", "FILE", "put the TLS secrets that programs write to FILE into the capture" },
	{ OPTION_RING, "ring", "on|off", "have the network keep its last packets, or not any more" },
	{ OPTION_SECONDS, "seconds", "N", "with --ring on: how long (default: 30)" },
	{ OPTION_SIZE, "size", "SIZE", "with --ring on: how much (default: 64M)" },
	{ OPTION_QUIET, "quiet", NULL, "do not say how many packets there were" },
	{ OPTION_SAVE, "save", NULL, "write what the ring holds, and end" },
	{ 0 },
};

enum {
	BLOCK_MAX = 1 << 20,
	HOLD_MS = 500,	     /* that packets wait for secrets */
	HOLD_MAX = 32 << 20, /* bytes of them */
	KEYLOG_MS = 50,	     /* how often the key log is looked at while nothing comes */
	RING_SECONDS = 30,
};
#define RING_SIZE (INT64_C(64) << 20)

struct capture {
	const struct command *command;
	const char *network, *file;
	char host[64], peer[64];
	unsigned long count, snap_length;
	struct bpf_program filter;
	bool filtered, save, quiet;
	const char *ring; /* NULL: not to be changed */
	unsigned long ring_seconds;
	unsigned long long ring_size;
	struct sink sink;
	struct keylog keylog;
	struct heap held; /* packets' blocks, each behind when it came (ms) */
	size_t held_from;
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

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool chosen(struct capture *capture, const uint8_t *block, uint32_t length)
{
	struct pcap_pkthdr header = { .ts = { 0 } };

	capture->seen++;
	sink_count(&capture->sink, block, length);
	header.caplen = u32_at(block + 20);
	header.len = u32_at(block + 24);
	if (capture->filtered && !pcap_offline_filter(&capture->filter, &header, block + PACKET_HEAD))
		return false;
	capture->taken++;
	return true;
}

static bool enough(const struct capture *capture)
{
	return (capture->count && capture->taken >= capture->count) || capture->sink.full;
}

/* Write the packets that have waited long enough, or all. */
static int release(struct capture *capture, bool all)
{
	struct heap *held = &capture->held;
	uint64_t came;
	int r = keylog_follow(&capture->keylog, &capture->sink);

	while (r == CLI_OK && capture->held_from < held->length) {
		const uint8_t *block = held->bytes + capture->held_from + sizeof(came);

		memcpy(&came, held->bytes + capture->held_from, sizeof(came));
		if (!all && came + HOLD_MS > now_ms() && held->length - capture->held_from < HOLD_MAX)
			break;
		r = sink_packet(&capture->sink, block, u32_at(block + 4));
		capture->held_from += sizeof(came) + u32_at(block + 4);
	}
	if (capture->held_from && (capture->held_from >= held->length || capture->held_from > HOLD_MAX)) {
		memmove(held->bytes, held->bytes + capture->held_from, held->length - capture->held_from);
		held->length -= capture->held_from;
		capture->held_from = 0;
	}
	return r;
}

static int pass_packet(struct capture *capture, const uint8_t *block, uint32_t length)
{
	uint64_t now;

	if (!chosen(capture, block, length))
		return CLI_OK;
	if (!capture->keylog.path)
		return sink_packet(&capture->sink, block, length);
	now = now_ms();
	heap_add(&capture->held, &now, sizeof(now));
	heap_add(&capture->held, block, length);
	return CLI_OK;
}

static int nonsense(void)
{
	fprintf(stderr, "berth capture: the network's daemon sends something that is no capture\n");
	return CLI_FAILED;
}

/* Is a packet's block, all of which is there, as long as it has to be? */
static bool packet_fits(const uint8_t *block, uint32_t length)
{
	return length >= PACKET_HEAD + 4 && u32_at(block + 20) <= length - PACKET_HEAD - 4;
}

/* Pass on the whole blocks at the front of what is there. */
static int pass_blocks(struct capture *capture)
{
	size_t at = 0;
	int r = CLI_OK;

	while (r == CLI_OK && capture->length - at >= BLOCK_MIN && !enough(capture)) {
		const uint8_t *block = capture->block + at;
		uint32_t length = u32_at(block + 4);

		if (length < BLOCK_MIN || length > BLOCK_MAX || length % 4)
			return nonsense();
		if (length > capture->length - at)
			break;
		if (u32_at(block) == BLOCK_PACKET && !packet_fits(block, length))
			return nonsense();
		r = u32_at(block) == BLOCK_PACKET ? pass_packet(capture, block, length)
						  : sink_add(&capture->sink, block, length);
		at += length;
	}
	memmove(capture->block, capture->block + at, capture->length - at);
	capture->length -= at;
	if (r == CLI_OK && capture->keylog.path)
		r = release(capture, false);
	return r == CLI_OK ? sink_flush(&capture->sink) : r;
}

static int stream(struct capture *capture, int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int r = CLI_OK;

	while ((r = pass_blocks(capture)) == CLI_OK && !stopped && !enough(capture)) {
		ssize_t n;

		if (poll(&ready, 1, capture->keylog.path ? KEYLOG_MS : -1) <= 0)
			continue;
		n = read(fd, capture->block + capture->length, sizeof(capture->block) - capture->length);
		if (n == 0)
			break; /* the network has ended */
		if (n < 0 && errno != EINTR) {
			fprintf(stderr, "berth capture: the network's daemon: %s\n", strerror(errno));
			return CLI_FAILED;
		}
		capture->length += n > 0 ? (size_t)n : 0;
	}
	if (r == CLI_OK && capture->held.length && !stopped)
		poll(NULL, 0, HOLD_MS);
	return r == CLI_OK ? release(capture, true) : r;
}

/* Start the stream; the user is told if there is none. */
static int open_stream(struct capture *capture, int *ret_fd)
{
	char target[256];
	int status;

	snprintf(target, sizeof(target), "/v1/capture?snaplen=%lu&host=%s&peer=%s%s", capture->snap_length,
		 capture->host, capture->peer, capture->save ? "&ring=1" : "");
	status = http_stream(capture->network, target, ret_fd, (char *)capture->block, sizeof(capture->block),
			     &capture->length);
	if (status == 200)
		return CLI_OK;
	if (status > 0)
		close(*ret_fd);
	if (status != 409)
		return api_failed(capture->command, capture->network, status < 0 ? status : -EPROTO);
	fprintf(stderr, "berth capture: network '%s' keeps no ring: berth capture --ring on begins one\n",
		capture->network);
	return CLI_FAILED;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = stop }; /* without SA_RESTART: poll() is to end */

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static void report(const struct capture *capture)
{
	uint64_t missed = 0;

	for (size_t i = 0; i < capture->sink.interface_count; i++)
		missed += capture->sink.interfaces[i].missed;
	fprintf(stderr, "%lu packets captured, %lu seen", capture->taken - capture->sink.unwritten, capture->seen);
	if (missed)
		fprintf(stderr, ", %llu missed, because they were not written soon enough", (unsigned long long)missed);
	fprintf(stderr, "\n");
}

static int capture_all(struct capture *capture)
{
	int fd = -1, r;

	if (!strcmp(capture->file, "-") && isatty(STDOUT_FILENO))
		return usage_error(capture->command, "captures are not for terminals: -w FILE, or pipe it: "
						     "berth capture | tcpdump -n -r -");
	capture->sink.file = capture->file;
	capture->sink.stopped = &stopped;
	r = open_stream(capture, &fd);
	if (r)
		return r;
	catch_signals();
	r = sink_open(&capture->sink);
	if (!r)
		r = stream(capture, fd);
	close(fd);
	if (capture->sink.fd < 0)
		return CLI_FAILED; /* there is no file */
	if (r == CLI_OK)
		r = sink_close(&capture->sink);
	if (!capture->quiet)
		report(capture);
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

/* A number of units, or with k, M or G of KiB, MiB or GiB. */
static bool size_from(const char *text, unsigned long long unit, unsigned long long *ret_size)
{
	static const char letters[] = "kKmMgG";
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	const char *letter = *end ? strchr(letters, *end) : NULL;

	if (end == text || *text == '-' || !number || number >= 1UL << 30 || (*end && (!letter || end[1])))
		return false;
	*ret_size = number * (letter ? 1024ULL << 10 * ((letter - letters) / 2) : unit);
	return true;
}

static bool hosts_from(struct capture *capture, const char *text)
{
	const char *comma = strchr(text, ',');
	size_t length = comma ? (size_t)(comma - text) : strlen(text);

	snprintf(capture->host, sizeof(capture->host), "%.*s", (int)length, text);
	snprintf(capture->peer, sizeof(capture->peer), "%s", comma ? comma + 1 : "");
	return name_is_host(capture->host) && (!comma || name_is_host(capture->peer));
}

static bool take_option(struct capture *capture, int letter, const char *value)
{
	switch (letter) {
	case OPTION_NET:
		capture->network = value;
		return true;
	case 'w':
		capture->file = value;
		return true;
	case 'i':
		return hosts_from(capture, value);
	case 'c':
		return number_from(value, &capture->count);
	case 's':
		return number_from(value, &capture->snap_length);
	case 'C':
		return size_from(value, 1000000, &capture->sink.size);
	case 'G':
		return number_from(value, &capture->sink.seconds);
	case 'W':
		return number_from(value, &capture->sink.count);
	case OPTION_KEYLOG:
		capture->keylog.path = value;
		return true;
	case OPTION_RING:
		capture->ring = value;
		return !strcmp(value, "on") || !strcmp(value, "off");
	case OPTION_SECONDS:
		return number_from(value, &capture->ring_seconds);
	case OPTION_SIZE:
		return size_from(value, 1, &capture->ring_size);
	case OPTION_QUIET:
		capture->quiet = true;
		return true;
	default:
		capture->save = true;
		return true;
	}
}

static const char *option_name(int letter)
{
	for (const struct cli_option *option = options; option->letter; option++)
		if (option->letter == letter)
			return option->name;
	return "";
}

static int parse(struct capture *capture, int argc, char **argv)
{
	int result;

	while ((result = options_next(capture->command, argc, argv)) > 0)
		if (!take_option(capture, result, optarg))
			return usage_error(capture->command, "--%s: '%s' makes no sense", option_name(result), optarg),
			       OPTIONS_WRONG;
	return result;
}

static int combination_check(const struct capture *capture)
{
	const struct sink *sink = &capture->sink;

	if ((sink->size || sink->seconds) && !strcmp(capture->file, "-"))
		return usage_error(capture->command, "-C and -G need a file: -w FILE");
	if (sink->count && !sink->size == !sink->seconds)
		return usage_error(capture->command, "-W goes with one of -C and -G");
	if (!capture->ring && (capture->ring_seconds != RING_SECONDS || capture->ring_size != RING_SIZE))
		return usage_error(capture->command, "--seconds and --size go with --ring on");
	return CLI_OK;
}

/* The entry of the same conversation's other end, or NULL. */
static const json_t *other_end(const json_t *sockets, const json_t *socket)
{
	json_t *other;
	size_t i;

	json_array_foreach(sockets, i, other)
		if (json_equal(json_object_get(other, "local"), json_object_get(socket, "remote")) &&
		    json_equal(json_object_get(other, "remote"), json_object_get(socket, "local")))
			return other;
	return NULL;
}

/* Is what goes between the two to be recorded? */
static bool is_wanted(const struct capture *capture, const char *a, const char *b)
{
	if (!capture->host[0])
		return true;
	if (!capture->peer[0])
		return !strcmp(capture->host, a) || !strcmp(capture->host, b);
	return (!strcmp(capture->host, a) && !strcmp(capture->peer, b)) ||
	       (!strcmp(capture->host, b) && !strcmp(capture->peer, a));
}

/* Say it when the kernel carries something past every cable that this would have recorded. */
static void tell_express(const struct capture *capture)
{
	json_t *sockets, *socket;
	size_t i;

	if (api_get(capture->command, capture->network, "/v1/sockets", &sockets))
		return;
	json_array_foreach(sockets, i, socket) {
		const json_t *other =
			strcmp(json_get_text(socket, "carrier", ""), "express") ? NULL : other_end(sockets, socket);
		const char *a = api_string(socket, "host"), *b = other ? api_string(other, "host") : a;

		if (!other || !strcmp(a, b) || !is_wanted(capture, a, b))
			continue;
		fprintf(stderr,
			"berth capture: %s and %s have express conversations, which are not recorded; new ones go by "
			"wire from now on, so let the programs connect again\n",
			a, b);
		break;
	}
	json_decref(sockets);
}

static int ring_change(const struct capture *capture)
{
	bool on = !strcmp(capture->ring, "on");
	json_t *body = json_pack("{s:b, s:I, s:I}", "on", on, "seconds", (json_int_t)capture->ring_seconds, "size",
				 (json_int_t)capture->ring_size);
	json_t *answer;
	int r = api_put(capture->command, capture->network, "/v1/capture/ring", body, &answer);

	json_decref(body);
	if (!r)
		json_decref(answer);
	if (on && r == CLI_OK)
		tell_express(capture);
	return r;
}

static int hosts_check(const struct capture *capture)
{
	const char *names[] = { capture->host, capture->peer };
	int r = CLI_OK;

	/* What a ring holds may be of hosts that have left. */
	for (int i = 0; i < 2 && r == CLI_OK; i++)
		if (names[i][0] && !(capture->save && !capture->peer[0]))
			r = host_check(capture->command, capture->network, names[i]);
	return r;
}

static int capture_begin(struct capture *capture, int argc, char **argv)
{
	int r = network_check(capture->command, capture->network);

	if (!r)
		r = combination_check(capture);
	if (!r && capture->ring)
		return usage_no_operands(capture->command, argc, argv) ? CLI_USAGE : ring_change(capture);
	if (!r)
		r = compile(capture, argc, argv);
	if (!r)
		r = hosts_check(capture);
	if (!r && !capture->save)
		tell_express(capture);
	return r ? r : capture_all(capture);
}

static int capture_run(const struct command *command, int argc, char **argv)
{
	struct capture *capture = cli_alloc(sizeof(*capture));
	int r;

	memset(capture, 0, sizeof(*capture));
	capture->command = command;
	capture->network = NETWORK_DEFAULT;
	capture->file = "-";
	capture->ring_seconds = RING_SECONDS;
	capture->ring_size = RING_SIZE;
	capture->sink.fd = -1;
	r = parse(capture, argc, argv);
	r = r == OPTIONS_END ? capture_begin(capture, argc, argv) : options_exit(r);
	if (capture->filtered)
		pcap_freecode(&capture->filter);
	heap_free(&capture->held);
	heap_free(&capture->sink.head);
	heap_free(&capture->sink.buffer);
	free(capture->sink.interfaces);
	free(capture);
	return r;
}

const struct command command_capture = {
	.name = "capture",
	.usage = "[OPTIONS] [FILTER]",
	.summary = "Record the packets of a network",
	.options = options,
	.details = "Writes pcapng, for tcpdump, tshark and Wireshark: an interface for each host, named as\n"
		   "it is; packets as they are where a host sends or gets them, with direction, process and\n"
		   "time in nanoseconds; those that a cable dropped as well, with a comment that says why.\n"
		   "FILTER is tcpdump's (pcap-filter(7)). It ends with Ctrl-C, after -c packets, or with the\n"
		   "network.\n\n"
		   "  berth capture -w web.pcapng -i web 'tcp port 80'\n"
		   "  berth capture | tcpdump -n -r -\n"
		   "  berth capture --ring on; ...; berth capture --save -w what-happened.pcapng\n\n"
		   "Exit code: 0; 1 when the network is not running, there is no such host, or the file can't\n"
		   "be written; 125 for wrong use.\n",
	.run = capture_run,
};
