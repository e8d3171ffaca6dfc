/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may have a port beside whom: every pair of sockets of all families,
 * addresses, reuse options and states. A stack must say what bind_rules.txt
 * has of Linux; whether the kernel at hand still does is looked at, too.
 */
#include "bind_place.h"
#include "test.h"

#include <stdlib.h>

static int type_of(const char *protocol)
{
	return strcmp(protocol, "tcp") ? SOCK_DGRAM : SOCK_STREAM;
}

static int holding_of(const char *name)
{
	for (int i = 0; i < HOLDINGS; i++)
		if (!strcmp(name, holding_names[i]))
			return i;
	return -1;
}

static bool spec_by_name(const char *name, struct spec *ret_spec)
{
	for (unsigned i = 0; i < SPECS; i++) {
		*ret_spec = spec_of(i);
		if (spec_makes_sense(ret_spec) && !strcmp(name, spec_name(ret_spec)))
			return true;
	}
	return false;
}

struct row {
	char protocol[8], holding[16], first[32], verdicts[ROW_MAX];
	struct spec spec;
	int type, state;
};

/* Call each for every row. Returns how many there are. */
static unsigned rows_each(void (*each)(void *context, const struct row *row), void *context)
{
	FILE *table = fopen(BIND_TABLE, "r");
	char line[512];
	unsigned count = 0;

	while (table && fgets(line, sizeof(line), table)) {
		struct row row;

		if (line[0] == '#')
			continue;
		if (sscanf(line, "%7s %15s %31s %72s", row.protocol, row.holding, row.first, row.verdicts) != 4 ||
		    !spec_by_name(row.first, &row.spec) || (row.state = holding_of(row.holding)) < 0) {
			test_fail(__FILE__, __LINE__, "%s: not a row: %s", BIND_TABLE, line);
			continue;
		}
		row.type = type_of(row.protocol);
		each(context, &row);
		count++;
	}
	if (table)
		fclose(table);
	return count;
}

static void compare(void *context, const struct row *row)
{
	struct place stack = { berth_stack_new(NULL) };
	char verdicts[ROW_MAX];

	row_make(stack, &row->spec, row->type, (enum holding)row->state, verdicts);
	if (strcmp(verdicts, row->verdicts))
		test_fail(__FILE__, __LINE__, "%s %s %s:\n#   stack %s\n#   Linux %s", row->protocol, row->holding,
			  row->first, verdicts, row->verdicts);
	berth_stack_free(stack.stack);
}

TEST(bind_rules, are_those_of_the_table)
{
	CHECK_EQ(rows_each(compare, NULL), 4 * 28 + 28);
}

/* The holder is told by its descriptor, or as one that has none any more. */
static void look_up(void *context, const struct row *row)
{
	struct place stack = { berth_stack_new(NULL) };
	struct holder holder = holder_make(stack, &row->spec, row->type, (enum holding)row->state);
	int fds[4] = { -9, -9, -9, -9 };

	CHECK(holder.fine);
	CHECK_EQ(berth_port_holders(stack.stack, row->type == SOCK_STREAM ? 6 : 17, holder.port, fds, 4), 1);
	CHECK_EQ(fds[0], row->state == HOLDS_TIME_WAIT ? -1 : holder.fd);
	holder_end(stack, &holder);
	if (row->state < HOLDS_ESTABLISHED)
		CHECK_EQ(berth_port_holders(stack.stack, row->type == SOCK_STREAM ? 6 : 17, holder.port, fds, 4), 0);
	berth_stack_free(stack.stack);
}

TEST(bind_rules, in_every_state_the_holder_is_known)
{
	rows_each(look_up, NULL);
}

static void compare_kernel(void *context, const struct row *row)
{
	struct place kernel = { NULL };
	char verdicts[ROW_MAX];
	unsigned *differing = context;

	if (row->state >= HOLDS_ESTABLISHED)
		return; /* thousands of ports in TIME_WAIT are no way to leave a machine */
	/* Other programs of this machine may hold the port that the kernel chose for us: try again. */
	for (int i = 0; i < 5; i++) {
		row_make(kernel, &row->spec, row->type, (enum holding)row->state, verdicts);
		if (!strcmp(verdicts, row->verdicts))
			return;
	}
	(*differing)++;
}

TEST(bind_rules, of_the_kernel_here_are_those_of_the_table)
{
	unsigned differing = 0;
	char reason[80];

	rows_each(compare_kernel, &differing);
	snprintf(reason, sizeof(reason), "this kernel is another, or has no IPv6: %u rows differ", differing);
	if (differing)
		test_skip(reason);
}
