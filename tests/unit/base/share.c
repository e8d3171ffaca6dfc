/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/share.h"
#include "test.h"

struct settings {
	unsigned holders;
	int a, b;
};

static struct share share;

static struct settings *given_two_holders(void)
{
	struct settings *standard = share_init(&share, NULL, sizeof(*standard));

	standard->a = 1;
	share_ref(&share, NULL);
	return share_ref(&share, NULL);
}

static struct settings *change(struct settings *block, int b)
{
	block = share_own(&share, block);
	block->b = b;
	return share_settle(&share, block);
}

TEST(share, who_changes_his_own_changes_nobody_elses)
{
	struct settings *one = given_two_holders(), *other = one;

	one = change(one, 7);
	CHECK(one != other);
	CHECK_EQ(one->a, 1);
	CHECK_EQ(one->b, 7);
	CHECK_EQ(other->b, 0);
	share_unref(&share, one);
	share_unref(&share, other);
	share_fini(&share);
}

TEST(share, equal_changes_are_shared_again)
{
	struct settings *one = given_two_holders(), *other = one;

	one = change(one, 7);
	other = change(other, 7);
	CHECK(one == other);
	one = change(one, 8);
	CHECK_EQ(other->b, 7);
	one = change(one, 0);
	CHECK(one == share_ref(&share, NULL)); /* the standard again */
	share_unref(&share, one);
	share_unref(&share, one);
	share_unref(&share, other);
	share_fini(&share);
}

TEST(share, what_was_settled_on_long_ago_is_given_back_with_its_holder)
{
	struct settings *one = given_two_holders(), *other = one;

	for (int i = 1; i <= 100; i++) /* sanitizers and valgrind count what is left */
		one = change(one, i);
	CHECK_EQ(one->b, 100);
	share_unref(&share, one);
	share_unref(&share, other);
	share_fini(&share);
}
