/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Circular doubly linked lists, nodes inside the things they link. A node that
 * is in no list points to itself; list_remove() of such a node does nothing.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}
static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}
static inline void list_append(struct list *list, struct list *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}
static inline void list_prepend(struct list *list, struct list *node)
{
	list_append(list->next, node);
}
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define LIST_ITEM(node, type, member) CONTAINER_OF(node, type, member)
#define LIST_FIRST(list, type, member) (list_empty(list) ? NULL : LIST_ITEM((list)->next, type, member))
/* The parameter is not called list: that would replace the struct's tag as well. */
#define LIST_EACH(head, node) for (struct list *node = (head)->next; node != (head); node = node->next)
/* The body may remove node. */
#define LIST_EACH_SAFE(head, node) \
	for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
	     node = node##_next, node##_next = node->next)

#endif
