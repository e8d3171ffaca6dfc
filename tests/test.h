/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small test harness. TEST(suite, what_is_true) { CHECK(...); } registers
 * itself; the program prints TAP (testanything.org), which prove and meson
 * read. A failed CHECK marks the test and goes on; REQUIRE leaves the test.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct test {
	const char *suite, *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *test);
/* Mark the running test failed; message is printf-like. */
void test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Mark the running test skipped, with a reason. */
void test_skip(const char *reason);
bool test_failed(void); /* the running one, so far */

#define TEST(suite_, name_) \
	static void test_##suite_##_##name_(void); \
	__attribute__((constructor)) static void register_##suite_##_##name_(void) \
	{ \
		static struct test test = { #suite_, #name_, test_##suite_##_##name_, NULL }; \
		test_register(&test); \
	} \
	static void test_##suite_##_##name_(void)

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			test_fail(__FILE__, __LINE__, "%s", #condition); \
	} while (0)
#define REQUIRE(condition) \
	do { \
		if (!(condition)) { \
			test_fail(__FILE__, __LINE__, "%s", #condition); \
			return; \
		} \
	} while (0)
#define CHECK_EQ(actual, expected) \
	do { \
		int64_t actual_ = (int64_t)(actual), expected_ = (int64_t)(expected); \
		if (actual_ != expected_) \
			test_fail(__FILE__, __LINE__, "%s is %" PRId64 ", not %s (%" PRId64 ")", #actual, actual_, \
				  #expected, expected_); \
	} while (0)
#define CHECK_STR(actual, expected) \
	do { \
		const char *actual_ = (actual), *expected_ = (expected); \
		if (!actual_ || strcmp(actual_, expected_)) \
			test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #actual, \
				  actual_ ? actual_ : "(null)", expected_); \
	} while (0)
#define CHECK_BYTES(actual, expected, length) \
	do { \
		if (memcmp(actual, expected, length)) \
			test_fail(__FILE__, __LINE__, "%s differs from %s", #actual, #expected); \
	} while (0)

#endif
