/* SPDX-License-Identifier: BSD-2-Clause */
/* raw/'s own. */
#ifndef CORE_RAW_INTERNAL_H
#define CORE_RAW_INTERNAL_H

#include "core/datagram/datagram.h"
#include "core/raw/raw.h"

struct raw_socket {
	struct datagram datagram;
	struct list node; /* in stack->raws */
	struct berth_socket *socket;
	bool header_included;
	int checksum_at;     /* IPV6_CHECKSUM: bytes into the payload; -1: none */
	uint32_t filter4;    /* ICMP_FILTER: types that are not wanted */
	uint32_t filter6[8]; /* ICMP6_FILTER: the same */
};

static inline struct raw_socket *raw_of(struct berth_socket *socket)
{
	return (struct raw_socket *)socket->protocol_state;
}

#endif
