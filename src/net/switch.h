/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An Ethernet switch. It reads frames' addresses and says where they go; who
 * carries them there is its owner's business. Hosts' own addresses are entered
 * when they are added and never age; others are learnt from frames' sources
 * (IEEE 802.1Q §8.7) up to a limit, and forgotten after five minutes. What is
 * for a group, or for an address nobody is known to have, goes to every port
 * but the one it came from.
 */
#ifndef NET_SWITCH_H
#define NET_SWITCH_H

#include "base/list.h"
#include "base/memory.h"
#include "base/packet.h"
#include "base/random.h"

enum { SWITCH_BUCKETS = 1024, SWITCH_LEARNT_MAX = 4096 };
#define SWITCH_AGE (300 * BERTH_SEC)

struct switch_port {
	struct list node; /* in switch.ports */
	/* Carry packet, which came in by from, away through this port. Takes ownership. */
	void (*send)(struct switch_port *port, struct switch_port *from, struct berth_packet *packet, berth_time now);
};

struct switch_entry;

struct net_switch {
	const struct berth_allocator *allocator;
	struct hash_key key;
	struct list ports;
	struct switch_entry *buckets[SWITCH_BUCKETS];
	size_t learnt;
	uint64_t drops_short, drops_memory, floods;
};

void switch_init(struct net_switch *sw, const struct berth_allocator *allocator, struct hash_key key);
void switch_fini(struct net_switch *sw);
/* port is the caller's; mac is its owner's own address. Returns 0 or -ENOMEM. */
int switch_add_port(struct net_switch *sw, struct switch_port *port, const uint8_t mac[6]);
/* Forgets every address that was known behind port. */
void switch_remove_port(struct net_switch *sw, struct switch_port *port);
/* packet came in by port. Takes ownership. */
void switch_input(struct net_switch *sw, struct switch_port *port, struct berth_packet *packet, berth_time now);

#endif
