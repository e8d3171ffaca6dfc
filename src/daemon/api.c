/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control API: HTTP/JSON on api.sock. libmicrohttpd runs inside our loop,
 * without threads: we accept, so that we can ask who is calling, and run it
 * when its epoll descriptor has something.
 */
#include "control/http.h"
#include "control/json.h"
#include "daemon/answer.h"
#include "daemon/capture.h"
#include "daemon/journal.h"
#include "daemon/links.h"
#include "daemon/metrics.h"
#include "daemon/programs.h"
#include "daemon/record.h"
#include "daemon/report.h"
#include "daemon/reset.h"
#include "daemon/ring.h"
#include "daemon/state.h"
#include "os/process.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, IDLE_SECONDS = 30, BODY_MAX = 1 << 20, LAST_WORDS = 500 /* ms */ };

/* One a line: people who add one at the same time do not meet. */
/* clang-format off */
static const struct resource {
	const char *path;
	json_t *(*report)(struct daemon *daemon);					    /* GET */
	json_t *(*change)(struct daemon *daemon, const json_t *body, unsigned *ret_status); /* PUT, or NULL */
	int (*stream)(struct daemon *daemon, struct MHD_Connection *connection);	    /* GET, instead of report */
} resources[] = {
	{ "/v1/network", report_network, NULL, NULL },
	{ "/v1/hosts", report_hosts, NULL, NULL },
	{ "/v1/sockets", report_sockets, NULL, NULL },
	{ "/v1/counters", report_counters, NULL, NULL },
	{ "/v1/links", report_links, links_change, NULL },
	{ "/v1/capture", NULL, NULL, capture_start },
	{ "/v1/capture/ring", ring_report, ring_change, NULL },
	{ "/v1/events", NULL, NULL, journal_stream },
	{ "/v1/reset", NULL, reset_conversations, NULL },
	{ "/v1/programs", report_programs, NULL, NULL },
	{ "/metrics", NULL, NULL, metrics_answer },
};
/* clang-format on */

/* A request's body while it comes in. */
struct upload {
	size_t length;
	bool too_long;
	char bytes[BODY_MAX];
};

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	struct MHD_Response *response =
		text ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE) : NULL;
	if (!response) {
		free(text);
		return MHD_NO; /* no memory: the connection is closed */
	}
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD, PUT");
	return answer_send(connection, status, "application/json", response);
}

static enum MHD_Result respond_error(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return respond(connection, status, json_pack("{s:s}", "error", text));
}

/* The body as a JSON object; NULL: it is none, and that has been answered with *ret_result. */
static json_t *body_of(struct MHD_Connection *connection, const struct upload *upload, enum MHD_Result *ret_result)
{
	json_t *body;

	if (upload->too_long) {
		*ret_result = respond_error(connection, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too long");
		return NULL;
	}
	body = json_parse(upload->bytes, upload->length);
	if (json_is_object(body))
		return body;
	json_decref(body);
	*ret_result = respond_error(connection, MHD_HTTP_BAD_REQUEST, "the body is no JSON object");
	return NULL;
}

/* /v1/programs/NAME and below. */
static enum MHD_Result answer_program(struct daemon *daemon, struct MHD_Connection *connection, const char *rest,
				      const char *method, const struct upload *upload)
{
	enum MHD_Result result;
	json_t *body = NULL, *answer;
	unsigned status = MHD_HTTP_OK;
	int r = MHD_NO;

	if (!strcmp(method, "PUT") && !(body = body_of(connection, upload, &result)))
		return result;
	if (!body && program_stream(daemon, connection, rest, &r))
		return (enum MHD_Result)r;
	if (!body && strcmp(method, "GET") && strcmp(method, "HEAD"))
		return respond_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD and PUT are what there is");
	answer = body ? program_change(daemon, rest, body, &status) : program_report(daemon, rest, &status);
	json_decref(body);
	return respond(connection, status, answer);
}

static enum MHD_Result change(struct daemon *daemon, struct MHD_Connection *connection, const struct resource *resource,
			      const struct upload *upload)
{
	unsigned status = MHD_HTTP_OK;
	enum MHD_Result result;
	json_t *body, *answer;

	body = body_of(connection, upload, &result);
	if (!body)
		return result;
	answer = resource->change(daemon, body, &status);
	json_decref(body);
	return respond(connection, status, answer);
}

/* Who asks runs in a network itself: it is not to say, or to see, how networks are. */
static bool asked_from_inside(struct daemon *daemon, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return !info || spare_is_run(daemon, process_peer_pid(info->connect_fd));
}

static enum MHD_Result answer(struct daemon *daemon, struct MHD_Connection *connection, const char *url,
			      const char *method, const struct upload *upload)
{
	if (asked_from_inside(daemon, connection))
		return respond_error(connection, MHD_HTTP_FORBIDDEN,
				     "a program inside berth run can't ask this: ask from outside");
	if (!strncmp(url, PROGRAMS_PATH, strlen(PROGRAMS_PATH)))
		return answer_program(daemon, connection, url + strlen(PROGRAMS_PATH), method, upload);
	for (size_t i = 0; i < COUNT_OF(resources); i++) {
		if (strcmp(url, resources[i].path))
			continue;
		if (resources[i].stream && !strcmp(method, "GET"))
			return (enum MHD_Result)resources[i].stream(daemon, connection);
		if (resources[i].report && (!strcmp(method, "GET") || !strcmp(method, "HEAD")))
			return respond(connection, MHD_HTTP_OK, resources[i].report(daemon));
		if (!strcmp(method, "PUT") && resources[i].change)
			return change(daemon, connection, &resources[i], upload);
		return respond_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				     resources[i].change ? "this can be read (GET) or changed (PUT)"
							 : "this can only be read (GET)");
	}
	return respond_error(connection, MHD_HTTP_NOT_FOUND, "there is no such path");
}

static void take_body(struct upload *upload, const char *bytes, size_t length)
{
	if (length > sizeof(upload->bytes) - upload->length) {
		upload->too_long = true;
		return;
	}
	memcpy(upload->bytes + upload->length, bytes, length);
	upload->length += length;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *body, size_t *body_length, void **state)
{
	struct upload *upload = *state;

	if (!upload) { /* first call: headers only */
		upload = *state = malloc(sizeof(*upload));
		if (!upload)
			return MHD_NO;
		upload->length = 0;
		upload->too_long = false;
		return MHD_YES;
	}
	if (*body_length) {
		take_body(upload, body, *body_length);
		*body_length = 0;
		return MHD_YES;
	}
	return answer(context, connection, url, method, upload);
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode how)
{
	free(*state);
	*state = NULL;
}

#define REFUSAL(status, error) \
	"HTTP/1.1 " status "\r\nContent-Type: application/json\r\n" HTTP_VERSION_FIELD ": " HTTP_VERSION_VALUE \
	"\r\nConnection: close\r\n\r\n{\"error\":\"" error "\"}"

/* Without having heard what is asked; what of it is there is taken, or the asker would find a reset for an answer. */
static void refuse(int fd, const char *text)
{
	char said[4096];

	while (recv(fd, said, sizeof(said), MSG_DONTWAIT) > 0)
		;
	if (send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		/* Who asks has gone. */
	}
}

/* Streams may last for ever, and readers be asleep: who comes when all places are taken is told so. */
static bool is_full(struct daemon *daemon)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon->api, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info && info->num_connections >= CONNECTIONS_MAX;
}

static void listener_ready(struct loop_watch *watch, uint32_t events)
{
	struct daemon *daemon = CONTAINER_OF(watch, struct daemon, api_listener);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	bool short_of;
	int fd;

	while ((fd = spare_accept(daemon, watch->fd, NULL, NULL, &short_of)) >= 0) {
		if (short_of) {
			refuse(fd,
			       REFUSAL("503 Service Unavailable",
				       "the network's daemon has no descriptor left (see open files in berth doctor)"));
			spare_refused(daemon, fd);
			continue;
		}
		if (is_full(daemon))
			refuse(fd, REFUSAL("429 Too Many Requests",
					   "as many connections as there may be are open: end a reader of a stream"));
		if (is_full(daemon) || !process_peer_is_us(fd)) {
			close(fd);
			continue;
		}
		MHD_add_connection(daemon->api, fd, (struct sockaddr *)&address, sizeof(sa_family_t)); /* takes fd */
		daemon->api_due = true;
	}
}

static void events_ready(struct loop_watch *watch, uint32_t events)
{
	CONTAINER_OF(watch, struct daemon, api_events)->api_due = true; /* the tick runs it */
}

int api_open(struct daemon *daemon, int listener)
{
	daemon->api = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
				       NULL, handle, daemon, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
				       MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				       MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
	const union MHD_DaemonInfo *info =
		daemon->api ? MHD_get_daemon_info(daemon->api, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		return -ENOMEM;
	daemon->api_listener.ready = listener_ready;
	daemon->api_events.ready = events_ready;
	return loop_add(&daemon->loop, &daemon->api_events, info->epoll_fd, EPOLLIN);
}

void api_close(struct daemon *daemon)
{
	if (!daemon->api)
		return;
	for (int i = 0; i < LAST_WORDS && !(list_empty(&daemon->captures) && list_empty(&daemon->readers)); i++) {
		MHD_run(daemon->api);
		poll(NULL, 0, 1); /* the reader's turn */
	}
	loop_remove(&daemon->loop, &daemon->api_events);
	MHD_stop_daemon(daemon->api);
	daemon->api = NULL;
	records_free(daemon);
}

berth_time api_deadline(const struct daemon *daemon)
{
	MHD_UNSIGNED_LONG_LONG milliseconds;

	if (MHD_get_timeout(daemon->api, &milliseconds) != MHD_YES)
		return BERTH_NEVER;
	return daemon->loop.now + (berth_time)milliseconds * BERTH_MSEC;
}

void api_run(struct daemon *daemon)
{
	if (!daemon->api_due && api_deadline(daemon) > daemon->loop.now)
		return; /* it would ask the kernel every turn */
	daemon->api_due = false;
	MHD_run(daemon->api);
}
