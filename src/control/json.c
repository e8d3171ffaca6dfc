/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON helpers: json.h. */
#include "control/json.h"

#include "control/http.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

const char *json_get_text(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : otherwise;
}

long long json_get_number(const json_t *object, const char *key, long long otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

int json_get_flag(const json_t *object, const char *key, int otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/*
 * Jansson's parser asserts that there is memory for a word that grows. A daemon
 * has some for that put by: it is used when there is no other, and is whole
 * again when all that was in it is given back.
 */
static struct {
	_Alignas(max_align_t) uint8_t bytes[256 << 10];
	size_t used, live;
} reserve;

static void *reserve_alloc(size_t size)
{
	size_t room = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	void *memory = malloc(size);

	if (memory || room > sizeof(reserve.bytes) - reserve.used)
		return memory;
	memory = reserve.bytes + reserve.used;
	reserve.used += room;
	reserve.live++;
	return memory;
}

static void reserve_free(void *memory)
{
	uintptr_t at = (uintptr_t)memory - (uintptr_t)reserve.bytes;

	if (at >= sizeof(reserve.bytes)) {
		free(memory);
		return;
	}
	if (!--reserve.live)
		reserve.used = 0;
}

json_t *json_parse(const char *text, size_t length)
{
	json_t *value;

	json_set_alloc_funcs(reserve_alloc, reserve_free);
	value = json_loadb(text, length, 0, NULL);
	json_set_alloc_funcs(malloc, reserve_free); /* others free() what json_dumps() gives them */
	return value;
}

int json_fetch(const char *network, const char *target, json_t **ret_value)
{
	char *body;
	size_t length;
	int r = http_get(network, target, &body, &length);

	if (r < 0)
		return r;
	json_t *value = r == 200 ? json_loadb(body, length, 0, NULL) : NULL;
	free(body);
	if (!value)
		return r == 403 ? -EACCES : -EPROTO;
	*ret_value = value;
	return 0;
}

int json_put(const char *network, const char *target, const json_t *value, json_t **ret_value)
{
	char *content = json_dumps(value, JSON_COMPACT), *body;
	size_t length;
	int r = content ? http_put(network, target, content, &body, &length) : -ENOMEM;

	free(content);
	if (r < 0)
		return r;
	*ret_value = json_loadb(body, length, 0, NULL);
	free(body);
	return *ret_value ? r : -EPROTO;
}
