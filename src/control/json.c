/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON helpers: json.h. */
#include "control/json.h"

#include "control/http.h"

#include <errno.h>
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
