/* SPDX-License-Identifier: BSD-2-Clause */
/* berth top -b: the tables as plain text, a frame for each interval. */
#include "cli/top.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "control/json.h"

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = 1;
}

static void line_print(const struct view *view, const struct row *row, const int widths[CELLS_MAX])
{
	char line[4096] = "", cell[1024];
	size_t used = 0;

	for (size_t i = 0; i < view->columns_count; i++) {
		if (!widths[i])
			continue;
		cell_fit(row ? row->cells[i].text : view->columns[i].title, &view->columns[i], widths[i], false, cell,
			 sizeof(cell));
		if (used < sizeof(line))
			used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", used ? " " : "", cell);
	}
	for (used = strlen(line); used && line[used - 1] == ' ';)
		line[--used] = 0;
	puts(line);
}

static void view_print(const struct batch *batch, const struct moment *moment, const struct view *view)
{
	int column = batch->sort ? view_column(view, batch->sort) : (int)view->sort, widths[CELLS_MAX];
	struct rows rows = { NULL };

	view->build(moment, &rows);
	rows_filter(&rows, batch->filter);
	rows_sort(&rows, view, column < 0 ? view->sort : (size_t)column, false);
	rows_layout(&rows, view, LINE_WITHOUT_END, widths);
	printf("\n%s: %zu\n", view->label, rows.count);
	line_print(view, NULL, widths);
	for (size_t i = 0; i < rows.count; i++)
		line_print(view, &rows.items[i], widths);
	rows_clear(&rows);
}

static void frame_print(const struct batch *batch, const struct moment *moment, bool first)
{
	time_t now = time(NULL);
	char clock[16] = "";
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("%sberth top - %s, network %s\n", first ? "" : "\n", clock, batch->network);
	for (int i = 0; i < VIEWS; i++)
		if (batch->view == i || (batch->view < 0 && i != VIEW_EVENTS))
			view_print(batch, moment, top_views[i]);
}

static void rest(double seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds };

	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	while (!stopped && nanosleep(&time, &time) && errno == EINTR)
		;
}

int batch_run(const struct batch *batch)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sample *before = sample_fetch(batch->network, 0), *now;
	int error = before->error;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	for (long i = 0; !error && !stopped && (!batch->frames || i < batch->frames); i++) {
		rest(batch->interval);
		if (stopped)
			break;
		now = sample_fetch(batch->network, 0);
		error = now->error;
		if (!error)
			frame_print(batch, &(struct moment){ .now = now, .before = before, .events = now->events },
				    i == 0);
		sample_free(before);
		before = now;
		if (fflush(stdout))
			break; /* who reads us has gone */
	}
	sample_free(before);
	return cli_finish(error ? api_failed(batch->command, batch->network, error) : CLI_OK);
}
