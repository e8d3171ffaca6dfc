/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of berth top. */
#include "cli/top.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/json.h"

static const char help_text[] =
	"Views\n"
	"  1 2 3 4, Tab    hosts, conversations, links, events\n"
	"  arrows, j k     select a line; PgUp, PgDn, Home, End: further\n"
	"  s               sort by the next column;  r or S  the other way round\n"
	"  /               only lines with these words in them;  Esc  all of them\n"
	"  Enter           all that berth ss, why and link know of it\n\n"
	"What can be done to the host, conversation or link that is selected\n"
	"  l               conditions of the cable or pair: delay 40ms loss 1%, or reset\n"
	"  p               partition: cut it from others;  Space  marks hosts for that\n"
	"  h               heal: mend everything that is cut\n"
	"  P               pause the host's program, or let it go on\n"
	"  c               capture it to a file, for Wireshark;  C  stops that\n\n"
	"  ?               this page;  q  quits\n\n"
	"What the columns say\n"
	"  IN/s OUT/s      bytes a second that the host gets and sends, headers too\n"
	"  UP/s DN/s       bytes a second from client to server, and back: data alone\n"
	"  UP-Q DN-Q       bytes sent one way that were not read yet\n"
	"  RETR            segments sent again;  DROPS  packets dropped, on cables too\n"
	"                  (both since the beginning, and marked when they have just grown)\n"
	"  LOSS LIMIT CUT  packets the link dropped by chance, for want of room, as it is cut\n"
	"  VIA             wire: Berth's TCP; express: program to program; port, out: real network\n"
	"  1.2k 34M        thousands, millions\n";

void keys_help(struct top *top)
{
	detail_close(top);
	top->detail = strdup(help_text);
	top->detail_first = 0;
	snprintf(top->detail_title, sizeof(top->detail_title), "berth top: keys and columns");
}

static void show_view(struct top *top, enum view_number view)
{
	top->view = view;
	top_rows_make(top);
}

static void select_row(struct top *top, long long row)
{
	struct view_state *state = &top->states[top->view];

	if (!top->rows.count)
		return;
	if (row < 0)
		row = 0;
	if (row >= (long long)top->rows.count)
		row = (long long)top->rows.count - 1;
	state->selected = (size_t)row;
	snprintf(state->key, sizeof(state->key), "%s", top->rows.items[row].key);
}

static void sort_next(struct top *top)
{
	struct view_state *state = &top->states[top->view];
	const struct view *view = top_views[top->view];
	int widths[CELLS_MAX];

	rows_layout(&top->rows, view, COLS - 1, widths);
	do { /* those alone that are on the screen */
		state->sort = (state->sort + 1) % view->columns_count;
	} while (!widths[state->sort]);
	state->reverse = false;
	top_rows_make(top);
}

static void sort_reverse(struct top *top)
{
	top->states[top->view].reverse ^= true;
	top_rows_make(top);
}

static void prompt_open(struct top *top, enum prompt_kind kind, const char *text)
{
	top->prompt = kind;
	line_set(&top->line, text);
}

/* Whom a key is about; told if there is nobody. */
static bool take_subject(struct top *top)
{
	const struct row *row = top_selected(top);

	if (!row || !*row->host) {
		top_say(top, true, "nothing is selected");
		return false;
	}
	top->subject = *row;
	return true;
}

static void key_filter(struct top *top)
{
	snprintf(top->filter_before, sizeof(top->filter_before), "%s", top->filter);
	prompt_open(top, PROMPT_FILTER, top->filter);
}

static void key_capture(struct top *top)
{
	char file[200];

	if (top->capture > 0) {
		top_say(top, true, "one is running already, to %s; C stops it", top->capture_file);
		return;
	}
	if (!take_subject(top))
		return;
	snprintf(file, sizeof(file), "%s%s%s.pcapng", top->subject.host, *top->subject.peer ? "-" : "",
		 top->subject.peer);
	prompt_open(top, PROMPT_CAPTURE, file);
}

static void key_conditions(struct top *top)
{
	if (take_subject(top))
		prompt_open(top, PROMPT_CONDITIONS, "");
}

static void add_name(char *text, size_t size, const char *name)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? "," : "", name);
}

/* The marked ones on one side; on the other who is selected, or, if that is one of them, everybody else. */
static void sides_marked(const struct top *top, char *left, char *right, size_t size)
{
	bool inside = json_object_get(top->marked, top->subject.host) != NULL;
	json_t *host;
	size_t i;

	json_array_foreach(top->now->programs, i, host) {
		const char *name = api_string(host, "name");

		if (!strcmp(api_string(host, "state"), "ended"))
			continue;
		if (json_object_get(top->marked, name))
			add_name(left, size, name);
		else if (inside || !strcmp(name, top->subject.host))
			add_name(right, size, name);
	}
}

static void key_partition(struct top *top)
{
	char left[180] = "", right[180] = "", text[400];

	if (!take_subject(top))
		return;
	if (top->view == VIEW_HOSTS && json_object_size(top->marked)) {
		sides_marked(top, left, right, sizeof(left));
	} else {
		add_name(left, sizeof(left), top->subject.host);
		add_name(right, sizeof(right), top->subject.peer);
	}
	snprintf(text, sizeof(text), "%s ! %s", left, right);
	prompt_open(top, PROMPT_PARTITION, text);
}

static void key_pause(struct top *top)
{
	if (top->view != VIEW_HOSTS)
		top_say(top, true, "P pauses hosts: 1 shows them");
	else if (take_subject(top))
		act_pause(top);
}

static void key_mark(struct top *top)
{
	if (top->view != VIEW_HOSTS || !take_subject(top))
		return;
	if (json_object_del(top->marked, top->subject.host))
		json_object_set_new(top->marked, top->subject.host, json_true());
	select_row(top, (long long)top->states[top->view].selected + 1);
}

static void key_escape(struct top *top)
{
	top->filter[0] = 0;
	top_rows_make(top);
}

static void key_tab(struct top *top)
{
	show_view(top, (top->view + 1) % VIEWS);
}

static void key_back_tab(struct top *top)
{
	show_view(top, (top->view + VIEWS - 1) % VIEWS);
}

static void key_quit(struct top *top)
{
	top->quit = true;
}

static void key_stop_capture(struct top *top)
{
	if (top->capture > 0)
		act_capture_stop(top);
	else
		top_say(top, false, "no capture is running");
}

static void key_redraw(struct top *top)
{
	clearok(curscr, TRUE);
}

static const struct {
	wint_t key;
	bool is_function;
	void (*act)(struct top *top);
} keys[] = {
	{ '\t', false, key_tab },      { KEY_BTAB, true, key_back_tab }, { 's', false, sort_next },
	{ 'S', false, sort_reverse },  { 'r', false, sort_reverse },	 { '/', false, key_filter },
	{ '\r', false, detail_open },  { '\n', false, detail_open },	 { KEY_ENTER, true, detail_open },
	{ 'c', false, key_capture },   { 'C', false, key_stop_capture }, { 'l', false, key_conditions },
	{ 'p', false, key_partition }, { 'h', false, act_heal },	 { 'P', false, key_pause },
	{ ' ', false, key_mark },      { '?', false, keys_help },	 { KEY_F(1), true, keys_help },
	{ 'q', false, key_quit },      { 27, false, key_escape },	 { 12, false, key_redraw }, /* Ctrl-L */
};

/* How far a key moves; 0: it does not. */
static long long movement(bool is_function, wint_t key, size_t page)
{
	const long long far = 1000000000;

	if (!is_function)
		return key == 'j' ? 1 : key == 'k' ? -1 : key == 'g' ? -far : key == 'G' ? far : 0;
	switch (key) {
	case KEY_DOWN:
		return 1;
	case KEY_UP:
		return -1;
	case KEY_NPAGE:
		return (long long)page;
	case KEY_PPAGE:
		return -(long long)page;
	case KEY_HOME:
		return -far;
	case KEY_END:
		return far;
	default:
		return 0;
	}
}

static void table_key(struct top *top, bool is_function, wint_t key)
{
	long long step = movement(is_function, key, screen_rows());

	top->message[0] = 0;
	if (step)
		select_row(top, (long long)top->states[top->view].selected + step);
	if (!is_function && key >= '1' && key < '1' + VIEWS)
		show_view(top, (enum view_number)(key - '1'));
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i].key == key && keys[i].is_function == is_function)
			keys[i].act(top);
}

static void detail_key(struct top *top, bool is_function, wint_t key)
{
	long long step = movement(is_function, key, screen_rows()), at = (long long)top->detail_first + step;
	size_t lines = screen_detail_lines(top);

	if (!is_function && (key == 'q' || key == 27 || key == '\r' || key == '?'))
		detail_close(top);
	else
		top->detail_first = at < 0 ? 0 : (size_t)at < lines ? (size_t)at : lines;
}

static void prompt_done(struct top *top)
{
	char text[sizeof(top->capture_file)];

	line_get(&top->line, text, sizeof(text));
	if (top->prompt == PROMPT_CAPTURE && *text && !access(text, F_OK)) {
		snprintf(top->capture_file, sizeof(top->capture_file), "%s", text);
		prompt_open(top, PROMPT_OVERWRITE, "");
		return;
	}
	if (top->prompt == PROMPT_CAPTURE && *text)
		act_capture(top, text);
	else if (top->prompt == PROMPT_CONDITIONS)
		act_conditions(top, text);
	else if (top->prompt == PROMPT_PARTITION)
		act_partition(top, text);
	top->prompt = PROMPT_NONE;
}

static void overwrite_key(struct top *top, wint_t key)
{
	char file[sizeof(top->capture_file)];

	top->prompt = PROMPT_NONE;
	snprintf(file, sizeof(file), "%s", top->capture_file);
	if (key == 'y' || key == 'Y')
		act_capture(top, file);
	else
		top_say(top, false, "%s stays as it is", file);
}

static void prompt_key(struct top *top, bool is_function, wint_t key)
{
	enum line_result result;

	if (top->prompt == PROMPT_OVERWRITE) {
		overwrite_key(top, is_function ? 0 : key);
		return;
	}
	result = line_key(&top->line, is_function, key);
	if (top->prompt == PROMPT_FILTER) {
		line_get(&top->line, top->filter, sizeof(top->filter));
		if (result == LINE_CANCELLED)
			snprintf(top->filter, sizeof(top->filter), "%s", top->filter_before);
		top_rows_make(top);
	}
	if (result == LINE_DONE)
		prompt_done(top);
	else if (result == LINE_CANCELLED)
		top->prompt = PROMPT_NONE;
}

void keys_read(struct top *top)
{
	wint_t key;
	int kind;

	while (!top->quit && (kind = get_wch(&key)) != ERR) {
		bool is_function = kind == KEY_CODE_YES;

		if (is_function && key == KEY_RESIZE)
			continue; /* what is drawn next has the new size */
		if (top->detail)
			detail_key(top, is_function, key);
		else if (top->prompt)
			prompt_key(top, is_function, key);
		else
			table_key(top, is_function, key);
	}
}
