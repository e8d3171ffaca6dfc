/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The harness's main. Arguments choose tests by a part of "suite: name";
 * spaces and underscores are the same.
 */
#include "test.h"

#include <stdarg.h>
#include <stdlib.h>

static struct test *first, **last = &first;
static bool failed;
static const char *skipped;

void test_register(struct test *test)
{
	*last = test;
	last = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	failed = true;
	printf("# %s:%d: ", file, line);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

void test_skip(const char *reason)
{
	skipped = reason;
}

bool test_failed(void)
{
	return failed;
}

static void title_of(const struct test *test, char *title, size_t size)
{
	snprintf(title, size, "%s: %s", test->suite, test->name);
	for (char *c = title; *c; c++)
		if (*c == '_')
			*c = ' ';
}

static bool chosen(const char *title, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(title, argv[i]))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	int number = 0, failures = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *test = first; test; test = test->next) {
		char title[256];

		title_of(test, title, sizeof(title));
		if (!chosen(title, argc, argv))
			continue;
		failed = false;
		skipped = NULL;
		test->run();
		failures += failed;
		printf("%sok %d - %s%s%s\n", failed ? "not " : "", ++number, title, skipped ? " # SKIP " : "",
		       skipped ? skipped : "");
	}
	printf("1..%d\n", number);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
