/* SPDX-License-Identifier: BSD-2-Clause */
/* berth up, down and config: a whole network from a file. */
#include "cli/project.h"
#include "cli/self.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/paths.h"

enum { OPTION_NET = 256, OPTION_SERVICES, LINE_ROOM = 8192 };

#define FILE_OPTION \
	{ \
		'f', "file", "FILE", "the file (default: berth.yaml; -: standard input)" \
	}
#define NET_OPTION \
	{ \
		OPTION_NET, "net", "NETWORK", "call the network so, whatever the file says" \
	}

static const struct cli_option up_options[] = {
	FILE_OPTION,
	{ 'd', "detach", NULL, "come back when everything runs" },
	NET_OPTION,
	{ 0 },
};

static const struct cli_option down_options[] = { FILE_OPTION, NET_OPTION, { 0 } };

static const struct cli_option config_options[] = {
	FILE_OPTION,
	{ OPTION_SERVICES, "services", NULL, "the services' names only, in the order they start" },
	{ 'q', "quiet", NULL, "say only what is wrong" },
	NET_OPTION,
	{ 0 },
};

static volatile int interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

/* berth logs -f of one service, and the line that is being read from it. */
struct follower {
	const char *name;
	pid_t pid;
	int fd; /* -1: ended */
	size_t length;
	char line[LINE_ROOM];
};

static void follow(const struct compose *compose, const struct service *service, struct follower *follower)
{
	struct self_command words = { .count = 0 };
	int ends[2] = { -1, -1 };

	self_add(&words, "logs", "-f", "--net", compose->name, service->name, NULL);
	*follower = (struct follower){ .name = service->name, .pid = -1, .fd = -1 };
	if (pipe(ends) < 0)
		return;
	follower->pid = self_start(&words, NULL, SELF_NO_INPUT, ends[1]);
	close(ends[1]);
	follower->fd = ends[0];
}

static void print_lines(struct follower *follower, int width, bool at_end)
{
	size_t at = 0, length;
	char *end;

	while ((end = memchr(follower->line + at, '\n', follower->length - at)) ||
	       ((at_end || follower->length == LINE_ROOM) && follower->length > at)) {
		length = end ? (size_t)(end - (follower->line + at)) : follower->length - at;
		printf("%-*s | %.*s\n", width, follower->name, (int)length, follower->line + at);
		at += length + !!end;
	}
	memmove(follower->line, follower->line + at, follower->length - at);
	follower->length -= at;
	fflush(stdout);
}

static bool read_lines(struct follower *follower, int width)
{
	ssize_t n = read(follower->fd, follower->line + follower->length, LINE_ROOM - follower->length);

	if (n < 0 && errno == EINTR)
		return true;
	follower->length += n > 0 ? (size_t)n : 0;
	print_lines(follower, width, n <= 0);
	if (n > 0)
		return true;
	close(follower->fd);
	follower->fd = -1;
	return false;
}

/* Show what all say until all have ended, or somebody interrupts. */
static void follow_all(const struct compose *compose)
{
	size_t count = compose->service_count, open = count;
	struct follower *followers = cli_alloc(count * sizeof(*followers));
	struct pollfd *ready = cli_alloc(count * sizeof(*ready));
	int width = 0;

	for (size_t i = 0; i < count; i++) {
		follow(compose, &compose->services[i], &followers[i]);
		width = (int)strlen(followers[i].name) > width ? (int)strlen(followers[i].name) : width;
	}
	while (open && !interrupted) {
		for (size_t i = 0; i < count; i++)
			ready[i] = (struct pollfd){ .fd = followers[i].fd, .events = POLLIN };
		if (poll(ready, count, 1000) < 0 && errno != EINTR)
			break;
		open = 0;
		for (size_t i = 0; i < count; i++)
			open += followers[i].fd >= 0 &&
				(!(ready[i].revents & (POLLIN | POLLHUP)) || read_lines(&followers[i], width));
	}
	for (size_t i = 0; i < count; i++) {
		if (followers[i].pid > 0 && followers[i].fd >= 0)
			kill(followers[i].pid, SIGTERM);
		if (followers[i].pid > 0)
			waitpid(followers[i].pid, NULL, 0);
	}
	free(followers);
	free(ready);
}

struct choice {
	const char *file, *network;
	bool detach, services, quiet;
};

static int parse(const struct command *command, int argc, char **argv, struct choice *choice)
{
	int result;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == 'f')
			choice->file = optarg;
		else if (result == OPTION_NET)
			choice->network = optarg;
		else if (result == 'd')
			choice->detach = true;
		else if (result == 'q')
			choice->quiet = true;
		else
			choice->services = true;
	}
	return result;
}

/* Options and file, for the three of them. Returns true when there is something to do; else *ret_code is the answer. */
static bool begin(const struct command *command, int argc, char **argv, struct choice *choice, struct compose *compose,
		  int *ret_code)
{
	int result = parse(command, argc, argv, choice);

	*ret_code = result == OPTIONS_END ? usage_no_operands(command, argc, argv) : options_exit(result);
	if (result != OPTIONS_END || *ret_code)
		return false;
	*ret_code = project_open(command, choice->file, compose);
	if (*ret_code)
		return false;
	*ret_code = project_rename(command, compose, choice->network);
	if (!*ret_code)
		return true;
	compose_close(compose);
	return false;
}

static int up_run(const struct command *command, int argc, char **argv)
{
	struct choice choice = { NULL };
	struct compose compose;
	int code;

	if (!begin(command, argc, argv, &choice, &compose, &code))
		return code;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGHUP, on_signal);
	code = project_up(command, &compose, false);
	if (!choice.detach) {
		if (!code && !interrupted)
			follow_all(&compose);
		project_down(command, &compose, false);
	}
	compose_close(&compose);
	return cli_finish(code);
}

static int down_run(const struct command *command, int argc, char **argv)
{
	struct choice choice = { NULL };
	struct compose compose;
	int code;

	if (!begin(command, argc, argv, &choice, &compose, &code))
		return code;
	code = project_down(command, &compose, false);
	compose_close(&compose);
	return cli_finish(code);
}

static int config_run(const struct command *command, int argc, char **argv)
{
	struct choice choice = { NULL };
	struct compose compose;
	int code;

	if (!begin(command, argc, argv, &choice, &compose, &code))
		return code;
	for (size_t i = 0; choice.services && i < compose.service_count; i++)
		printf("%s\n", compose.services[compose.order[i]].name);
	if (!choice.services && !choice.quiet)
		compose_print(&compose, stdout);
	compose_close(&compose);
	return cli_finish(CLI_OK);
}

const struct command command_up = {
	.name = "up",
	.usage = "[OPTIONS]",
	.summary = "Start the network that a file describes",
	.options = up_options,
	.details = "berth.yaml has compose's words: services with command, environment, ports,\n"
		   "depends_on, healthcheck; and links with conditions, egress and a scenario: berth-yaml(5).\n"
		   "Services that run already are left alone. Without -d it shows what all of them say,\n"
		   "and ends them with Ctrl-C.\n\n"
		   "Exit code: 0; 1 when a service could not be started; 125 when the file makes no sense.\n",
	.run = up_run,
};

const struct command command_down = {
	.name = "down",
	.usage = "[OPTIONS]",
	.summary = "End the network that a file describes",
	.options = down_options,
	.details = "Ends the file's services, those first that depend on others, and forgets them. Other\n"
		   "programs on the network go on.\n\n"
		   "Exit code: 0; 125 when the file makes no sense.\n",
	.run = down_run,
};

const struct command command_config = {
	.name = "config",
	.usage = "[OPTIONS]",
	.summary = "Check a network's file, and print it as it was understood",
	.options = config_options,
	.details = "Exit code: 0; 125 when the file makes no sense: a line says where and why.\n",
	.run = config_run,
};
