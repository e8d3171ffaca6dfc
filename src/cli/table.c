/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables on a terminal, and the small things that printing needs. What names
 * and commands a program brings are its own: control characters do not reach
 * the terminal.
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cell {
	struct cell *next;
	bool note; /* a whole line, beside the columns */
	char text[];
};

struct table {
	const char *const *titles;
	size_t columns;
	size_t *widths;
	struct cell *first, **last;
	size_t position; /* of the next cell in its row */
};

void *cli_alloc(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory) {
		fprintf(stderr, "berth: out of memory\n");
		exit(CLI_FAILED);
	}
	return memory;
}

struct table *table_new(const char *const *titles, size_t columns)
{
	struct table *table = cli_alloc(sizeof(*table));

	table->titles = titles;
	table->columns = columns;
	table->widths = cli_alloc(columns * sizeof(*table->widths));
	table->last = &table->first;
	for (size_t i = 0; i < columns; i++)
		table->widths[i] = strlen(titles[i]);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	while (table->first) {
		struct cell *cell = table->first;

		table->first = cell->next;
		free(cell);
	}
	free(table->widths);
	free(table);
}

static struct cell *table_append(struct table *table, const char *text)
{
	size_t length = strlen(text);
	struct cell *cell = cli_alloc(sizeof(*cell) + length + 1);

	for (size_t i = 0; i < length; i++)
		cell->text[i] =
			(unsigned char)text[i] < ' ' || text[i] == 0x7f ? (text[i] == '\t' ? '\t' : '?') : text[i];
	*table->last = cell;
	table->last = &cell->next;
	return cell;
}

void table_cell(struct table *table, const char *format, ...)
{
	char text[512];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	table_append(table, text);
	length = strlen(text);
	if (length > table->widths[table->position])
		table->widths[table->position] = length;
	table->position = table->position + 1 < table->columns ? table->position + 1 : 0;
}

void table_note(struct table *table, const char *text)
{
	table_append(table, text)->note = true;
}

static bool wants_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(fileno(out)) && !(no && *no) && terminal && strcmp(terminal, "dumb");
}

static void cell_print(const struct table *table, size_t column, const char *text, FILE *out)
{
	if (column + 1 == table->columns)
		fprintf(out, "%s\n", text); /* the last one has nothing to line up: no blanks at a line's end */
	else
		fprintf(out, "%-*s  ", (int)table->widths[column], text);
}

void table_print(const struct table *table, FILE *out)
{
	bool colour = wants_colour(out);
	size_t column = 0;

	if (colour)
		fputs("\033[1m", out);
	for (size_t i = 0; i < table->columns; i++)
		cell_print(table, i, table->titles[i], out);
	if (colour)
		fputs("\033[0m", out);
	for (const struct cell *cell = table->first; cell; cell = cell->next) {
		if (cell->note) {
			fprintf(out, "%s\n", cell->text);
			continue;
		}
		cell_print(table, column, cell->text, out);
		column = column + 1 < table->columns ? column + 1 : 0;
	}
}

char *duration_text(long long seconds, char *text, size_t size)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 120)
		snprintf(text, size, "%lld s", seconds);
	else if (seconds < 7200)
		snprintf(text, size, "%lld min", seconds / 60);
	else if (seconds < 172800)
		snprintf(text, size, "%lld h", seconds / 3600);
	else
		snprintf(text, size, "%lld days", seconds / 86400);
	return text;
}

int cli_finish(int code)
{
	if (fflush(stdout) || ferror(stdout)) {
		perror("berth: standard output");
		return CLI_FAILED;
	}
	return code;
}
