/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of berth top: made, filtered, sorted, and fitted to a line. */
#include "cli/top.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BLOCK_SIZE = 65536, TEXT_MAX = 512 };

/* The texts of cells, one behind the other. */
struct text_block {
	struct text_block *next;
	size_t used;
	char bytes[BLOCK_SIZE];
};

const struct view *const top_views[VIEWS] = { &top_view_hosts, &top_view_talks, &top_view_links, &top_view_events };

struct row *rows_add(struct rows *rows)
{
	if (rows->count == rows->room) {
		size_t room = rows->room ? rows->room * 2 : 64;
		struct row *grown = cli_alloc(room * sizeof(*grown));

		if (rows->count)
			memcpy(grown, rows->items, rows->count * sizeof(*grown));
		free(rows->items);
		rows->items = grown;
		rows->room = room;
	}
	rows->items[rows->count] = (struct row){ .direction = "both" };
	return &rows->items[rows->count++];
}

void rows_clear(struct rows *rows)
{
	while (rows->texts) {
		struct text_block *block = rows->texts;

		rows->texts = block->next;
		free(block);
	}
	free(rows->items);
	*rows = (struct rows){ NULL };
}

static const char *keep(struct rows *rows, const char *text)
{
	size_t size = strlen(text) + 1;
	struct text_block *block = rows->texts;
	char *copy;

	if (!block || BLOCK_SIZE - block->used < size) {
		block = cli_alloc(sizeof(*block));
		block->next = rows->texts;
		rows->texts = block;
	}
	copy = block->bytes + block->used;
	block->used += size;
	for (size_t i = 0; i < size; i++)
		copy[i] = text[i] && (text[i] < ' ' || text[i] > '~') ? '?' : text[i];
	return copy;
}

static struct cell *add_cell(struct rows *rows, struct row *row, enum tone tone, const char *text, double value)
{
	struct cell *cell = &row->cells[row->cells_count];

	if (row->cells_count + 1 < CELLS_MAX)
		row->cells_count++;
	*cell = (struct cell){ .text = keep(rows, text), .value = value, .tone = tone };
	return cell;
}

struct cell *row_text(struct rows *rows, struct row *row, enum tone tone, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return add_cell(rows, row, tone, text, 0);
}

char *amount_text(double value, char *text, size_t size)
{
	static const char units[] = "kMGTPE";
	size_t unit = 0;

	if (value < 0) {
		snprintf(text, size, "-");
	} else if (value < 999.5) {
		snprintf(text, size, "%.0f", value);
	} else {
		for (value /= 1000; value >= 999.5 && unit < sizeof(units) - 2; unit++)
			value /= 1000;
		snprintf(text, size, "%.*f%c", value < 9.95 ? 1 : 0, value, units[unit]);
	}
	return text;
}

struct cell *row_amount(struct rows *rows, struct row *row, double value)
{
	char text[24];

	return add_cell(rows, row, value > 0 ? TONE_PLAIN : TONE_FAINT, amount_text(value, text, sizeof(text)), value);
}

struct cell *row_count(struct rows *rows, struct row *row, long long value, long long grown)
{
	struct cell *cell = row_amount(rows, row, (double)value);

	if (grown > 0)
		cell->tone = TONE_BAD;
	return cell;
}

static bool has_word(const struct row *row, const char *word)
{
	for (size_t i = 0; i < row->cells_count; i++)
		if (strcasestr(row->cells[i].text, word))
			return true;
	return false;
}

static bool fits(const struct row *row, const char *filter)
{
	char words[200], *rest;

	snprintf(words, sizeof(words), "%s", filter);
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (!has_word(row, word))
			return false;
	return true;
}

void rows_filter(struct rows *rows, const char *filter)
{
	size_t kept = 0;

	if (!*filter)
		return;
	for (size_t i = 0; i < rows->count; i++)
		if (fits(&rows->items[i], filter))
			rows->items[kept++] = rows->items[i];
	rows->count = kept;
}

struct order {
	size_t column;
	bool number, reverse;
};

static int compare(const void *left, const void *right, void *context)
{
	const struct row *a = left, *b = right;
	const struct order *order = context;
	const struct cell *x = &a->cells[order->column], *y = &b->cells[order->column];
	int r;

	if (order->number)
		r = (y->value > x->value) - (y->value < x->value); /* the largest first */
	else
		r = strverscmp(x->text, y->text); /* web2 before web10 */
	if (order->reverse)
		r = -r;
	return r ? r : strverscmp(a->key, b->key);
}

void rows_sort(struct rows *rows, const struct view *view, size_t column, bool reverse)
{
	struct order order = { .column = column, .number = view->columns[column].number, .reverse = reverse };

	if (rows->count > 1)
		qsort_r(rows->items, rows->count, sizeof(*rows->items), compare, &order);
}

int view_column(const struct view *view, const char *title)
{
	for (size_t i = 0; i < view->columns_count; i++)
		if (!strcasecmp(view->columns[i].title, title))
			return (int)i;
	return -1;
}

/* As wide as what is in it, within its bounds. */
static int natural_width(const struct rows *rows, const struct column *column, size_t at, bool whole)
{
	int width = (int)strlen(column->title);

	for (size_t i = 0; i < rows->count; i++) {
		int length = (int)strlen(rows->items[i].cells[at].text);

		width = length > width ? length : width;
	}
	if (width < column->least)
		width = column->least;
	return !whole && column->most && width > column->most ? column->most : width;
}

/* Which columns there is room for at their least width: those of rank 0, then the others in turn. Returns what is left. */
static int choose(const struct view *view, int width, int widths[CELLS_MAX])
{
	int left = width + 1; /* the last has no gap behind it */

	memset(widths, 0, CELLS_MAX * sizeof(*widths));
	for (int rank = 0; rank < CELLS_MAX; rank++)
		for (size_t i = 0; i < view->columns_count; i++) {
			const struct column *column = &view->columns[i];

			if (column->rank != rank || left < column->least + 1)
				continue;
			widths[i] = column->least;
			left -= column->least + 1;
		}
	return left;
}

void rows_layout(const struct rows *rows, const struct view *view, int width, int widths[CELLS_MAX])
{
	int wanted[CELLS_MAX] = { 0 }, left = choose(view, width, widths);
	bool grown = true;

	for (size_t i = 0; i < view->columns_count; i++)
		wanted[i] = natural_width(rows, &view->columns[i], i, width >= LINE_WITHOUT_END);
	while (left > 0 && grown) { /* a character for each that wants more, until nobody does */
		grown = false;
		for (size_t i = 0; i < view->columns_count && left > 0; i++) {
			if (!widths[i] || widths[i] >= wanted[i])
				continue;
			widths[i]++;
			left--;
			grown = true;
		}
	}
	/* Room for a second blank between columns? It reads better. */
	for (size_t i = 0, shown = view->columns_count; i < view->columns_count && left >= (int)shown; i++)
		if (widths[i] && i + 1 < view->columns_count) {
			widths[i]++;
			left--;
		}
}

static void cut_end(const char *text, int width, const char *sign, char *out, size_t size)
{
	const char *colon = strrchr(text, ':');
	int tail = colon ? (int)strlen(colon) : 0;

	if (tail + 2 > width)
		tail = 0;
	snprintf(out, size, "%.*s%s%s", width - tail - 1, text, sign, tail ? colon : "");
}

void cell_fit(const char *text, const struct column *column, int width, bool unicode, char *out, size_t size)
{
	const char *sign = unicode ? "…" : "~";

	if ((int)strlen(text) <= width)
		snprintf(out, size, column->number && !column->left ? "%*s" : "%-*s", width, text);
	else if (column->end)
		cut_end(text, width, sign, out, size);
	else
		snprintf(out, size, "%.*s%s", width - 1, text, sign);
}
