/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may have a port beside whom, and which of those who wait at a port a
 * packet is for. The rules are Linux's, as programs know them; POSIX leaves
 * them to the implementation.
 */
#include "core/port/space.h"
#include "core/socket/socket.h"

#include <errno.h>

/* Whose claim is; NULL: a TIME-WAIT's. */
static struct berth_socket *holder_of(const struct port_claim *claim)
{
	return claim->of_socket ? CONTAINER_OF(claim, struct berth_socket, claim) : NULL;
}

/* Linux: inet_rcv_saddr_equal() with match_wildcard. */
static bool addresses_overlap(const struct port_claim *a, const struct port_claim *b)
{
	if (!(a->families & b->families))
		return false;
	return ip_is_any(a->ip) || ip_is_any(b->ip) || ip_equal(a->ip, b->ip);
}

static bool links_overlap(const struct port_claim *a, const struct port_claim *b)
{
	return !a->link_index || !b->link_index || a->link_index == b->link_index;
}

/* Linux: inet_bind_conflict() relaxed; udp_lib_lport_inuse(). asker is the newcomer. */
static bool claims_conflict(const struct port_claim *asker, const struct port_claim *holder)
{
	if (asker->divert || holder->divert || !addresses_overlap(asker, holder) || !links_overlap(asker, holder))
		return false;
	if (asker->reuse_port && holder->reuse_port)
		return false; /* one user owns a stack: Linux's uid rule is always met */
	if (asker->reuse_address && holder->reuse_address)
		return holder->listening && !asker->datagram;
	return true;
}

static bool allowed_in(const struct list *bucket, const struct port_claim *claim)
{
	LIST_EACH(bucket, node) {
		const struct port_claim *other = LIST_ITEM(node, struct port_claim, node);

		if (other != claim && claims_conflict(claim, other))
			return false;
	}
	return true;
}

bool port_claim_allowed(struct berth_stack *stack, const struct port_claim *claim)
{
	struct port_space *space = port_space(stack, claim->protocol, false);
	struct list *bucket;

	if (!space || !port_used(space, claim->port))
		return true;
	bucket = port_bucket(stack, space, claim->port, false);
	return allowed_in(bucket, claim);
}

int port_claim(struct berth_stack *stack, struct port_claim *claim)
{
	bool choose = claim->port == 0;
	int r;

	if (!port_space(stack, claim->protocol, true))
		return -ENOMEM;
	if (choose) {
		r = port_choose(stack, claim);
		if (r < 0)
			return r;
	} else if (!port_claim_allowed(stack, claim)) {
		return -EADDRINUSE;
	}
	claim->chosen = choose;
	claim->shared = false;
	r = port_claim_enter(stack, claim);
	if (r < 0)
		claim->port = choose ? 0 : claim->port;
	return r;
}

/* Linux: inet_csk_listen_start() asks for the port again, now as a listener. */
int port_may_listen(struct berth_stack *stack, const struct port_claim *claim)
{
	return port_claim_allowed(stack, claim) ? 0 : -EADDRINUSE;
}

int port_claim_share(struct berth_stack *stack, struct port_claim *claim)
{
	claim->shared = true;
	list_init(&claim->node);
	return port_claim_enter(stack, claim);
}

static bool waits_for(const struct port_claim *claim, const struct berth_endpoint *remote)
{
	const struct berth_socket *socket = holder_of(claim);

	if (!socket || socket->state == SOCKET_CLOSED)
		return false;
	if (!claim->datagram)
		return socket->state == SOCKET_LISTENING;
	if (socket->state != SOCKET_CONNECTED)
		return true;
	return socket->demux.remote.port == remote->port && ip_equal(socket->demux.remote.ip, remote->ip);
}

/* How well claim fits a packet to local; 0: not at all. Linux: compute_score(). */
static int fit(const struct port_claim *claim, const struct berth_endpoint *local, const struct berth_link *link)
{
	unsigned family = ip_is4(local->ip) ? CLAIM_IP4 : CLAIM_IP6;
	int score = 1;

	if (!(claim->families & family) || (claim->link_index && (!link || claim->link_index != link->index)))
		return 0;
	if (!ip_is_any(claim->ip) && !ip_equal(claim->ip, local->ip))
		return 0;
	if (claim->divert)
		return link && link->loopback ? 1 : 0;
	score += ip_is_any(claim->ip) ? 0 : 4;
	score += claim->families == family || !ip_is_any(claim->ip) ? 2 : 0;
	score += claim->link_index ? 8 : 0;
	return score + 1;
}

/* Spread conversations over equals, each to the same one every time. RFC 9293 has no say here. */
static uint64_t spread(struct berth_stack *stack, const struct berth_endpoint *local,
		       const struct berth_endpoint *remote, const struct berth_socket *socket)
{
	uint64_t words[6];

	memcpy(words, local->ip.bytes, 16);
	memcpy(words + 2, remote->ip.bytes, 16);
	words[4] = (uint64_t)local->port << 16 | remote->port;
	words[5] = (uint64_t)socket->fd;
	return hash_words(stack->hash_key, words, 6);
}

void port_set_any(struct berth_stack *stack, struct port_claim *claim, bool on)
{
	claim->any_port = on;
	if (on)
		port_space(stack, claim->protocol, false)->any_port = claim->port;
}

/* Who waits at port of space for a packet to local. */
static struct berth_socket *find_at(struct berth_stack *stack, struct port_space *space, uint16_t port,
				    const struct berth_endpoint *local, const struct berth_endpoint *remote,
				    struct berth_link *link)
{
	struct berth_socket *best = NULL;
	uint64_t best_spread = 0;
	int best_fit = 0;

	if (!port_used(space, port))
		return NULL;
	LIST_EACH(port_bucket(stack, space, port, false), node) {
		struct port_claim *claim = LIST_ITEM(node, struct port_claim, node);
		uint64_t rank;
		int score;

		if (claim->shared)
			break;
		if (port != local->port && !claim->any_port)
			continue;
		score = waits_for(claim, remote) ? fit(claim, local, link) : 0;
		if (score < best_fit || !score)
			continue;
		/* Rendezvous hashing: members come and go, the others' conversations stay. */
		rank = claim->reuse_port ? spread(stack, local, remote, holder_of(claim)) : 0;
		if (score > best_fit || rank > best_spread) {
			best = holder_of(claim);
			best_fit = score;
			best_spread = rank;
		}
	}
	return best;
}

struct berth_socket *port_find_bound(struct berth_stack *stack, uint8_t protocol, const struct berth_endpoint *local,
				     const struct berth_endpoint *remote, struct berth_link *link)
{
	struct port_space *space = port_space(stack, protocol, false);
	struct berth_socket *found = space ? find_at(stack, space, local->port, local, remote, link) : NULL;

	if (!found && space && space->any_port)
		found = find_at(stack, space, space->any_port, local, remote, link);
	return found;
}

void port_each_bound(struct berth_stack *stack, uint8_t protocol, const struct berth_endpoint *local,
		     const struct berth_endpoint *remote, struct berth_link *link,
		     void (*each)(void *context, struct berth_socket *socket), void *context)
{
	struct port_space *space = port_space(stack, protocol, false);

	if (!space || !port_used(space, local->port))
		return;
	LIST_EACH_SAFE(port_bucket(stack, space, local->port, false), node) {
		struct port_claim *claim = LIST_ITEM(node, struct port_claim, node);

		if (waits_for(claim, remote) && fit(claim, local, link))
			each(context, holder_of(claim));
	}
}

enum port_divert port_diverted(struct berth_stack *stack, uint8_t protocol, const struct berth_endpoint *remote)
{
	struct port_space *space = port_space(stack, protocol, false);
	enum port_divert found = DIVERT_NONE;

	if (!space || !port_used(space, remote->port))
		return DIVERT_NONE;
	LIST_EACH(port_bucket(stack, space, remote->port, false), node) {
		const struct port_claim *claim = LIST_ITEM(node, struct port_claim, node);

		if (!claim->divert || claim->shared)
			continue;
		if (ip_equal(claim->ip, remote->ip))
			return DIVERT_EXACT;
		if (ip_is_any(claim->ip))
			found = DIVERT_ANY;
	}
	return found;
}

int berth_port_holders(struct berth_stack *stack, uint8_t protocol, uint16_t port, int *ret_fds, int max)
{
	struct port_space *space = port_space(stack, protocol, false);
	int count = 0;

	if (!space || !port_used(space, port))
		return 0;
	LIST_EACH(port_bucket(stack, space, port, false), node) {
		const struct port_claim *claim = LIST_ITEM(node, struct port_claim, node);
		const struct berth_socket *holder = holder_of(claim);

		if (claim->divert)
			continue;
		if (count < max)
			ret_fds[count] = holder ? holder->fd : -1;
		count++;
	}
	return count;
}
