/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocation through a struct berth_allocator; NULL means malloc. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <berth/types.h>

/* Zeroed memory, or NULL. */
void *memory_new(const struct berth_allocator *allocator, size_t size);
/* Not zeroed. */
void *memory_alloc(const struct berth_allocator *allocator, size_t size);
/* NULL is fine. size is what was asked for. */
void memory_free(const struct berth_allocator *allocator, void *memory, size_t size);
/* Like realloc; on failure NULL, and memory stays. */
void *memory_grow(const struct berth_allocator *allocator, void *memory, size_t old_size, size_t size);

#endif
