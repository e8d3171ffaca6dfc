/* SPDX-License-Identifier: BSD-2-Clause */
/* Abstract names: name.h. */
#include "control/name.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "berth."

/* Written by hand: every connection has several names, and printf() would be most of what they cost. */
static char *write_hex(char *text, unsigned digits, uint64_t value)
{
	while (digits--)
		*text++ = "0123456789abcdef"[value >> 4 * digits & 0xf];
	return text;
}

static char *write_text(char *text, const char *what, size_t length)
{
	memcpy(text, what, length);
	return text + length;
}

socklen_t name_write(const char key[NAME_KEY_LENGTH], const struct name *name, struct sockaddr_un *ret_address)
{
	static const char *const kinds[] = {
		[NAME_DAEMON] = ".d", [NAME_SOCKET] = ".s", [NAME_FAR] = ".f", [NAME_ACCEPTED] = ".c"
	};
	char *text = ret_address->sun_path + 1;

	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sun_family = AF_UNIX;
	text = write_text(text, PREFIX, strlen(PREFIX));
	text = write_text(text, key, NAME_KEY_LENGTH);
	text = write_text(text, kinds[name->kind], 2);
	if (name->kind != NAME_DAEMON)
		text = write_hex(text, 16, name->id);
	if (name->kind == NAME_SOCKET || name->kind == NAME_ACCEPTED)
		*text++ = '.';
	if (name->kind == NAME_SOCKET) {
		text = write_hex(text, 2, name->domain);
		text = write_hex(text, 2, name->type);
		text = write_hex(text, 2, name->protocol);
	} else if (name->kind == NAME_ACCEPTED) {
		text = write_hex(text, 2, name->family);
		text = write_hex(text, 4, name->port);
		for (size_t i = 0; i < sizeof(name->ip.bytes); i++)
			text = write_hex(text, 2, name->ip.bytes[i]);
	}
	return (socklen_t)(text - (char *)ret_address);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* digits hex digits at *text into *ret_value; *text moves on. */
static bool read_hex(const char **text, unsigned digits, uint64_t *ret_value)
{
	uint64_t value = 0;

	while (digits--) {
		int digit = hex_digit(*(*text)++);
		if (digit < 0)
			return false;
		value = value << 4 | (unsigned)digit;
	}
	*ret_value = value;
	return true;
}

static bool read_socket(const char *text, struct name *name)
{
	uint64_t domain, type, protocol;

	if (!read_hex(&text, 16, &name->id) || *text++ != '.' || !read_hex(&text, 2, &domain) ||
	    !read_hex(&text, 2, &type) || !read_hex(&text, 2, &protocol))
		return false;
	name->kind = NAME_SOCKET;
	name->domain = (uint16_t)domain;
	name->type = (uint16_t)type;
	name->protocol = (uint16_t)protocol;
	return !*text;
}

static bool read_far(const char *text, struct name *name)
{
	name->kind = NAME_FAR;
	return read_hex(&text, 16, &name->id) && !*text;
}

static bool read_accepted(const char *text, struct name *name)
{
	uint64_t family, port, byte;

	if (!read_hex(&text, 16, &name->id) || *text++ != '.' || !read_hex(&text, 2, &family) ||
	    !read_hex(&text, 4, &port))
		return false;
	for (size_t i = 0; i < sizeof(name->ip.bytes); i++) {
		if (!read_hex(&text, 2, &byte))
			return false;
		name->ip.bytes[i] = (uint8_t)byte;
	}
	name->kind = NAME_ACCEPTED;
	name->family = (uint16_t)family;
	name->port = (uint16_t)port;
	return !*text;
}

int name_read(const char key[NAME_KEY_LENGTH], const struct sockaddr_un *address, socklen_t length,
	      struct name *ret_name)
{
	char text[sizeof(address->sun_path) + 1] = "";
	size_t start = offsetof(struct sockaddr_un, sun_path) + 1, prefix = strlen(PREFIX);
	struct name name = { .kind = NAME_DAEMON };
	bool good;

	if (length <= start || length > sizeof(*address) || address->sun_family != AF_UNIX || address->sun_path[0])
		return -EINVAL;
	memcpy(text, address->sun_path + 1, length - start);
	if (strncmp(text, PREFIX, prefix) || strncmp(text + prefix, key, NAME_KEY_LENGTH))
		return -EINVAL;
	const char *rest = text + prefix + NAME_KEY_LENGTH;
	if (!strncmp(rest, ".s", 2))
		good = read_socket(rest + 2, &name);
	else if (!strncmp(rest, ".f", 2))
		good = read_far(rest + 2, &name);
	else if (!strncmp(rest, ".c", 2))
		good = read_accepted(rest + 2, &name);
	else
		good = !strcmp(rest, ".d");
	if (!good)
		return -EINVAL;
	*ret_name = name;
	return 0;
}

bool name_is_alive(int *probe, const struct sockaddr_un *address, socklen_t length)
{
	if (*probe < 0)
		*probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*probe < 0 || bind(*probe, (const struct sockaddr *)address, length) < 0)
		return true; /* who can't be asked about is left alone */
	close(*probe);	     /* which has the name now */
	*probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return false;
}
