/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Its own file, since term.h makes common words into macros. In a signal
 * handler curses may not be called: what it would write is prepared before.
 */
#include "cli/top_terminal.h"

#include <curses.h>
#include <signal.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

static char restoring[256];
static size_t restoring_length;
static struct termios as_it_was;

bool terminal_places(void)
{
	int error;
	const char *place;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || setupterm(NULL, STDOUT_FILENO, &error) != OK)
		return false;
	place = tigetstr("cup");
	if (place == (const char *)-1)
		place = NULL;
	del_curterm(cur_term); /* curses makes its own */
	tcgetattr(STDIN_FILENO, &as_it_was);
	return place != NULL;
}

static int keep(int byte)
{
	if (restoring_length < sizeof(restoring))
		restoring[restoring_length++] = (char)byte;
	return byte;
}

static void on_crash(int number)
{
	ssize_t n = write(STDOUT_FILENO, restoring, restoring_length);

	(void)n;
	tcsetattr(STDIN_FILENO, TCSANOW, &as_it_was);
	raise(number); /* SA_RESETHAND: this time it ends us */
}

void terminal_guard(void)
{
	static const char *const endings[] = { "sgr0", "rmkx", "cnorm", "rmcup" };
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	struct sigaction action = { .sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND };

	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		const char *text = tigetstr(endings[i]);

		if (text && text != (const char *)-1)
			tputs(text, 1, keep);
	}
	for (size_t i = 0; i < sizeof(crashes) / sizeof(*crashes); i++)
		sigaction(crashes[i], &action, NULL);
}
