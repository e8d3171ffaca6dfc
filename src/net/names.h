/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of a network: "web", "web.berth" and "web.NETWORK.berth" are the
 * host web; "localhost" is itself (RFC 6761 §6.3); the hosts' addresses and
 * the loopback ones have names. Nothing else exists: the answer is NXDOMAIN,
 * so that resolvers go on with their search list at once.
 */
#ifndef NET_NAMES_H
#define NET_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct berth_net;

/*
 * Answer the DNS query in bytes into answer (room for size, at least 512). limit
 * is the most that fits the transport: 0 means what the asker's UDP takes.
 * Returns the answer's length, or 0: keep silent.
 */
size_t names_answer(struct berth_net *net, const uint8_t *bytes, size_t length, uint8_t *answer, size_t size,
		    size_t limit);

#endif
