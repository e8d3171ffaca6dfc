/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/memory.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

#define SMALL 1024u /* what malloc() has at hand, and calloc() of glibc before 2.41 does not take from there */

void *memory_alloc(const struct berth_allocator *allocator, size_t size)
{
	return allocator ? allocator->alloc(allocator->context, size) : malloc(size);
}

void *memory_new(const struct berth_allocator *allocator, size_t size)
{
	void *memory;

	if (!allocator && size > SMALL)
		return calloc(1, size);
	memory = memory_alloc(allocator, size);
	if (memory)
		memset(memory, 0, size);
	return memory;
}

void memory_free(const struct berth_allocator *allocator, void *memory, size_t size)
{
	if (!memory)
		return;
	if (allocator)
		allocator->free(allocator->context, memory, size);
	else
		free(memory);
}

void *memory_grow(const struct berth_allocator *allocator, void *memory, size_t old_size, size_t size)
{
	void *grown;

	if (!allocator)
		return realloc(memory, size);
	grown = allocator->alloc(allocator->context, size);
	if (!grown)
		return NULL;
	if (memory)
		memcpy(grown, memory, MIN(old_size, size));
	memory_free(allocator, memory, old_size);
	return grown;
}
