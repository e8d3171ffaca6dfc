/* SPDX-License-Identifier: BSD-2-Clause */
/* What berth top looks like. */
#include "cli/top.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <wchar.h>

#include "cli/top_terminal.h"
#include "control/json.h"
#include "os/clock.h"

enum { LINE_SUMMARY = 1, LINE_TABS, LINE_TITLES, LINE_ROWS, LINES_BELOW = 1 };

static attr_t tones[TONES];

bool screen_open(struct top *top)
{
	static const short colours[TONES] = {
		[TONE_NAME] = COLOR_CYAN, [TONE_GOOD] = COLOR_GREEN, [TONE_WARN] = COLOR_YELLOW, [TONE_BAD] = COLOR_RED
	};
	const char *no = getenv("NO_COLOR");

	if (!terminal_places() || !newterm(NULL, stdout, stdin))
		return false;
	terminal_guard();
	atexit(screen_close);
	top->unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
	top->colour = has_colors() && !(no && *no);
	if (top->colour) {
		start_color();
		use_default_colors();
	}
	for (short i = 0; i < (short)TONES; i++)
		if (top->colour && colours[i]) {
			init_pair(i, colours[i], -1);
			tones[i] = COLOR_PAIR(i);
		}
	tones[TONE_FAINT] |= A_DIM;
	tones[TONE_BAD] |= A_BOLD;
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	set_escdelay(100);
	timeout(0);
	return true;
}

void screen_close(void)
{
	if (!isendwin())
		endwin();
}

size_t screen_rows(void)
{
	int rows = LINES - LINE_ROWS - LINES_BELOW;

	return rows > 1 ? (size_t)rows : 1;
}

/* Text in the locale's bytes, cut at the right edge. */
static void put(attr_t attributes, const char *text)
{
	mbstate_t state = { 0 };
	int x = getcurx(stdscr);
	size_t length = 0, n;
	wchar_t letter;

	while (text[length] && (n = mbrtowc(&letter, text + length, MB_LEN_MAX, &state)) > 0 && n < (size_t)-2) {
		int width = wcwidth(letter);

		if (width < 0 || x + width > COLS)
			break;
		x += width;
		length += n;
	}
	attron(attributes);
	addnstr(text, (int)length);
	attroff(attributes);
}

static void putf(attr_t attributes, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void putf(attr_t attributes, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	put(attributes, text);
}

/* The rest of the line in attributes. */
static void fill(attr_t attributes)
{
	attron(attributes);
	for (int x = getcurx(stdscr), y = getcury(stdscr); x < COLS; x++)
		mvaddch(y, x, ' ');
	attroff(attributes);
}

static size_t hosts_count(const struct sample *sample)
{
	return (size_t)api_number(sample->network, "hosts");
}

static void draw_head(const struct top *top)
{
	const char *dot = top->unicode ? " · " : " | ";
	char up[32];

	move(0, 0);
	put(A_BOLD, "berth top");
	putf(A_NORMAL, "  %s", top->network);
	if (top->now) {
		duration_text(api_number(top->now->network, "uptime_s"), up, sizeof(up));
		putf(A_NORMAL, "%s%s%sup %s%s%zu host%s%severy %g s", dot, api_string(top->now->network, "subnet4"),
		     dot, up, dot, hosts_count(top->now), hosts_count(top->now) == 1 ? "" : "s", dot, top->interval);
	}
	if (top->now && top->waiting && (double)clock_now() / 1e9 > top->asked + 2)
		putf(tones[TONE_WARN], "%sno answer", dot);
}

/* What goes over all cables together, and what goes wrong. */
static void draw_summary(const struct top *top)
{
	struct moment moment = { .now = top->now, .before = top->before };
	double bytes = 0, packets = 0, again = 0;
	char key[SAMPLE_KEY], text[2][24];
	json_t *value;
	size_t i;

	move(LINE_SUMMARY, 0);
	if (!top->now || !top->before) {
		put(tones[TONE_FAINT], top->now ? "measuring ..." : "");
		return;
	}
	json_array_foreach(top->now->links, i, value) {
		const char *from = json_get_text(value, "from", "");

		if (!*from || *json_get_text(value, "to", ""))
			continue;
		sample_link_key(from, "", key);
		bytes += moment_rate(&moment, key, value, "bytes_in");
		packets += moment_rate(&moment, key, value, "packets_in");
	}
	json_array_foreach(top->now->counters, i, value) {
		sample_counters_key(api_string(value, "host"), key);
		again += (double)moment_grown(&moment, key, json_object_get(value, "events"), "TCP_RETRANSMIT");
	}
	putf(A_NORMAL, "%s bytes/s  %s packets/s  ", amount_text(bytes, text[0], sizeof(text[0])),
	     amount_text(packets, text[1], sizeof(text[1])));
	again /= top->now->at - top->before->at;
	putf(again > 0 ? tones[TONE_BAD] : A_NORMAL, "%s retransmits/s", amount_text(again, text[0], sizeof(text[0])));
}

static void draw_capture(const struct top *top)
{
	const char *name = strrchr(top->capture_file, '/');
	struct stat file;
	char size[24];

	if (top->capture <= 0)
		return;
	amount_text(stat(top->capture_file, &file) ? 0 : (double)file.st_size, size, sizeof(size));
	putf(tones[TONE_BAD] | A_BOLD, "   %s capture %.80s %s", top->unicode ? "●" : "*",
	     name ? name + 1 : top->capture_file, size);
}

static void draw_tabs(const struct top *top)
{
	move(LINE_TABS, 0);
	for (int i = 0; i < VIEWS; i++) {
		bool here = i == (int)top->view;

		putf(here ? A_BOLD | A_UNDERLINE : tones[TONE_FAINT], "%d %s", i + 1, top_views[i]->label);
		if (here && top->now)
			putf(A_BOLD, " (%zu)", top->rows.count);
		put(A_NORMAL, "   ");
	}
	if (*top->filter || top->prompt == PROMPT_FILTER)
		putf(tones[TONE_WARN], "filter: %s", top->filter);
	if (json_object_size(top->marked) && top->view == VIEW_HOSTS)
		putf(tones[TONE_WARN], "  %zu marked", json_object_size(top->marked));
}

/* "▼" where there is room beside the title. */
static void title_text(const struct top *top, const struct column *column, bool sorted, int width, char *text,
		       size_t size)
{
	const struct view_state *state = &top->states[top->view];
	bool down = column->number != state->reverse;
	char title[64];

	snprintf(title, sizeof(title), "%s", column->title);
	cell_fit(title, column, width, top->unicode, text, size);
	if (!sorted || (int)strlen(column->title) + 1 >= width)
		return;
	snprintf(title, sizeof(title), "%s", top->unicode ? (down ? "▼" : "▲") : (down ? "v" : "^"));
	if (column->number && !column->left)
		snprintf(text, size, "%*s%s%s", width - (int)strlen(column->title) - 1, "", title, column->title);
	else
		snprintf(text, size, "%s%s%*s", column->title, title, width - (int)strlen(column->title) - 1, "");
}

static void draw_titles(const struct top *top, const int widths[CELLS_MAX])
{
	const struct view *view = top_views[top->view];
	const struct view_state *state = &top->states[top->view];
	char text[512];

	move(LINE_TITLES, 0);
	put(A_REVERSE, " ");
	for (size_t i = 0, shown = 0; i < view->columns_count; i++) {
		if (!widths[i])
			continue;
		if (shown++)
			put(A_REVERSE, " ");
		title_text(top, &view->columns[i], i == state->sort, widths[i], text, sizeof(text));
		put(i == state->sort ? A_BOLD | A_UNDERLINE : A_REVERSE, text);
	}
	fill(A_REVERSE);
}

static void draw_row(const struct top *top, const struct row *row, const int widths[CELLS_MAX], bool selected)
{
	const struct view *view = top_views[top->view];
	bool marked = top->view == VIEW_HOSTS && json_object_get(top->marked, row->host);
	attr_t base = selected ? A_REVERSE : A_NORMAL;
	char text[2048];

	put(base | A_BOLD, marked ? "*" : " ");
	for (size_t i = 0, shown = 0; i < view->columns_count; i++) {
		if (!widths[i])
			continue;
		if (shown++)
			put(base, " ");
		cell_fit(row->cells[i].text, &view->columns[i], widths[i], top->unicode, text, sizeof(text));
		put(selected ? base | (row->cells[i].tone == TONE_BAD ? A_BOLD : 0) : tones[row->cells[i].tone], text);
	}
	if (selected)
		fill(base);
}

static void draw_table(struct top *top)
{
	struct view_state *state = &top->states[top->view];
	int widths[CELLS_MAX];
	size_t room = screen_rows();

	rows_layout(&top->rows, top_views[top->view], COLS - 1, widths);
	draw_titles(top, widths);
	if (state->selected < state->first)
		state->first = state->selected;
	if (state->selected >= state->first + room)
		state->first = state->selected - room + 1;
	if (state->first + room > top->rows.count)
		state->first = top->rows.count > room ? top->rows.count - room : 0;
	for (size_t i = 0; i < room && state->first + i < top->rows.count; i++) {
		move(LINE_ROWS + (int)i, 0);
		draw_row(top, &top->rows.items[state->first + i], widths, state->first + i == state->selected);
	}
	if (!top->rows.count) {
		move(LINE_ROWS + 1, 2);
		put(tones[TONE_FAINT],
		    *top->filter ? "nothing here has that in it; Esc takes the filter away" : "nothing here yet");
	}
}

static void draw_absence(const struct top *top)
{
	bool gone = top->error == -ENOENT || top->error == -ECONNREFUSED;

	move(LINE_ROWS, 2);
	if (!top->error)
		putf(A_NORMAL, "asking network '%s' ...", top->network);
	else if (gone)
		putf(tones[TONE_WARN], "network '%s' %s", top->network, top->seen ? "has ended" : "is not running");
	else
		putf(tones[TONE_BAD], "network '%s' does not answer: %s", top->network, strerror(-top->error));
	if (!gone)
		return;
	move(LINE_ROWS + 2, 2);
	putf(A_NORMAL, "berth run --net %s PROGRAM starts it; it is shown here as soon as it is there.", top->network);
	move(LINE_ROWS + 3, 2);
	put(A_NORMAL, "q quits.");
}

/* Where to break text, at most room characters on: at a blank, if one is near. */
static size_t break_at(const char *text, size_t room)
{
	size_t length = strcspn(text, "\n"), at = room;

	if (length <= room)
		return length;
	while (at > room / 2 && text[at] != ' ')
		at--;
	return text[at] == ' ' ? at : room;
}

/*
 * One line of the detail, or a part of one that is longer than the screen is
 * wide; *goes_on says whether it is such a part, which begins further to the
 * right. Returns what comes behind it.
 */
static const char *detail_line(const char *text, bool *goes_on, char *line, size_t size)
{
	size_t width = COLS > 16 ? (size_t)COLS - 1 : 16, used = 0, length;

	width = width < size ? width : size - 1;
	if (*goes_on || *text == '\t')
		used = (size_t)snprintf(line, size, *goes_on ? "        " : "    ");
	if (!*goes_on && *text == '\t')
		text += strspn(text, "\t ");
	length = break_at(text, width - used);
	for (size_t i = 0; i < length; i++)
		line[used++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	line[used] = 0;
	text += length;
	*goes_on = *text && *text != '\n';
	return *goes_on ? text + strspn(text, " ") : *text ? text + 1 : text;
}

size_t screen_detail_lines(const struct top *top)
{
	bool goes_on = false;
	char line[1024];
	size_t count = 0;

	for (const char *text = top->detail; *text; count++)
		text = detail_line(text, &goes_on, line, sizeof(line));
	return count;
}

static void draw_detail(struct top *top)
{
	size_t room = LINES > 3 ? (size_t)LINES - 3 : 1, lines = screen_detail_lines(top), i = 0;
	const char *text = top->detail;
	bool goes_on = false;
	char line[1024];

	if (top->detail_first + room > lines)
		top->detail_first = lines > room ? lines - room : 0;
	move(0, 0);
	putf(A_BOLD | A_REVERSE, " %s ", top->detail_title);
	fill(A_REVERSE);
	for (; *text && i < top->detail_first + room; i++) {
		bool heading = *text != ' ' && *text != '\t' && !goes_on;

		text = detail_line(text, &goes_on, line, sizeof(line));
		if (i < top->detail_first)
			continue;
		move(1 + (int)(i - top->detail_first), 0);
		put(heading && !strchr(line, ' ') ? A_BOLD : A_NORMAL, line);
	}
	move(LINES - 1, 0);
	putf(tones[TONE_FAINT], "lines %zu-%zu of %zu   arrows, PgUp, PgDn scroll   Esc or q goes back",
	     top->detail_first + 1, i, lines);
}

static void draw_hints(void)
{
	static const char *const hints[][2] = {
		{ "Enter", "details" }, { "/", "filter" }, { "s", "sort" },	    { "l", "conditions" },
		{ "p", "cut" },		{ "h", "heal" },   { "c", "capture" },	    { "?", "help" },
		{ "q", "quit" },	{ "P", "pause" },  { "C", "stop capture" }, { "Space", "mark" },
		{ "r", "reverse" },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
		int length = (int)(strlen(hints[i][0]) + strlen(hints[i][1])) + (i ? 3 : 1);

		if (getcurx(stdscr) + length > COLS)
			break;
		putf(A_BOLD, "%s%s", i ? "  " : "", hints[i][0]);
		putf(tones[TONE_FAINT], " %s", hints[i][1]);
	}
}

static void prompt_label(const struct top *top, char *text, size_t size)
{
	const struct row *row = &top->subject;
	const char *and = *row->peer ? " and " : "", *peer = row->peer;

	switch (top->prompt) {
	case PROMPT_FILTER:
		snprintf(text, size, "Filter: ");
		break;
	case PROMPT_CAPTURE:
		snprintf(text, size, "Capture %.30s%s%.30s to file: ", row->host, and, peer);
		break;
	case PROMPT_OVERWRITE:
		snprintf(text, size, "%.100s is there already. Overwrite it? (y/n) ", top->capture_file);
		break;
	case PROMPT_CONDITIONS:
		snprintf(text, size, "Conditions of %.30s%s%.30s (%s): ", row->host, and, peer, row->direction);
		break;
	default:
		snprintf(text, size, "Cut: ");
	}
}

static const char *prompt_help(enum prompt_kind kind)
{
	switch (kind) {
	case PROMPT_CONDITIONS:
		return "[in|out|both] delay 40ms 5ms, loss 1%, rate 10mbit, limit 100, ... or: reset";
	case PROMPT_PARTITION:
		return "a,b ! c   cuts what goes between the two sides; h heals everything";
	case PROMPT_FILTER:
		return "rows that have all of these words; Enter keeps it, Esc takes it away";
	default:
		return NULL;
	}
}

static void draw_prompt(const struct top *top)
{
	const struct line *line = &top->line;
	char label[300], text[sizeof(line->text) * 4];
	const char *help = prompt_help(top->prompt);
	struct line shown = *line;
	size_t room, skip;

	if (help && LINES > LINE_ROWS + 2) {
		move(LINES - 2, 0);
		put(tones[TONE_WARN], help);
		clrtoeol();
		move(LINES - 1, 0);
	}
	prompt_label(top, label, sizeof(label));
	put(A_BOLD, label);
	room = COLS - getcurx(stdscr) > 2 ? (size_t)(COLS - getcurx(stdscr)) - 1 : 1;
	skip = line->cursor > room ? line->cursor - room : 0; /* what is typed stays in sight */
	shown.length = line->length - skip;
	wmemmove(shown.text, shown.text + skip, shown.length + 1);
	line_get(&shown, text, sizeof(text));
	skip = line->cursor - skip;
	int x = getcurx(stdscr);
	put(A_NORMAL, text);
	move(LINES - 1, x + (int)skip < COLS ? x + (int)skip : COLS - 1);
}

static void draw_foot(const struct top *top)
{
	move(LINES - 1, 0);
	if (top->prompt)
		draw_prompt(top);
	else if (*top->message)
		put(top->message_bad ? tones[TONE_BAD] : tones[TONE_GOOD] | A_BOLD, top->message);
	else
		draw_hints();
	curs_set(top->prompt != PROMPT_NONE);
}

void screen_draw(struct top *top)
{
	erase();
	if (top->detail) {
		draw_detail(top);
		curs_set(0);
		refresh();
		return;
	}
	draw_head(top);
	draw_summary(top);
	draw_capture(top);
	draw_tabs(top);
	if (top->now)
		draw_table(top);
	else
		draw_absence(top);
	draw_foot(top);
	refresh();
}
