/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the subcommands share. A subcommand is a const struct command in a file
 * of its own; main.c lists them. Options are a table too, read for parsing
 * and for help alike, so that the two can't disagree.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes of everything but a program under `berth run`, which brings its own (run/run.h). */
enum {
	CLI_OK = 0,
	CLI_FAILED = 1,	 /* no such network, or it does not answer; output could not be written */
	CLI_USAGE = 125, /* wrong use; run: Berth's own failure, as Docker has it */
};

struct cli_option {
	int letter;	      /* its short form; above 255: none */
	const char *name;     /* its long form, or NULL */
	const char *argument; /* "NAME"; NULL: it takes none */
	const char *text;     /* one line of help */
};

struct command {
	const char *name;
	const char *usage;		  /* what follows the name */
	const char *summary;		  /* one line */
	const char *details;		  /* paragraphs after the options, or NULL */
	const struct cli_option *options; /* letter 0 ends */
	int (*run)(const struct command *command, int argc, char **argv);
	bool program_follows; /* stop at the first word that is no option */
	bool internal;	      /* not listed */
};

extern const struct command command_capture;
extern const struct command command_config;
extern const struct command command_daemon;
extern const struct command command_doctor;
extern const struct command command_down;
extern const struct command command_events;
extern const struct command command_exec;
extern const struct command command_extcap;
extern const struct command command_flap;
extern const struct command command_heal;
extern const struct command command_help;
extern const struct command command_inspect;
extern const struct command command_kill;
extern const struct command command_link;
extern const struct command command_logs;
extern const struct command command_net;
extern const struct command command_partition;
extern const struct command command_pause;
extern const struct command command_ports;
extern const struct command command_ps;
extern const struct command command_publish;
extern const struct command command_reset_conn;
extern const struct command command_resume;
extern const struct command command_rm;
extern const struct command command_run;
extern const struct command command_scenario;
extern const struct command command_ss;
extern const struct command command_stop;
extern const struct command command_test;
extern const struct command command_top;
extern const struct command command_trace;
extern const struct command command_unpublish;
extern const struct command command_up;
extern const struct command command_version;
extern const struct command command_wait;
extern const struct command command_why;

/* The one table of commands (main.c); NULL ends. */
extern const struct command *const commands[];
const struct command *command_find(const char *name);
/* The known name closest to what was typed, or NULL if nothing is near. */
const char *command_suggest(const char *name);

enum {
	OPTIONS_END = -1,
	OPTIONS_HELP = -2,  /* help was asked for, and given */
	OPTIONS_WRONG = -3, /* told the user */
};

/*
 * The next option's letter, its argument in optarg; or OPTIONS_*. -h and
 * --help are known everywhere. At OPTIONS_END, optind is the first operand.
 */
int options_next(const struct command *command, int argc, char **argv);
/* What an exit code follows from: CLI_OK for OPTIONS_HELP, else CLI_USAGE. */
int options_exit(int result);
/* Say what is wrong with the command line, and where help is. Returns CLI_USAGE. */
int usage_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As usage_error, when operands are left over that the command does not take. Returns CLI_OK if none. */
int usage_no_operands(const struct command *command, int argc, char **argv);
void usage_print(const struct command *command, FILE *out);

/* Whether name may be a network's; tells the user if not. Returns CLI_OK or CLI_USAGE. */
int network_check(const struct command *command, const char *name);
/*
 * GET path from network's control API. Returns 0 and a new reference in
 * *ret_value; or tells the user why not and returns CLI_FAILED.
 */
int api_get(const struct command *command, const char *network, const char *path, json_t **ret_value);
/*
 * GET target, whose body is a JSON value a line (it ends by itself): a new array in *ret_values. Else as api_get().
 */
int api_lines(const struct command *command, const char *network, const char *target, json_t **ret_values);
/* The same without a word: 0 or a negative errno. */
int lines_fetch(const char *network, const char *target, json_t **ret_values);
/* Tell the user why network's daemon did not answer (negative errno). Returns CLI_FAILED. */
int api_failed(const struct command *command, const char *network, int error);
/* PUT body there; when it is refused, the user is told the daemon's reason. Otherwise as api_get(). */
int api_put(const struct command *command, const char *network, const char *path, const json_t *body,
	    json_t **ret_value);
/* Whether network has a host of this name; tells the user if not. Returns CLI_OK or CLI_FAILED. */
int host_check(const struct command *command, const char *network, const char *name);
/* Whether name may be a host's: a DNS label. */
bool name_is_host(const char *name);
/* The control API's path of a host's program, or of verb below it. CLI_FAILED, told: no such name can be. */
int program_path(const struct command *command, const char *name, const char *verb, char *path, size_t size);
/* An answer that goes on. */
struct api_stream {
	int fd;
	size_t ahead_length, taken;
	char ahead[4096];
};
/* GET path as a stream. Tells the user why not, as api_get(). */
int api_stream_open(const struct command *command, const char *network, const char *path, struct api_stream *stream);
/* Read length bytes; less only at its end. */
size_t api_stream_read(struct api_stream *stream, char *bytes, size_t length);
void api_stream_close(struct api_stream *stream);
/* "127.0.0.1:8080->80/tcp, …", or "-". */
void published_list(const json_t *published, char *text, size_t size);
/* The string or number at key, or a harmless default where the daemon left it out. */
const char *api_string(const json_t *object, const char *key);
long long api_number(const json_t *object, const char *key);
/* Print value for --json: indented, keys in the daemon's order. */
void api_print(const json_t *value);

/* The time of an entry of the journal, "14:03:05.123456", in local time; and what happened, in the words for its kind. */
void event_clock(const char *rfc3339, char *text, size_t size);
void event_write(const json_t *entry, FILE *out);

/* What PUT /v1/links takes to cut every host of left ("a,b") from every one of right: a new array. */
json_t *partition_changes(const char *left, const char *right, const char *direction);
/* … to mend everything that is cut in links. */
json_t *heal_changes(const json_t *links);
/* Whether a word begins conditions (or a direction), and so is no host. */
bool link_word(const char *word);

/* PUT body (which this takes) for verb at the program of host name. As api_put(), without the answer. */
int program_put(const struct command *command, const char *network, const char *name, const char *verb, json_t *body);

/* A table whose columns are as wide as they need to be. */
struct table;
struct table *table_new(const char *const *titles, size_t columns);
void table_free(struct table *table);
/* Set the next cell of the current row (copied); the row after the last column. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line below the last full row, not in columns (copied). */
void table_note(struct table *table, const char *text);
/* Print it; the titles in bold on a terminal that wants colour (no-color.org). */
void table_print(const struct table *table, FILE *out);

/* "3 min", "2 h": how long something has lasted, in text. Returns text. */
char *duration_text(long long seconds, char *text, size_t size);
/* Flush stdout and see that everything arrived; returns code, or CLI_FAILED. */
int cli_finish(int code);
/* malloc that ends the program, with a message, when there is no memory. */
void *cli_alloc(size_t size);

#endif
