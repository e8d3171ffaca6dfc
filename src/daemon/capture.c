/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures: capture.h. Each has a buffer between the network, which never
 * waits, and its reader, who may be slow: what does not fit is left out and
 * counted. While a buffer is empty its HTTP connection is suspended.
 */
#include "daemon/answer.h"
#include "daemon/capture.h"

#include "core/stack.h"
#include "daemon/journal.h"
#include "daemon/owner.h"
#include "daemon/recorder.h"
#include "daemon/ring.h"
#include "daemon/state.h"
#include "net/network.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	BUFFER_LIMIT = 16 << 20,
	HEAD_LIMIT = 16 << 20, /* more, for who is to be introduced; there are limits on them, too */
	SNAP_MAX = 262144,
};

struct capture {
	struct list node; /* in daemon->captures */
	struct daemon *daemon;
	struct MHD_Connection *connection;
	struct pcapng pcapng;
	struct recorder recorder;
	struct wanted wanted;
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

static struct berth_link *link_named(struct daemon *daemon, const char *name)
{
	struct berth_host *host = berth_net_find_host(daemon->net, name);

	return host ? host->link : NULL;
}

static void wanted_read(struct wanted *wanted, struct daemon *daemon, struct MHD_Connection *connection)
{
	const char *host = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "host");
	const char *peer = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "peer");
	struct berth_link *link;

	*wanted = (struct wanted){ .mac = { { 0 } } };
	snprintf(wanted->host, sizeof(wanted->host), "%s", host ? host : "");
	snprintf(wanted->peer, sizeof(wanted->peer), "%s", host && peer ? peer : "");
	if ((link = link_named(daemon, wanted->host)))
		memcpy(wanted->mac[0], link->mac, sizeof(link->mac));
	if ((link = link_named(daemon, wanted->peer)))
		memcpy(wanted->mac[1], link->mac, sizeof(link->mac));
}

bool wanted_is(const struct wanted *wanted, const char *host, const uint8_t *frame, size_t length)
{
	if (!wanted->host[0])
		return true;
	if (!wanted->peer[0])
		return !strcasecmp(wanted->host, host);
	if (length < 12 || (strcasecmp(wanted->host, host) && strcasecmp(wanted->peer, host)))
		return false;
	return (!memcmp(frame, wanted->mac[0], 6) && !memcmp(frame + 6, wanted->mac[1], 6)) ||
	       (!memcmp(frame, wanted->mac[1], 6) && !memcmp(frame + 6, wanted->mac[0], 6));
}

static bool wants_pair(const struct wanted *wanted, const char *a, const char *b)
{
	bool a_named = !strcasecmp(wanted->host, a) || !strcasecmp(wanted->peer, a);
	bool b_named = !strcasecmp(wanted->host, b) || !strcasecmp(wanted->peer, b);

	return !wanted->host[0] || (wanted->peer[0] ? a_named && b_named : a_named || b_named);
}

bool capture_watches(const struct host *a, const struct host *b)
{
	struct daemon *daemon = a->daemon;

	if (a == b)
		return false;
	LIST_EACH(&daemon->captures, node) {
		const struct capture *capture = LIST_ITEM(node, struct capture, node);

		if (!capture->ended && wants_pair(&capture->wanted, berth_host_name(a->host), berth_host_name(b->host)))
			return true;
	}
	return daemon->ring != NULL;
}

static void take(struct capture *capture, const struct berth_frame *frame)
{
	if (capture->ended || !wanted_is(&capture->wanted, berth_host_name(frame->host), frame->bytes, frame->length))
		return;
	recorder_take(&capture->recorder, frame, &capture->pcapng, &capture->pcapng, BUFFER_LIMIT);
	wake(capture);
}

static void observe(void *context, const struct berth_frame *frame)
{
	struct daemon *daemon = context;

	LIST_EACH(&daemon->captures, node)
		take(LIST_ITEM(node, struct capture, node), frame);
	if (daemon->ring)
		ring_take(daemon->ring, frame);
	if (!frame->dropped && journal_wants_frames(daemon))
		journal_frame(daemon, frame);
}

void capture_observe(struct daemon *daemon)
{
	bool recorded = !list_empty(&daemon->captures) || daemon->ring;
	bool wanted = recorded || journal_wants_frames(daemon);

	if (recorded && !daemon->owners)
		daemon->owners = owners_new();
	if (!recorded) {
		owners_free(daemon->owners);
		daemon->owners = NULL;
	}
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
	memcpy(buffer, pcapng_bytes(&capture->pcapng), length);
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
	recorder_fini(&capture->recorder);
	free(capture);
}

static size_t snap_length_from(const char *text)
{
	unsigned long value = text ? strtoul(text, NULL, 10) : 0;

	return value && value < SNAP_MAX ? value : SNAP_MAX;
}

static struct capture *capture_new(struct daemon *daemon, struct MHD_Connection *connection)
{
	struct capture *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return NULL;
	capture->daemon = daemon;
	capture->connection = connection;
	wanted_read(&capture->wanted, daemon, connection);
	list_append(&daemon->captures, &capture->node);
	return capture;
}

static void begin_live(struct capture *capture)
{
	const char *snap = MHD_lookup_connection_value(capture->connection, MHD_GET_ARGUMENT_KIND, "snaplen");

	pcapng_init(&capture->pcapng, BUFFER_LIMIT + HEAD_LIMIT);
	recorder_init(&capture->recorder, capture->daemon, snap_length_from(snap), &capture->pcapng);
	capture_observe(capture->daemon);
}

/* What there is by now, and its end. Returns 0 or a negative errno. */
static int begin_saved(struct capture *capture)
{
	pcapng_init(&capture->pcapng, SIZE_MAX);
	capture->ended = true;
	return ring_save(capture->daemon, &capture->wanted, &capture->pcapng);
}

static int refuse(struct MHD_Connection *connection, int error)
{
	if (error == -ENOENT)
		return answer_constant(connection, MHD_HTTP_CONFLICT,
				       "{\"error\":\"there is no ring: berth capture --ring on begins one\"}");
	return answer_constant(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "{\"error\":\"no memory\"}");
}

int capture_start(struct daemon *daemon, struct MHD_Connection *connection)
{
	struct capture *capture = capture_new(daemon, connection);
	int r = capture ? 0 : -ENOMEM;

	if (!r && MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "ring"))
		r = begin_saved(capture);
	else if (!r)
		begin_live(capture);
	if (!r)
		return answer_stream(connection, "application/x-pcapng", read_capture, capture, free_capture);
	if (capture)
		free_capture(capture);
	return refuse(connection, r);
}

void captures_end(struct daemon *daemon)
{
	LIST_EACH(&daemon->captures, node) {
		struct capture *capture = LIST_ITEM(node, struct capture, node);

		if (!capture->ended)
			recorder_statistics(&capture->recorder, &capture->pcapng);
		capture->ended = true;
		wake(capture);
	}
	ring_free(daemon->ring);
	daemon->ring = NULL;
	if (daemon->net)
		capture_observe(daemon);
}
