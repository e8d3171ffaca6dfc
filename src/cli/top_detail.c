/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Enter shows in berth top: the words of berth ss, link and why about what
 * is selected, from those commands themselves.
 */
#include "cli/top.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/self.h"
#include "control/json.h"

/* What command writes, whole; the caller's to free(). */
static char *output_of(const struct self_command *command)
{
	size_t length = 0, room = 65536;
	char *text = cli_alloc(room), *grown;
	int pipes[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return text;
	pid = self_start(command, NULL, SELF_NO_INPUT, pipes[1]);
	close(pipes[1]);
	while (pid > 0 && ((n = read(pipes[0], text + length, room - 1 - length)) > 0 || (n < 0 && errno == EINTR))) {
		length += n > 0 ? (size_t)n : 0;
		if (length < room / 2)
			continue;
		grown = cli_alloc(room *= 2);
		memcpy(grown, text, length);
		free(text);
		text = grown;
	}
	close(pipes[0]);
	if (pid > 0)
		self_wait(pid, 0);
	text[length] = 0;
	return text;
}

/* Whether line is about the row's conversation; both its ends are words of it. */
static bool about(const char *line, size_t length, const struct row *row)
{
	return !*row->near_end || (memmem(line, length, row->near_end, strlen(row->near_end)) &&
				   memmem(line, length, row->far_end, strlen(row->far_end)));
}

/* Copy the first line, and those about row with what is indented below them. Returns how many were copied. */
static size_t copy_about(const char *text, const struct row *row, bool title, FILE *out)
{
	bool copying = title;
	size_t count = 0;

	for (const char *end; (end = strchr(text, '\n')); text = end + 1, title = false) {
		size_t length = (size_t)(end - text);

		if (!title && *text != ' ' && *text != '\t')
			copying = about(text, length, row);
		if (!copying)
			continue;
		fprintf(out, "%.*s\n", (int)length, text);
		count += !title;
	}
	return count;
}

static void write_sockets(const struct top *top, const struct row *row, const char *host, bool title, FILE *out)
{
	struct self_command command = { .count = 0 };
	char *text;

	self_add(&command, "ss", "-n", "-i", "-o", "-m", "-e", "--net", top->network, host, NULL);
	text = output_of(&command);
	/* One host's lines below the other's: the titles once. */
	copy_about(text + (title || !strchr(text, '\n') ? 0 : strcspn(text, "\n") + 1), row, title, out);
	free(text);
}

static void write_why(const struct top *top, const struct row *row, FILE *out)
{
	struct self_command command = { .count = 0 };
	struct row named = *row;
	char *text;

	self_add(&command, "why", "-a", "--net", top->network, row->host, *row->peer ? row->peer : NULL, NULL);
	text = output_of(&command);
	if (*row->near_end) { /* berth why has names for hosts: web:80 */
		snprintf(named.near_end, sizeof(named.near_end), "%.64s%s ", row->host, strrchr(row->near_end, ':'));
		snprintf(named.far_end, sizeof(named.far_end), "%.64s%s ", row->peer, strrchr(row->far_end, ':'));
		if (!*row->peer)
			snprintf(named.far_end, sizeof(named.far_end), "%s ", strrchr(row->far_end, ':'));
	}
	fprintf(out, "\nWhy\n");
	if (!copy_about(text, &named, false, out))
		fprintf(out, "nothing is known that would slow it down or stop it\n");
	free(text);
}

static bool end_of_link(const char *word, size_t length, const struct row *row)
{
	const char *ends[] = { row->host, row->peer, "(network)" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (strlen(ends[i]) == length && !memcmp(ends[i], word, length))
			return true;
	return false;
}

/* The lines of berth link whose ends are row's hosts, or one and the network. */
static void write_links(const struct top *top, const struct row *row, FILE *out)
{
	struct self_command command = { .count = 0 };
	char *whole;
	bool title = true;

	self_add(&command, "link", "--net", top->network, "show", NULL);
	whole = output_of(&command);
	fprintf(out, "\nLinks\n");
	for (const char *text = whole, *end; (end = strchr(text, '\n')); text = end + 1, title = false) {
		size_t length = strcspn(text, " "), gap = strspn(text + length, " ");
		const char *to = text + length + gap;

		if (title || (end_of_link(text, length, row) && end_of_link(to, strcspn(to, " "), row)))
			fprintf(out, "%.*s\n", (int)(end - text), text);
	}
	free(whole);
}

static void write_entry(const json_t *entry, FILE *out)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)entry, key, value) {
		char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);

		fprintf(out, "%-10s %s\n", key, text ? text : json_string_value(value));
		free(text);
	}
}

void detail_open(struct top *top)
{
	const struct row *row = top_selected(top);
	size_t length;
	FILE *out;

	if (!row)
		return;
	detail_close(top);
	out = open_memstream(&top->detail, &length);
	if (!out)
		return;
	snprintf(top->detail_title, sizeof(top->detail_title), "%s%s%s", row->host, *row->peer ? " and " : "",
		 row->peer);
	if (row->entry) {
		write_entry(row->entry, out);
	} else {
		write_sockets(top, row, row->host, true, out);
		if (*row->peer && strcmp(row->peer, row->host) && *row->near_end)
			write_sockets(top, row, row->peer, false, out);
		write_why(top, row, out);
		write_links(top, row, out);
	}
	fclose(out);
	top->detail_first = 0;
}

void detail_close(struct top *top)
{
	free(top->detail);
	top->detail = NULL;
}
