/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of text that is typed into berth top, with the keys that a shell's has. */
#include "cli/top.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

enum { LINE_MAX_LENGTH = sizeof(((struct line *)0)->text) / sizeof(wchar_t) - 1 };

void line_set(struct line *line, const char *text)
{
	size_t length = mbstowcs(line->text, text, LINE_MAX_LENGTH);

	line->length = length == (size_t)-1 ? 0 : length;
	line->cursor = line->length;
	line->text[line->length] = 0;
}

void line_get(const struct line *line, char *text, size_t size)
{
	size_t length = wcstombs(text, line->text, size - 1);

	text[length == (size_t)-1 ? 0 : length] = 0;
}

static void take_out(struct line *line, size_t from, size_t to)
{
	wmemmove(line->text + from, line->text + to, line->length - to + 1);
	line->length -= to - from;
	line->cursor = from;
}

static void put_in(struct line *line, wchar_t letter)
{
	if (line->length == LINE_MAX_LENGTH || !iswprint((wint_t)letter))
		return;
	wmemmove(line->text + line->cursor + 1, line->text + line->cursor, line->length - line->cursor + 1);
	line->text[line->cursor++] = letter;
	line->length++;
}

static size_t word_before(const struct line *line)
{
	size_t at = line->cursor;

	while (at && line->text[at - 1] == ' ')
		at--;
	while (at && line->text[at - 1] != ' ')
		at--;
	return at;
}

static enum line_result function_key(struct line *line, wint_t key)
{
	if (key == KEY_ENTER)
		return LINE_DONE;
	if (key == KEY_LEFT && line->cursor)
		line->cursor--;
	else if (key == KEY_RIGHT && line->cursor < line->length)
		line->cursor++;
	else if (key == KEY_HOME)
		line->cursor = 0;
	else if (key == KEY_END)
		line->cursor = line->length;
	else if (key == KEY_BACKSPACE && line->cursor)
		take_out(line, line->cursor - 1, line->cursor);
	else if (key == KEY_DC && line->cursor < line->length)
		take_out(line, line->cursor, line->cursor + 1);
	return LINE_GOES_ON;
}

enum {
	CTRL_A = 1,
	CTRL_E = 5,
	CTRL_G = 7,
	CTRL_H = 8,
	CTRL_K = 11,
	CTRL_U = 21,
	CTRL_W = 23,
	ESCAPE = 27,
	DELETE = 127
};

enum line_result line_key(struct line *line, bool is_function, wint_t key)
{
	if (is_function)
		return function_key(line, key);
	switch (key) {
	case '\r':
	case '\n':
		return LINE_DONE;
	case ESCAPE:
	case CTRL_G:
		return LINE_CANCELLED;
	case CTRL_H:
	case DELETE:
		return function_key(line, KEY_BACKSPACE);
	case CTRL_A:
		return function_key(line, KEY_HOME);
	case CTRL_E:
		return function_key(line, KEY_END);
	case CTRL_K:
		line->text[line->length = line->cursor] = 0;
		break;
	case CTRL_U:
		take_out(line, 0, line->cursor);
		break;
	case CTRL_W:
		take_out(line, word_before(line), line->cursor);
		break;
	default:
		put_in(line, (wchar_t)key);
	}
	return LINE_GOES_ON;
}
