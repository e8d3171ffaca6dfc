/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings that many hold in common: a block is shared until somebody changes
 * his own, and those who make the same changes come to share again. A block
 * begins with its count of holders and is written only between share_own() and
 * share_settle().
 */
#ifndef BASE_SHARE_H
#define BASE_SHARE_H

#include <berth/types.h>

#define SHARE_RECENT 4

struct share {
	const struct berth_allocator *allocator;
	size_t size;
	unsigned *standard;		/* what everybody begins with */
	unsigned *recent[SHARE_RECENT]; /* what was settled on of late; NULL: none */
	unsigned next;
};

/* Blocks of size bytes. The standard one, all zero, is for the caller to fill in; NULL: no memory. */
void *share_init(struct share *share, const struct berth_allocator *allocator, size_t size);
/* Every holder is gone, or goes without share_unref(). */
void share_fini(struct share *share);
/* Hold block (NULL: the standard one) as well. */
void *share_ref(struct share *share, void *block);
/* NULL is fine. */
void share_unref(struct share *share, void *block);
/* block, which the caller holds, or in its place a copy that nobody else holds. NULL: no memory, and all is as it was. */
void *share_own(struct share *share, void *block);
/* Changes to block, which is the caller's own, are over: what to hold in its place, an equal one if others have that. */
void *share_settle(struct share *share, void *block);

#endif
