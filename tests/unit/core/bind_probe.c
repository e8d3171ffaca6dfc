/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Write bind_rules.txt as this kernel has it. In a network namespace of its
 * own, or other programs' ports get in between:
 *
 *	unshare -n sh -c 'ip link set lo up; build/tests/unit/core/bind_probe' >tests/unit/core/bind_rules.txt
 */
#include "bind_place.h"

#include <stdio.h>
#include <sys/utsname.h>

/* A port that the kernel chose may have another TIME_WAIT of ours at it. It can only say no more often. */
static void merge(char row[ROW_MAX], const struct spec *first, int type)
{
	char another[ROW_MAX];

	row_make((struct place){ NULL }, first, type, HOLDS_TIME_WAIT, another);
	for (size_t i = 0; row[i]; i++)
		if (another[i] == '.')
			row[i] = '.';
}

static void print_rows(const char *protocol, int type, int holdings)
{
	struct place kernel = { NULL };

	for (int holding = 0; holding < holdings; holding++) {
		for (unsigned i = 0; i < SPECS; i++) {
			struct spec first = spec_of(i);
			char row[ROW_MAX];

			if (!spec_makes_sense(&first))
				continue;
			row_make(kernel, &first, type, (enum holding)holding, row);
			for (int again = 0; holding == HOLDS_TIME_WAIT && again < 4; again++)
				merge(row, &first, type);
			printf("%s %s %s %s\n", protocol, holding_names[holding], spec_name(&first), row);
		}
	}
}

int main(void)
{
	struct utsname name;

	uname(&name);
	printf("# Who may have a port beside whom, as Linux %s said. Written by bind_probe.\n", name.release);
	printf("# A row: protocol, the state of who has the port, and its socket: family/address/SO_REUSEADDR/\n"
	       "# SO_REUSEPORT. Then the verdicts on others that want it: \".\" yes, \"U\" EADDRINUSE. These are, in\n"
	       "# order (TCP: bind() and bind() with listen() for each):\n#");
	for (unsigned i = 0; i < SPECS; i++) {
		struct spec second = spec_of(i);

		if (spec_makes_sense(&second))
			printf("%s%s", i % 4 == 0 ? "\n#   " : " ", spec_name(&second));
	}
	puts("");
	print_rows("tcp", SOCK_STREAM, HOLDINGS);
	print_rows("udp", SOCK_DGRAM, 1);
	return 0;
}
