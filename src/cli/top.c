/* SPDX-License-Identifier: BSD-2-Clause */
/* berth top: hosts, conversations, links and events of a network, as they are now, on a terminal. */
#include "cli/top.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/json.h"
#include "control/paths.h"
#include "os/clock.h"

enum { OPTION_NET = 256, OPTION_VIEW, OPTION_SORT, EVENTS_KEPT = 500 };

static const struct cli_option options[] = {
	{ 'b', "batch", NULL, "plain text to standard output, a frame for each interval" },
	{ 'd', "delay", "SECONDS", "the interval that rates are measured over (default: 1)" },
	{ 'n', "frames", "N", "with -b: end after N frames (default: until Ctrl-C)" },
	{ OPTION_VIEW, "view", "VIEW", "hosts, conversations, links or events" },
	{ OPTION_SORT, "sort", "COLUMN", "sort that view by this column, as its title has it" },
	{ OPTION_NET, "net", "NETWORK", "the network to look at (default: default)" },
	{ 0 },
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = 1;
}

const struct row *top_selected(const struct top *top)
{
	size_t at = top->states[top->view].selected;

	return at < top->rows.count ? &top->rows.items[at] : NULL;
}

void top_say(struct top *top, bool bad, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(top->message, sizeof(top->message), format, arguments);
	va_end(arguments);
	top->message_bad = bad;
}

/* The row that was selected stays so, wherever it is now. */
static void find_selected(struct top *top)
{
	struct view_state *state = &top->states[top->view];
	/* At the newest event one stays with the newest. */
	bool follows = top->view == VIEW_EVENTS && !state->selected;

	for (size_t i = 0; i < top->rows.count && !follows && *state->key; i++)
		if (!strcmp(top->rows.items[i].key, state->key)) {
			state->selected = i;
			return;
		}
	if (state->selected >= top->rows.count)
		state->selected = top->rows.count ? top->rows.count - 1 : 0;
	if (top->rows.count)
		snprintf(state->key, sizeof(state->key), "%s", top->rows.items[state->selected].key);
}

void top_rows_make(struct top *top)
{
	struct moment moment = {
		.now = top->now, .before = top->before, .events = top->events, .unicode = top->unicode
	};
	const struct view *view = top_views[top->view];
	const struct view_state *state = &top->states[top->view];

	rows_clear(&top->rows);
	if (!top->now)
		return;
	view->build(&moment, &top->rows);
	rows_filter(&top->rows, top->filter);
	rows_sort(&top->rows, view, state->sort, state->reverse);
	find_selected(top);
}

static void forget(struct top *top)
{
	sample_free(top->now);
	sample_free(top->before);
	top->now = top->before = NULL;
	json_array_clear(top->events);
	top->last_event = 0;
}

static void add_events(struct top *top, const json_t *entries)
{
	size_t i, size = json_array_size(entries);
	json_t *entry, *last;

	json_array_foreach(entries, i, entry) {
		top->last_event = json_get_number(entry, "number", top->last_event);
		if (i + EVENTS_KEPT >= size)
			json_array_append(top->events, entry);
	}
	size = json_array_size(top->events);
	if (size <= 2 * EVENTS_KEPT)
		return;
	last = json_array();
	for (i = size - EVENTS_KEPT; i < size; i++)
		json_array_append(last, json_array_get(top->events, i));
	json_decref(top->events);
	top->events = last;
}

static bool other_daemon(const struct top *top, const struct sample *sample)
{
	return top->now && api_number(top->now->network, "pid") != api_number(sample->network, "pid");
}

static void take_sample(struct top *top)
{
	struct sample *sample = fetcher_take(top->fetcher);

	if (!sample)
		return;
	top->waiting = false;
	top->error = sample->error;
	if (sample->error || other_daemon(top, sample))
		forget(top);
	if (sample->error) {
		sample_free(sample);
	} else {
		/* Asked again early, after a change: rates over so short a time would jump. */
		if (top->now && sample->at - top->now->at < top->interval / 2) {
			sample_free(top->now);
		} else {
			sample_free(top->before);
			top->before = top->now;
		}
		top->now = sample;
		top->seen = true;
		add_events(top, sample->events);
	}
	top_rows_make(top);
}

/* When there is something to do, in ms. */
static int patience(const struct top *top, double now)
{
	double left = top->waiting ? 1 : top->asked + top->interval - now;

	return left <= 0 ? 0 : left > 1 ? 1000 : (int)(left * 1000) + 1;
}

static void turn(struct top *top, const sigset_t *mask)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = fetcher_fd(top->fetcher), .events = POLLIN } };
	double now = (double)clock_now() / 1e9;
	int ms;

	if (!top->waiting && now >= top->asked + top->interval) {
		fetcher_ask(top->fetcher, top->last_event);
		top->waiting = true;
		top->asked = now;
	}
	screen_draw(top);
	ms = patience(top, now);
	/* Signals come in here alone, so that none goes by unseen. */
	ppoll(fds, 2, &(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, mask);
	top->quit |= stopped || (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL));
	if (top->quit)
		return;
	keys_read(top);
	take_sample(top);
	act_capture_look(top);
}

static void catch_signals(sigset_t *ret_mask)
{
	static const int endings[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGWINCH);
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		sigaction(endings[i], &action, NULL);
		sigaddset(&held, endings[i]);
	}
	pthread_sigmask(SIG_BLOCK, &held, ret_mask);
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
		sigdelset(ret_mask, endings[i]);
	sigdelset(ret_mask, SIGWINCH);
}

static int screen_run(struct top *top)
{
	bool waiting;
	sigset_t mask;

	catch_signals(&mask);
	top->fetcher = fetcher_new(top->network);
	top->events = json_array();
	top->marked = json_object();
	while (!top->quit)
		turn(top, &mask);
	act_capture_stop(top);
	screen_close();
	waiting = top->waiting;
	if (!waiting) /* else the thread may be waiting for a daemon that does not answer: the end of all takes it */
		fetcher_free(top->fetcher);
	forget(top);
	rows_clear(&top->rows);
	detail_close(top);
	json_decref(top->events);
	json_decref(top->marked);
	return cli_finish(CLI_OK);
}

static bool seconds_read(const char *text, double *ret_seconds)
{
	char *end;

	*ret_seconds = strtod(text, &end);
	return end != text && !*end && *ret_seconds >= 0.1 && *ret_seconds <= 3600;
}

static bool frames_read(const char *text, long *ret_frames)
{
	char *end;

	errno = 0;
	*ret_frames = strtol(text, &end, 10);
	return !errno && end != text && !*end && *ret_frames > 0;
}

static int view_read(const char *text)
{
	for (int i = 0; i < VIEWS; i++)
		if (!strcmp(text, top_views[i]->name))
			return i;
	return -1;
}

struct top_options {
	struct batch batch;
	bool plain;
};

static int take_option(struct top_options *wish, int letter)
{
	const struct command *command = wish->batch.command;

	if (letter == 'b')
		wish->plain = true;
	else if (letter == OPTION_NET)
		wish->batch.network = optarg;
	else if (letter == OPTION_SORT)
		wish->batch.sort = optarg;
	else if (letter == 'd' && !seconds_read(optarg, &wish->batch.interval))
		return usage_error(command, "-d: '%s' is no number of seconds from 0.1 to 3600", optarg);
	else if (letter == 'n' && !frames_read(optarg, &wish->batch.frames))
		return usage_error(command, "-n: '%s' is no number above 0", optarg);
	else if (letter == OPTION_VIEW && (wish->batch.view = view_read(optarg)) < 0)
		return usage_error(command, "--view: '%s' is none of hosts, conversations, links, events", optarg);
	return CLI_OK;
}

static int check(const struct top_options *wish)
{
	const struct batch *batch = &wish->batch;

	if (network_check(batch->command, batch->network))
		return CLI_USAGE;
	if (batch->sort && batch->view < 0)
		return usage_error(batch->command, "--sort: of which view? --view says so");
	if (batch->sort && view_column(top_views[batch->view], batch->sort) < 0)
		return usage_error(batch->command, "--sort: %s have no column '%s'", top_views[batch->view]->name,
				   batch->sort);
	if (batch->frames && !wish->plain)
		return usage_error(batch->command, "-n is for -b");
	return CLI_OK;
}

static int begin(const struct top_options *wish)
{
	const struct batch *batch = &wish->batch;
	struct top *top;
	int r;

	setlocale(LC_CTYPE, "");
	if (wish->plain)
		return batch_run(batch);
	top = cli_alloc(sizeof(*top));
	*top = (struct top){ .command = batch->command, .network = batch->network, .interval = batch->interval };
	for (int i = 0; i < VIEWS; i++)
		top->states[i].sort = top_views[i]->sort;
	if (batch->view >= 0)
		top->view = (enum view_number)batch->view;
	if (batch->sort)
		top->states[top->view].sort = (size_t)view_column(top_views[top->view], batch->sort);
	snprintf(top->filter, sizeof(top->filter), "%s", batch->filter);
	r = screen_open(top) ? screen_run(top) : batch_run(batch);
	free(top);
	return r;
}

static int top_run(const struct command *command, int argc, char **argv)
{
	struct top_options wish = {
		.batch = { .command = command, .network = NETWORK_DEFAULT, .filter = "", .view = -1, .interval = 1 }
	};
	int result;

	while ((result = options_next(command, argc, argv)) > 0)
		if (take_option(&wish, result))
			return CLI_USAGE;
	if (result != OPTIONS_END)
		return options_exit(result);
	if (optind < argc)
		wish.batch.filter = argv[optind++];
	if (usage_no_operands(command, argc, argv) || check(&wish))
		return CLI_USAGE;
	return begin(&wish);
}

const struct command command_top = {
	.name = "top",
	.usage = "[OPTIONS] [FILTER]",
	.summary = "Watch hosts, conversations and links; sort, filter, capture, cut",
	.options = options,
	.details = "Lines with FILTER in them, or all. ? shows the keys. Where there is no screen to draw\n"
		   "on (a pipe, TERM=dumb) it is as with -b.\n\n"
		   "  berth top\n"
		   "  berth top -b -n 1 --view conversations --sort rtt\n\n"
		   "Exit code: 0; with -b, 1 when the network is not running; 125 for wrong use.\n",
	.run = top_run,
};
