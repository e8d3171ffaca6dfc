/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of a stack's local sockets: a keyed hash that is there only while
 * there are names. unix(7): a pathname ends with its first zero byte, an
 * abstract name begins with one and is all the bytes that were given.
 *
 * Differs: a pathname is its bytes, no directories, links or permissions stand
 * behind it; "a" and "./a" are two names.
 */
#include "core/local/local.h"

#include <errno.h>

#define PATH_AT offsetof(struct sockaddr_un, sun_path)
#define PATH_MAX_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)
#define AUTOBIND_NAMES (1u << 20) /* five hexadecimal digits. unix(7): Autobind */

struct local_names {
	struct list *chains;
	size_t size, count; /* size is a power of two */
};

struct local_name *local_name_ref(struct local_name *name)
{
	if (name)
		name->refs++;
	return name;
}

void local_name_unref(struct berth_stack *stack, struct local_name *name)
{
	if (name && !--name->refs)
		stack_free(stack, name, sizeof(*name) + name->length);
}

void local_names_fini(struct berth_stack *stack)
{
	struct local_names *names = stack->local_names;

	if (!names)
		return;
	for (size_t i = 0; i < names->size; i++)
		LIST_EACH_SAFE(&names->chains[i], node) {
			list_remove(node);
			local_name_unref(stack, LIST_ITEM(node, struct local_name, node));
		}
	stack_free(stack, names->chains, names->size * sizeof(*names->chains));
	stack_free(stack, names, sizeof(*names));
	stack->local_names = NULL;
}

static struct list *chain_of(struct local_names *names, uint64_t hash)
{
	return &names->chains[hash & (names->size - 1)];
}

static struct local_name *find(struct berth_stack *stack, int type, const char *path, size_t length)
{
	struct local_names *names = stack->local_names;
	uint64_t hash = hash_bytes(stack->hash_key, path, length);

	if (!names)
		return NULL;
	LIST_EACH(chain_of(names, hash), node) {
		struct local_name *name = LIST_ITEM(node, struct local_name, node);

		if (name->hash == hash && name->length == length && (path[0] || name->type == type) &&
		    !memcmp(name->path, path, length))
			return name;
	}
	return NULL;
}

/* Twice the chains, or the first. 0 or -ENOMEM. */
static int grow(struct berth_stack *stack)
{
	struct local_names *names = stack->local_names;
	struct local_names next = { .size = names ? names->size * 2 : 16, .count = names ? names->count : 0 };

	if (!names)
		names = stack_alloc(stack, sizeof(*names));
	next.chains = names ? stack_alloc(stack, next.size * sizeof(*next.chains)) : NULL;
	if (!next.chains) {
		if (!stack->local_names)
			stack_free(stack, names, sizeof(*names));
		return -ENOMEM;
	}
	for (size_t i = 0; i < next.size; i++)
		list_init(&next.chains[i]);
	for (size_t i = 0; i < names->size; i++)
		LIST_EACH_SAFE(&names->chains[i], node) {
			list_remove(node);
			list_append(chain_of(&next, LIST_ITEM(node, struct local_name, node)->hash), node);
		}
	stack_free(stack, names->chains, names->size * sizeof(*names->chains));
	*names = next;
	stack->local_names = names;
	return 0;
}

/* Out of the table. The last one takes the table with it. */
static void forget(struct berth_stack *stack, struct local_name *name)
{
	list_remove(&name->node);
	if (!--stack->local_names->count)
		local_names_fini(stack);
	local_name_unref(stack, name);
}

/* Enter path, which is not there, for local. 0, -ENOSPC (the limit) or -ENOMEM. */
static int enter(struct local_socket *local, const char *path, size_t length)
{
	struct berth_stack *stack = local_socket_of(local)->stack;
	struct local_names *names = stack->local_names;
	struct local_name *name;

	if (names && names->count >= stack->limits.sockets)
		return -ENOSPC;
	if ((!names || names->count >= names->size) && grow(stack) < 0 && !stack->local_names)
		return -ENOMEM;
	names = stack->local_names;
	name = stack_alloc(stack, sizeof(*name) + length);
	if (!name) {
		if (!names->count)
			local_names_fini(stack);
		return -ENOMEM;
	}
	memcpy(name->path, path, length);
	name->length = (uint8_t)length;
	name->type = (uint8_t)local_socket_of(local)->protocol->type;
	name->hash = hash_bytes(stack->hash_key, path, length);
	name->holder = local;
	name->refs = 2; /* the table's and the socket's */
	list_append(chain_of(names, name->hash), &name->node);
	names->count++;
	local->name = name;
	return 0;
}

/* The name in address: its bytes and how many. Linux: unix_validate_addr(), unix_mkname_bsd(). */
static int name_from(const struct sockaddr *address, socklen_t length, char path[PATH_MAX_BYTES + 1],
		     size_t *ret_length)
{
	sa_family_t family;

	if (!address || length <= PATH_AT || length > sizeof(struct sockaddr_un))
		return -EINVAL;
	memcpy(&family, address, sizeof(family));
	if (family != AF_UNIX)
		return -EINVAL;
	*ret_length = length - PATH_AT;
	memcpy(path, (const char *)address + PATH_AT, *ret_length);
	if (path[0]) {
		path[*ret_length] = 0;
		*ret_length = strlen(path) + 1;
	}
	return 0;
}

int local_find(struct berth_stack *stack, int type, const struct sockaddr *address, socklen_t length,
	       struct local_socket **ret_holder)
{
	char path[PATH_MAX_BYTES + 1];
	struct local_name *name;
	size_t size;
	int r = name_from(address, length, path, &size);

	if (r < 0)
		return r;
	name = find(stack, type, path, size);
	if (!name)
		return path[0] ? -ENOENT : -ECONNREFUSED;
	if (!name->holder)
		return -ECONNREFUSED;
	*ret_holder = name->holder;
	return 0;
}

/* Linux: unix_autobind(). */
static int autobind(struct local_socket *local)
{
	static const char digits[] = "0123456789abcdef";
	struct berth_stack *stack = local_socket_of(local)->stack;
	uint32_t number = (uint32_t)random_u64(&stack->random);
	int type = local_socket_of(local)->protocol->type;
	char path[6] = "";

	for (uint32_t tries = 0; tries < AUTOBIND_NAMES; tries++, number++) {
		for (int i = 0; i < 5; i++)
			path[1 + i] = digits[number >> (16 - 4 * i) & 15];
		if (!find(stack, type, path, sizeof(path)))
			return enter(local, path, sizeof(path));
	}
	return -ENOSPC;
}

int local_bind(struct berth_socket *socket, const struct sockaddr *address, socklen_t length)
{
	struct local_socket *local = local_of(socket);
	char path[PATH_MAX_BYTES + 1];
	bool automatic = address && length == PATH_AT && address->sa_family == AF_UNIX;
	size_t size = 0;
	int r = automatic ? 0 : name_from(address, length, path, &size);

	if (r < 0)
		return r;
	if (automatic && local->name)
		return 0;
	if (!automatic && path[0] && find(socket->stack, socket->protocol->type, path, size))
		return -EADDRINUSE; /* Linux: the file is looked at before the socket */
	if (local->name)
		return -EINVAL;
	if (!automatic && find(socket->stack, socket->protocol->type, path, size))
		return -EADDRINUSE;
	return automatic ? autobind(local) : enter(local, path, size);
}

void local_name_abandon(struct local_socket *local)
{
	struct berth_stack *stack = local_socket_of(local)->stack;
	struct local_name *name = local->name;

	if (name && name->holder == local) {
		name->holder = NULL;
		if (!name->path[0])
			forget(stack, name);
	}
	local_name_unref(stack, name);
	local_name_unref(stack, local->peer_name);
	local->name = local->peer_name = NULL;
}

int berth_unlink(struct berth_stack *stack, const char *path)
{
	struct local_name *name = path && path[0] ? find(stack, 0, path, strlen(path) + 1) : NULL;

	if (!name) {
		errno = ENOENT;
		return -1;
	}
	forget(stack, name); /* its socket keeps it, and those it is connected to */
	return 0;
}

static socklen_t to_sockaddr(const struct local_name *name, uint8_t bytes[PATH_AT + PATH_MAX_BYTES + 1])
{
	sa_family_t family = AF_UNIX;

	memcpy(bytes, &family, sizeof(family));
	if (!name)
		return PATH_AT;
	memcpy(bytes + PATH_AT, name->path, name->length);
	return (socklen_t)(PATH_AT + name->length);
}

static void give_name(const struct local_name *name, struct sockaddr *address, socklen_t *length)
{
	uint8_t bytes[PATH_AT + PATH_MAX_BYTES + 1];
	socklen_t size = to_sockaddr(name, bytes);

	if (address)
		memcpy(address, bytes, MIN(*length, size));
	*length = size;
}

int local_show_name(struct berth_socket *socket, bool peer, struct sockaddr *address, socklen_t *length)
{
	const struct local_socket *local = local_of(socket);
	const struct local_name *name = local->name;

	if (peer && socket->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	if (peer)
		name = local->peer ? local->peer->name : local->peer_name;
	give_name(name, address, length);
	return 0;
}

void local_show_sender(const struct local_name *name, struct sockaddr *address, socklen_t *length)
{
	if (name)
		give_name(name, address, length);
	else
		*length = 0;
}
