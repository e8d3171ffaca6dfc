/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/answer.h"
#include "daemon/record.h"

#include "daemon/rules.h"
#include "daemon/state.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum {
	EXIT_UNKNOWN = 125, /* the supervisor was killed before it could say */
	READS_A_TURN = 16,
	STREAM_OURS = 0, /* what Berth says of the log itself; the program's are 1 and 2 */
};

struct reader {
	struct list node; /* in daemon->readers */
	struct record *record;
	struct MHD_Connection *connection;
	bool waits; /* for the end, not for output */
	bool follow, suspended, told;
	uint64_t next; /* line */
	char *frame;   /* being sent, or NULL */
	size_t length, sent;
};

struct record *record_new(struct host *host, uint32_t flags)
{
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	record->daemon = host->daemon;
	record->host = host;
	snprintf(record->name, sizeof(record->name), "%s", berth_host_name(host->host));
	memcpy(record->program, host->program, sizeof(record->program));
	record->ip4 = berth_host_ip4(host->host);
	record->ip6 = berth_host_ip6(host->host);
	record->pid = host->pid;
	record->detached = flags & HELLO_DETACHED;
	record->keep = record->detached && !(flags & HELLO_REMOVE);
	record->exit_code = EXIT_UNKNOWN;
	record->started = host->started_wall;
	for (int i = 0; i < 2; i++) {
		record->outputs[i] = (struct output){ .record = record, .stream = i + 1 };
		record->outputs[i].watch.fd = -1;
	}
	list_append(&host->daemon->records, &record->node);
	return record;
}

struct record *record_find(struct daemon *daemon, const char *name)
{
	LIST_EACH(&daemon->records, node) {
		struct record *record = LIST_ITEM(node, struct record, node);
		if (!record->gone && !strcasecmp(record->name, name))
			return record;
	}
	return NULL;
}

bool records_kept(struct daemon *daemon)
{
	LIST_EACH(&daemon->records, node)
		if (!LIST_ITEM(node, struct record, node)->gone)
			return true;
	return false;
}

static void wake_readers(struct record *record)
{
	LIST_EACH(&record->daemon->readers, node) {
		struct reader *reader = LIST_ITEM(node, struct reader, node);
		if (reader->record != record || !reader->suspended)
			continue;
		reader->suspended = false;
		MHD_resume_connection(reader->connection);
		record->daemon->api_due = true;
	}
}

static struct log_line **slot_of(const struct record *record, uint64_t number)
{
	return &record->lines[number & (record->lines_room - 1)];
}

static void drop_first(struct record *record)
{
	struct log_line *line = *slot_of(record, record->first_number++);

	record->bytes -= sizeof(*line) + line->length;
	free(line);
}

/* Room for one more line. */
static bool make_room(struct record *record)
{
	uint64_t count = record->next_number - record->first_number;
	size_t room = record->lines_room ? 2 * record->lines_room : 64;
	struct log_line **grown;

	if (count < record->lines_room)
		return true;
	grown = calloc(room, sizeof(struct log_line *));
	if (!grown)
		return false;
	for (uint64_t number = record->first_number; number < record->next_number; number++)
		grown[number & (room - 1)] = *slot_of(record, number);
	free(record->lines);
	record->lines = grown;
	record->lines_room = room;
	return true;
}

static void add_line(struct output *output, const char *bytes, size_t length)
{
	struct record *record = output->record;
	struct log_line *line = make_room(record) ? malloc(sizeof(*line) + length) : NULL;

	if (!line)
		return; /* a line less in the log */
	line->time = clock_wall_ns();
	line->stream = output->stream;
	line->length = length;
	memcpy(line->bytes, bytes, length);
	*slot_of(record, record->next_number++) = line;
	record->bytes += sizeof(*line) + length;
	while (record->bytes > LOG_LIMIT)
		drop_first(record);
}

/* A line ends with its newline, or when it is too long for one. */
static void flush_line(struct output *output)
{
	if (output->length)
		add_line(output, output->line, output->length);
	output->length = 0;
}

static void take_bytes(struct output *output, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		output->line[output->length++] = bytes[i];
		if (bytes[i] == '\n' || output->length == LOG_LINE_MAX)
			flush_line(output);
	}
	wake_readers(output->record);
}

static void output_end(struct output *output)
{
	int fd = output->watch.fd;

	if (fd < 0)
		return;
	loop_remove(&output->record->daemon->loop, &output->watch);
	close(fd);
	flush_line(output);
	free(output->line);
	output->line = NULL;
}

/* Returns false when there is no more to be read now. */
static bool output_read(struct output *output)
{
	char *scratch = (char *)output->record->daemon->scratch;
	ssize_t n = read(output->watch.fd, scratch, SCRATCH_SIZE);

	if (n > 0)
		take_bytes(output, scratch, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		output_end(output);
	return n > 0;
}

static void output_ready(struct loop_watch *watch, uint32_t events)
{
	output_read(CONTAINER_OF(watch, struct output, watch));
}

int record_log(struct record *record, int stream, int fd)
{
	struct output *output = &record->outputs[stream - 1];
	int r;

	if (output->line)
		return -EBUSY;
	output->line = malloc(LOG_LINE_MAX);
	if (!output->line)
		return -ENOMEM;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	output->watch.ready = output_ready;
	r = loop_add(&record->daemon->loop, &output->watch, fd, EPOLLIN);
	if (r < 0) {
		free(output->line);
		output->line = NULL;
	}
	return r;
}

static void record_free(struct record *record)
{
	for (int i = 0; i < 2; i++)
		output_end(&record->outputs[i]);
	while (record->first_number < record->next_number)
		drop_first(record);
	free(record->lines);
	rules_free(record->rules);
	list_remove(&record->node);
	free(record);
}

void record_remove(struct record *record)
{
	record->gone = true;
	wake_readers(record);
	if (!record->readers)
		record_free(record);
}

void record_ended(struct record *record)
{
	if (!record || !record->host)
		return;
	/* What was written last is there already; who else may hold the pipe is not waited for. */
	for (int i = 0; i < 2; i++) {
		for (int round = 0; round < READS_A_TURN && record->outputs[i].watch.fd >= 0; round++)
			if (!output_read(&record->outputs[i]))
				break;
		output_end(&record->outputs[i]);
	}
	if (record->rules)
		lookups_end(record->rules);
	record->host = NULL;
	record->ended = clock_wall();
	wake_readers(record);
	if (!record->keep)
		record_remove(record);
}

void records_end(struct daemon *daemon)
{
	LIST_EACH_SAFE(&daemon->records, node)
		record_remove(LIST_ITEM(node, struct record, node));
}

void records_free(struct daemon *daemon)
{
	LIST_EACH_SAFE(&daemon->records, node)
		record_free(LIST_ITEM(node, struct record, node));
}

/* Take up "TIME STREAM LENGTH\n" and length bytes. */
static bool make_frame(struct reader *reader, int64_t time, int stream, const char *bytes, size_t length)
{
	int head;

	reader->frame = malloc(64 + length);
	if (!reader->frame)
		return false;
	head = snprintf(reader->frame, 64, "%lld %d %zu\n", (long long)time, stream, length);
	memcpy(reader->frame + head, bytes, length);
	reader->length = (size_t)head + length;
	reader->sent = 0;
	return true;
}

/* Lines have given way before they were read. */
static bool tell_missed(struct reader *reader)
{
	struct record *record = reader->record;
	char text[64];
	int length = snprintf(text, sizeof(text), "%llu lines are not there any more\n",
			      (unsigned long long)(record->first_number - reader->next));

	if (!make_frame(reader, clock_wall_ns(), STREAM_OURS, text, (size_t)length))
		return false;
	reader->next = record->first_number;
	return true;
}

/* Take up the next line. Returns false when there is none, or no memory for it. */
static bool next_line(struct reader *reader)
{
	struct record *record = reader->record;
	const struct log_line *line;

	if (reader->waits || reader->next >= record->next_number)
		return false;
	if (reader->next < record->first_number)
		return tell_missed(reader);
	line = *slot_of(record, reader->next);
	if (!make_frame(reader, line->time, line->stream, line->bytes, line->length))
		return false;
	reader->next++;
	return true;
}

static size_t send_frame(struct reader *reader, char *buffer, size_t room)
{
	size_t length = MIN(room, reader->length - reader->sent);

	memcpy(buffer, reader->frame + reader->sent, length);
	reader->sent += length;
	if (reader->sent == reader->length) {
		free(reader->frame);
		reader->frame = NULL;
	}
	return length;
}

/* There is no line: the last word, or later, or never again. */
static ssize_t no_line(struct reader *reader, char *buffer, size_t room)
{
	bool over = !reader->record->host || reader->record->gone;

	if (over && reader->waits && !reader->told) {
		reader->told = true;
		return snprintf(buffer, room, "{\"exit_code\":%d}\n", reader->record->exit_code);
	}
	if (over || !(reader->follow || reader->waits))
		return MHD_CONTENT_READER_END_OF_STREAM;
	reader->suspended = true;
	MHD_suspend_connection(reader->connection);
	return 0;
}

static ssize_t read_record(void *context, uint64_t position, char *buffer, size_t room)
{
	struct reader *reader = context;
	size_t length = 0;

	while (length < room && (reader->frame || next_line(reader)))
		length += send_frame(reader, buffer + length, room - length);
	return length ? (ssize_t)length : no_line(reader, buffer, room);
}

static void free_reader(void *context)
{
	struct reader *reader = context;

	list_remove(&reader->node);
	if (!--reader->record->readers && reader->record->gone)
		record_free(reader->record);
	free(reader->frame);
	free(reader);
}

static int respond(struct reader *reader, const char *type)
{
	list_append(&reader->record->daemon->readers, &reader->node);
	reader->record->readers++;
	return answer_stream(reader->connection, type, read_record, reader, free_reader);
}

static struct reader *reader_new(struct record *record, struct MHD_Connection *connection)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->record = record;
	reader->connection = connection;
	return reader;
}

int record_read(struct record *record, struct MHD_Connection *connection, long tail, bool follow)
{
	struct reader *reader = reader_new(record, connection);

	if (!reader)
		return MHD_NO;
	reader->follow = follow;
	reader->next = record->first_number;
	if (tail >= 0 && (uint64_t)tail < record->next_number)
		reader->next = MAX(reader->next, record->next_number - (uint64_t)tail);
	return respond(reader, "application/octet-stream");
}

int record_wait(struct record *record, struct MHD_Connection *connection)
{
	struct reader *reader = reader_new(record, connection);

	if (!reader)
		return MHD_NO;
	reader->waits = true;
	return respond(reader, "application/json");
}
