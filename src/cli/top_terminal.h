/* SPDX-License-Identifier: BSD-2-Clause */
/* The terminal below berth top's screen: what it can do, and how it gets back to what it was. */
#ifndef CLI_TOP_TERMINAL_H
#define CLI_TOP_TERMINAL_H

#include <stdbool.h>

/* Can text be placed on it? Not on a file, a pipe, or a terminal as dumb as that. */
bool terminal_places(void);
/* With a screen open: from now on a crash, too, gives the terminal back as terminal_places() found it. */
void terminal_guard(void);

#endif
