/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures: capture.h. Each has a buffer between the network, which never
 * waits, and its reader, who may be slow: what does not fit is left out and
 * counted. While a buffer is empty its HTTP connection is suspended. Hosts are
 * interfaces, introduced with their names when their first frame is seen.
 */
#include "daemon/capture.h"

#include "daemon/journal.h"
#include "daemon/state.h"
#include "link/pcapng.h"
#include "os/clock.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BUFFER_LIMIT = 16 << 20,
	HOSTS_MAX = 4096,
	PIECE = 64 * 1024,
	SNAP_MAX = 262144,
	COMMENT_ROOM = 320,
};

struct interface {
	char name[64];
	uint64_t received, dropped;
};

struct capture {
	struct list node; /* in daemon->captures */
	struct daemon *daemon;
	struct MHD_Connection *connection;
	struct pcapng pcapng;
	struct interface *interfaces;
	size_t interface_count;
	char only[64]; /* a host's name; empty: all */
	size_t snap_length;
	int64_t wall; /* what to add to the loop's time for nanoseconds since 1970 */
	bool suspended, ended;
};

static void wake(struct capture *capture)
{
	if (!capture->suspended)
		return;
	capture->suspended = false;
	MHD_resume_connection(capture->connection);
	capture->daemon->api_due = true;
}

/* The number of host's interface, which is introduced if it is new; -1: no more. */
static long interface_of(struct capture *capture, struct berth_host *host)
{
	const char *name = berth_host_name(host);
	struct interface *grown;
	char text[BERTH_IP_STRLEN], description[200];

	for (size_t i = 0; i < capture->interface_count; i++)
		if (!strcmp(capture->interfaces[i].name, name))
			return (long)i;
	grown = capture->interface_count < HOSTS_MAX
			? realloc(capture->interfaces, (capture->interface_count + 1) * sizeof(*grown))
			: NULL;
	if (!grown)
		return -1;
	capture->interfaces = grown;
	grown[capture->interface_count] = (struct interface){ .received = 0 };
	snprintf(grown[capture->interface_count].name, sizeof(grown->name), "%s", name);
	snprintf(description, sizeof(description), "eth0 of host %s (%s) on Berth network %s", name,
		 berth_ip_format(berth_host_ip4(host), text), capture->daemon->network);
	pcapng_interface(&capture->pcapng, name, description, (uint32_t)capture->snap_length);
	pcapng_name(&capture->pcapng, berth_host_ip4(host), name);
	pcapng_name(&capture->pcapng, berth_host_ip6(host), name);
	return (long)capture->interface_count++;
}

/* Why, where, and under which conditions. Returns comment. */
static const char *drop_comment(const struct berth_frame *frame, char comment[COMMENT_ROOM])
{
	const char *host = berth_host_name(frame->host);
	char words[BERTH_CONDITIONS_STRLEN];

	berth_conditions_format(frame->conditions, words);
	if (frame->from)
		snprintf(comment, COMMENT_ROOM, "dropped: %s (from %s to %s: %.100s)", frame->dropped,
			 berth_host_name(frame->from), host, words);
	else
		snprintf(comment, COMMENT_ROOM, "dropped: %s (cable of %s: %.100s)", frame->dropped, host, words);
	return comment;
}

static void take(struct capture *capture, const struct berth_frame *frame)
{
	char comment[COMMENT_ROOM];
	long interface;

	if (capture->ended || (capture->only[0] && strcmp(capture->only, berth_host_name(frame->host))))
		return;
	interface = interface_of(capture, frame->host);
	if (interface < 0)
		return;
	struct pcapng_packet packet = {
		.interface = (uint32_t)interface,
		.time = frame->time + capture->wall,
		.bytes = frame->bytes,
		.length = frame->length,
		.captured = MIN(frame->length, capture->snap_length),
		.direction = frame->direction == BERTH_OUT ? PCAPNG_OUTBOUND : PCAPNG_INBOUND,
	};
	if (frame->dropped)
		packet.comment = drop_comment(frame, comment);
	capture->interfaces[interface].received++;
	capture->interfaces[interface].dropped += !pcapng_packet(&capture->pcapng, &packet);
	wake(capture);
}

static void observe(void *context, const struct berth_frame *frame)
{
	struct daemon *daemon = context;

	LIST_EACH(&daemon->captures, node)
		take(LIST_ITEM(node, struct capture, node), frame);
	if (!frame->dropped && journal_wants_frames(daemon))
		journal_frame(daemon, frame);
}

void capture_observe(struct daemon *daemon)
{
	bool wanted = !list_empty(&daemon->captures) || journal_wants_frames(daemon);

	berth_net_observe(daemon->net, wanted ? observe : NULL, daemon);
}

static ssize_t read_capture(void *context, uint64_t position, char *buffer, size_t room)
{
	struct capture *capture = context;
	size_t length = MIN(room, capture->pcapng.length);

	if (!length && capture->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!length) {
		capture->suspended = true;
		MHD_suspend_connection(capture->connection);
		return 0;
	}
	memcpy(buffer, capture->pcapng.bytes, length);
	pcapng_took(&capture->pcapng, length);
	return (ssize_t)length;
}

static void free_capture(void *context)
{
	struct capture *capture = context;
	struct daemon *daemon = capture->daemon;

	list_remove(&capture->node);
	capture_observe(daemon);
	pcapng_fini(&capture->pcapng);
	free(capture->interfaces);
	free(capture);
}

static size_t snap_length_from(const char *text)
{
	unsigned long value = text ? strtoul(text, NULL, 10) : 0;

	return value && value < SNAP_MAX ? value : SNAP_MAX;
}

static struct capture *capture_new(struct daemon *daemon, struct MHD_Connection *connection)
{
	const char *host = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "host");
	const char *snap = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "snaplen");
	struct capture *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return NULL;
	capture->daemon = daemon;
	capture->connection = connection;
	capture->snap_length = snap_length_from(snap);
	snprintf(capture->only, sizeof(capture->only), "%s", host ? host : "");
	capture->wall = clock_wall_ns() - clock_now();
	pcapng_init(&capture->pcapng, BUFFER_LIMIT);
	pcapng_section(&capture->pcapng, "Berth " BERTH_VERSION);
	list_append(&daemon->captures, &capture->node);
	capture_observe(daemon);
	return capture;
}

int capture_start(struct daemon *daemon, struct MHD_Connection *connection)
{
	struct capture *capture = capture_new(daemon, connection);
	struct MHD_Response *response;
	int r;

	if (!capture)
		return MHD_NO;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, read_capture, capture, free_capture);
	if (!response) {
		free_capture(capture);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", "application/x-pcapng");
	MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u); /* a quiet network is no fault */
	r = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return r;
}

void captures_end(struct daemon *daemon)
{
	LIST_EACH(&daemon->captures, node) {
		struct capture *capture = LIST_ITEM(node, struct capture, node);

		capture->ended = true;
		for (size_t i = 0; i < capture->interface_count; i++)
			pcapng_statistics(&capture->pcapng, (uint32_t)i, clock_now() + capture->wall,
					  capture->interfaces[i].received, capture->interfaces[i].dropped);
		wake(capture);
	}
}
