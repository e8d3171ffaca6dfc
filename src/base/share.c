/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/share.h"

#include "base/memory.h"

#include <string.h>

void *share_init(struct share *share, const struct berth_allocator *allocator, size_t size)
{
	*share = (struct share){ .allocator = allocator, .size = size };
	share->standard = memory_new(allocator, size);
	if (share->standard)
		*share->standard = 1;
	return share->standard;
}

void share_fini(struct share *share)
{
	for (size_t i = 0; i < SHARE_RECENT; i++)
		share_unref(share, share->recent[i]);
	share_unref(share, share->standard);
	*share = (struct share){ .size = 0 };
}

void *share_ref(struct share *share, void *block)
{
	unsigned *holders = block ? block : share->standard;

	++*holders;
	return holders;
}

void share_unref(struct share *share, void *block)
{
	unsigned *holders = block;

	if (holders && --*holders == 0)
		memory_free(share->allocator, holders, share->size);
}

void *share_own(struct share *share, void *block)
{
	unsigned *copy, *holders = block;

	if (*holders == 1)
		return block;
	copy = memory_alloc(share->allocator, share->size);
	if (!copy)
		return NULL;
	memcpy(copy, block, share->size); /* padding and all: share_settle() compares bytes */
	*copy = 1;
	--*holders;
	return copy;
}

static bool equal(const struct share *share, const unsigned *a, const unsigned *b)
{
	return memcmp(a + 1, b + 1, share->size - sizeof(*a)) == 0;
}

static unsigned *find_equal(const struct share *share, const unsigned *block)
{
	if (equal(share, share->standard, block))
		return share->standard;
	for (size_t i = 0; i < SHARE_RECENT; i++)
		if (share->recent[i] && equal(share, share->recent[i], block))
			return share->recent[i];
	return NULL;
}

void *share_settle(struct share *share, void *block)
{
	unsigned *found = find_equal(share, block);

	if (found) {
		share_ref(share, found);
		share_unref(share, block);
		return found;
	}
	share_unref(share, share->recent[share->next]);
	share->recent[share->next] = share_ref(share, block);
	share->next = (share->next + 1) % SHARE_RECENT;
	return block;
}
