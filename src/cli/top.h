/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth top from the inside. top_sample.c asks the control API; top_hosts.c,
 * top_talks.c and top_links.c make rows of two samples; top_rows.c sorts,
 * filters and lays them out, for top_batch.c as for the screen: top_screen.c
 * draws it, top_keys.c and top_line.c read keys, top_act.c changes the
 * network, top_detail.c is what Enter shows.
 */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include "cli/cli.h"

#include <sys/types.h>
#include <wchar.h>

/* What was known of a network at one moment. */
struct sample {
	int error; /* 0, or the negative errno of asking; then there is nothing else */
	double at; /* seconds, of a clock that does not jump */
	json_t *network, *programs, *sockets, *links, *counters, *events;
	json_t *by_key; /* sockets, links and counters again, by the keys below: to find what they were before */
};

enum { SAMPLE_KEY = 256, HOST_NAME = 64 };

/* Ask for everything; of events, those after number since. Never NULL; sample_free() is the caller's. */
struct sample *sample_fetch(const char *network, long long since);
void sample_free(struct sample *sample);
/* The key of a socket; far: that of its other end. Loopback is each host's own. */
void sample_socket_key(const json_t *socket, bool far, char key[SAMPLE_KEY]);
void sample_link_key(const char *from, const char *to, char key[SAMPLE_KEY]);
void sample_counters_key(const char *host, char key[SAMPLE_KEY]);

/* Asks in a thread of its own, so that a daemon that does not answer keeps no key waiting. */
struct fetcher;
struct fetcher *fetcher_new(const char *network);
void fetcher_free(struct fetcher *fetcher);
/* Readable when there is an answer. */
int fetcher_fd(const struct fetcher *fetcher);
void fetcher_ask(struct fetcher *fetcher, long long since);
/* The answer, which is the caller's then; or NULL: not yet. */
struct sample *fetcher_take(struct fetcher *fetcher);

/* Two samples, and what the rows are made of. */
struct moment {
	const struct sample *now, *before; /* before NULL: no rates yet */
	const json_t *events;		   /* the last ones */
	bool unicode;
};

/* How much key of object at sample key has grown, a second; below 0: not known. */
double moment_rate(const struct moment *moment, const char *sample_key, const json_t *object, const char *key);
/* By how much a count went up since the sample before. */
long long moment_grown(const struct moment *moment, const char *sample_key, const json_t *object, const char *key);

enum tone { TONE_PLAIN, TONE_FAINT, TONE_NAME, TONE_GOOD, TONE_WARN, TONE_BAD, TONES };

enum { CELLS_MAX = 20 };

struct cell {
	const char *text; /* ASCII */
	double value;	  /* what numbers are sorted by */
	enum tone tone;
};

struct row {
	char key[SAMPLE_KEY];		       /* the same from sample to sample */
	char host[HOST_NAME], peer[HOST_NAME]; /* whom it is about; peer may be empty */
	char direction[8];		       /* of a link, as host sees it; else "both" */
	char near_end[80], far_end[80];	       /* of a conversation, as berth ss has them */
	bool paused;
	const json_t *entry; /* of an event */
	size_t cells_count;
	struct cell cells[CELLS_MAX];
};

struct rows {
	struct row *items;
	size_t count, room;
	struct text_block *texts;
};

struct column {
	const char *title;
	int least, most; /* of its width */
	int rank;	 /* 0: always shown; else the lower, the sooner when there is room */
	bool number;	 /* to the right; sorted with the largest first */
	bool left;	 /* a number, but not to the right */
	bool end;	 /* "host:port": when it is too long, the port stays */
};

enum view_number { VIEW_HOSTS, VIEW_TALKS, VIEW_LINKS, VIEW_EVENTS, VIEWS };

struct view {
	const char *name, *label;
	const struct column *columns;
	size_t columns_count;
	size_t sort; /* the column at first */
	void (*build)(const struct moment *moment, struct rows *rows);
};

extern const struct view top_view_hosts, top_view_talks, top_view_links, top_view_events;
extern const struct view *const top_views[VIEWS];

/* An empty row at the end. */
struct row *rows_add(struct rows *rows);
void rows_clear(struct rows *rows);
/* The row's next cell. Texts are copied, and made ASCII. */
struct cell *row_text(struct rows *rows, struct row *row, enum tone tone, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A quantity in "1.2k" form; below 0: "-". */
struct cell *row_amount(struct rows *rows, struct row *row, double value);
/* A count; bad when it has just grown. */
struct cell *row_count(struct rows *rows, struct row *row, long long value, long long grown);
/* "999", "1.2k", "45M": at most 4 characters. */
char *amount_text(double value, char *text, size_t size);

/* Keep the rows that have every word of filter somewhere in them, in any case; in the order of column. */
void rows_filter(struct rows *rows, const char *filter);
void rows_sort(struct rows *rows, const struct view *view, size_t column, bool reverse);
enum { LINE_WITHOUT_END = 10000 }; /* nothing is cut short on such a one */
/* How wide each column is on a line of width; 0: it has no room. */
void rows_layout(const struct rows *rows, const struct view *view, int width, int widths[CELLS_MAX]);
/* text as wide as width, for UTF-8 terminals or not, in out (4 bytes a column at most). */
void cell_fit(const char *text, const struct column *column, int width, bool unicode, char *out, size_t size);

/* "web:80", "192.0.2.1:443", "[2001:db8::1]:443": by the name of host unless it is NULL. */
void talk_end_text(const json_t *end, const char *host, char *text, size_t size);

struct batch {
	const struct command *command;
	const char *network, *filter, *sort;
	int view; /* -1: all but events */
	double interval;
	long frames; /* 0: for ever */
};

int batch_run(const struct batch *batch);
/* The column called so, in any case; -1: there is none. */
int view_column(const struct view *view, const char *title);

/* The screen. */

enum prompt_kind { PROMPT_NONE, PROMPT_FILTER, PROMPT_CAPTURE, PROMPT_OVERWRITE, PROMPT_CONDITIONS, PROMPT_PARTITION };

/* A line that is being edited. */
struct line {
	wchar_t text[400];
	size_t length, cursor;
};

void line_set(struct line *line, const char *text);
void line_get(const struct line *line, char *text, size_t size);
enum line_result { LINE_GOES_ON, LINE_DONE, LINE_CANCELLED };
/* Take a key, as get_wch() gave it. */
enum line_result line_key(struct line *line, bool is_function, wint_t key);

struct view_state {
	size_t sort;
	bool reverse;
	size_t selected, first; /* rows; first: the uppermost on the screen */
	char key[SAMPLE_KEY];	/* of the row that is selected */
};

struct top {
	const struct command *command;
	const char *network;
	double interval;
	struct fetcher *fetcher;
	struct sample *now, *before;
	json_t *events; /* the last ones */
	long long last_event;
	int error;    /* why there is no network; 0: there is */
	bool seen;    /* there has been one */
	double asked; /* when */
	bool waiting; /* for an answer */
	bool unicode, colour, quit;
	enum view_number view;
	struct view_state states[VIEWS];
	struct rows rows;
	char filter[200], filter_before[200];
	json_t *marked; /* hosts: {name: true} */
	enum prompt_kind prompt;
	struct line line;
	struct row subject; /* whom the prompt is about */
	char message[300];
	bool message_bad;
	char *detail, detail_title[200]; /* a text instead of the table, or NULL */
	size_t detail_first;
	pid_t capture;
	int capture_fd; /* what it says */
	char capture_file[400];
};

const struct row *top_selected(const struct top *top);
void top_say(struct top *top, bool bad, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Make the rows anew, after a sample or a choice. */
void top_rows_make(struct top *top);

/* False: this terminal can't have one (told where it should be). */
bool screen_open(struct top *top);
void screen_close(void);
void screen_draw(struct top *top);
/* How many rows there is room for. */
size_t screen_rows(void);
/* How many lines the text of the detail has at this width. */
size_t screen_detail_lines(const struct top *top);
void keys_read(struct top *top);

void keys_help(struct top *top);

/* Send what was typed. */
void act_conditions(struct top *top, const char *text);
void act_partition(struct top *top, const char *text);
void act_heal(struct top *top);
void act_pause(struct top *top);
void act_capture(struct top *top, const char *file);
void act_capture_stop(struct top *top);
/* Has it ended by itself? */
void act_capture_look(struct top *top);
void detail_open(struct top *top);
void detail_close(struct top *top);

#endif
