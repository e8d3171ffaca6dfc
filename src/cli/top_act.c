/* SPDX-License-Identifier: BSD-2-Clause */
/* What berth top changes: conditions, cuts, pauses, as the other commands ask for them; and captures. */
#include "cli/top.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/self.h"
#include "control/json.h"

/* PUT body (taken). True when it was done; else what the daemon says is shown. */
static bool put(struct top *top, const char *path, json_t *body)
{
	json_t *answer = NULL;
	int r = json_put(top->network, path, body, &answer);

	json_decref(body);
	if (r < 0)
		top_say(top, true, "the network does not answer: %s", strerror(-r));
	else if (r != 200)
		top_say(top, true, "%s", json_get_text(answer, "error", "refused"));
	if (r > 0)
		json_decref(answer);
	return r == 200;
}

static bool put_changes(struct top *top, json_t *changes)
{
	top->asked = 0; /* show it at once */
	return put(top, "/v1/links", json_pack("{s:o}", "changes", changes));
}

/* The words behind at, as an array. */
static json_t *words_of(char *text, char **rest)
{
	json_t *words = json_array();

	for (char *word = text; word; word = strtok_r(NULL, " \t", rest))
		json_array_append_new(words, json_string(word));
	return words;
}

void act_conditions(struct top *top, const char *text)
{
	const struct row *row = &top->subject;
	const char *direction = row->direction;
	char copy[400], *rest, *word;
	json_t *hosts, *change;

	snprintf(copy, sizeof(copy), "%s", text);
	word = strtok_r(copy, " \t", &rest);
	if (word && (!strcmp(word, "in") || !strcmp(word, "out") || !strcmp(word, "both"))) {
		direction = word;
		word = strtok_r(NULL, " \t", &rest);
	}
	if (!word)
		return;
	hosts = json_pack("[s]", row->host);
	if (*row->peer)
		json_array_append_new(hosts, json_string(row->peer));
	if (!strcmp(word, "reset"))
		change = json_pack("{s:o, s:s, s:b}", "hosts", hosts, "direction", direction, "reset", 1);
	else
		change = json_pack("{s:o, s:s, s:o}", "hosts", hosts, "direction", direction, "words",
				   words_of(word, &rest));
	if (put_changes(top, json_pack("[o]", change)))
		top_say(top, false, "%s%s%s: %s", row->host, *row->peer ? " and " : "", row->peer, text);
}

void act_partition(struct top *top, const char *text)
{
	char left[400], *right;
	json_t *changes;
	size_t used = 0;

	for (; *text && used < sizeof(left) - 1; text++)
		if (*text != ' ')
			left[used++] = *text;
	left[used] = 0;
	right = strchr(left, '!');
	if (right)
		*right++ = 0;
	if (!right || !*left || !*right) {
		top_say(top, true, "two sides with a ! between them are needed (as in a,b ! c)");
		return;
	}
	changes = partition_changes(left, right, "both");
	if (put_changes(top, changes))
		top_say(top, false, "%.100s cut from %.100s; h mends it", left, right);
}

void act_heal(struct top *top)
{
	json_t *changes = top->now ? heal_changes(top->now->links) : NULL;
	size_t count = json_array_size(changes);

	if (!count) {
		json_decref(changes);
		top_say(top, false, "nothing is cut");
	} else if (put_changes(top, changes)) {
		top_say(top, false, "everything is mended (%zu)", count);
	}
}

void act_pause(struct top *top)
{
	const struct row *row = &top->subject;
	char path[128];

	snprintf(path, sizeof(path), "/v1/programs/%s/pause", row->host);
	if (!put(top, path, json_pack("{s:b}", "paused", !row->paused)))
		return;
	top_say(top, false, "%s %s", row->host, row->paused ? "goes on" : "stands still; P lets it go on");
	top->asked = 0;
}

static void add_filter(struct self_command *command, const struct row *row, char text[300])
{
	const char *ends[] = { row->near_end, row->far_end };
	size_t used = 0;

	if (!*row->near_end)
		return;
	for (size_t i = 0; i < 2; i++) {
		const char *colon = strrchr(ends[i], ':');
		bool six = *ends[i] == '[';

		used += (size_t)snprintf(text + used, 300 - used, "%shost %.*s and port %s", i ? " and " : "",
					 (int)(colon - ends[i]) - (six ? 2 : 0), ends[i] + six, colon + 1);
	}
	self_add(command, text, NULL);
}

void act_capture(struct top *top, const char *file)
{
	const struct row *row = &top->subject;
	struct self_command command = { .count = 0 };
	char filter[300];
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK)) {
		top_say(top, true, "capture: %s", strerror(errno));
		return;
	}
	snprintf(top->capture_file, sizeof(top->capture_file), "%s", file);
	self_add(&command, "capture", "--net", top->network, "-i", row->host, "-w", top->capture_file, "--", NULL);
	add_filter(&command, row, filter);
	top->capture = self_start(&command, NULL, SELF_NO_INPUT, pipes[1]);
	close(pipes[1]);
	top->capture_fd = pipes[0];
	if (top->capture > 0)
		return;
	top_say(top, true, "capture: %s", strerror((int)-top->capture));
	top->capture = 0;
	close(pipes[0]);
}

/* It has ended: its last line says how. */
static void capture_ended(struct top *top, int status)
{
	char text[256], *line;
	ssize_t n = read(top->capture_fd, text, sizeof(text) - 1);

	close(top->capture_fd);
	top->capture = 0;
	text[n > 0 ? n : 0] = 0;
	line = strchr(text, '\n');
	if (line)
		*line = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		top_say(top, false, "%s: %s", top->capture_file, text);
	else
		top_say(top, true, "%s", *text ? text : "the capture has ended");
}

void act_capture_look(struct top *top)
{
	int status;

	if (top->capture > 0 && waitpid(top->capture, &status, WNOHANG) == top->capture)
		capture_ended(top, status);
}

void act_capture_stop(struct top *top)
{
	int status;

	if (top->capture <= 0)
		return;
	kill(top->capture, SIGTERM);
	while (waitpid(top->capture, &status, 0) < 0 && errno == EINTR)
		;
	capture_ended(top, status);
}
