/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch: switch.h. */
#include "net/switch.h"

#include <errno.h>

enum { ETHERNET_HEADER = 14 };

struct switch_entry {
	struct switch_entry *next;
	uint64_t mac;
	struct switch_port *port;
	berth_time seen;
	bool fixed;
};

static uint64_t read_mac(const uint8_t *bytes)
{
	return (uint64_t)get_be16(bytes) << 32 | get_be32(bytes + 2);
}

static struct switch_entry **bucket_of(struct net_switch *sw, uint64_t mac)
{
	return &sw->buckets[hash_words(sw->key, &mac, 1) % SWITCH_BUCKETS];
}

static struct switch_entry *entry_find(struct net_switch *sw, uint64_t mac)
{
	struct switch_entry *entry = *bucket_of(sw, mac);

	while (entry && entry->mac != mac)
		entry = entry->next;
	return entry;
}

static void entry_unlink(struct net_switch *sw, struct switch_entry **slot)
{
	struct switch_entry *entry = *slot;

	*slot = entry->next;
	sw->learnt -= !entry->fixed;
	memory_free(sw->allocator, entry, sizeof(*entry));
}

static struct switch_entry *entry_new(struct net_switch *sw, uint64_t mac, struct switch_port *port, bool fixed)
{
	struct switch_entry *entry = memory_new(sw->allocator, sizeof(*entry)), **bucket = bucket_of(sw, mac);

	if (!entry)
		return NULL;
	*entry = (struct switch_entry){ .next = *bucket, .mac = mac, .port = port, .fixed = fixed };
	*bucket = entry;
	sw->learnt += !fixed;
	return entry;
}

void switch_init(struct net_switch *sw, const struct berth_allocator *allocator, struct hash_key key)
{
	memset(sw, 0, sizeof(*sw));
	sw->allocator = allocator;
	sw->key = key;
	list_init(&sw->ports);
}

void switch_fini(struct net_switch *sw)
{
	for (size_t i = 0; i < SWITCH_BUCKETS; i++)
		while (sw->buckets[i])
			entry_unlink(sw, &sw->buckets[i]);
}

int switch_add_port(struct net_switch *sw, struct switch_port *port, const uint8_t mac[6])
{
	struct switch_entry *entry = entry_find(sw, read_mac(mac));

	if (entry && !entry->fixed) {
		entry->fixed = true;
		entry->port = port;
		sw->learnt--;
	} else if (!entry && !entry_new(sw, read_mac(mac), port, true)) {
		return -ENOMEM;
	}
	list_append(&sw->ports, &port->node);
	return 0;
}

void switch_remove_port(struct net_switch *sw, struct switch_port *port)
{
	list_remove(&port->node);
	for (size_t i = 0; i < SWITCH_BUCKETS; i++) {
		struct switch_entry **slot = &sw->buckets[i];
		while (*slot) {
			if ((*slot)->port == port)
				entry_unlink(sw, slot);
			else
				slot = &(*slot)->next;
		}
	}
}

static void forget_old(struct net_switch *sw, berth_time now)
{
	for (size_t i = 0; i < SWITCH_BUCKETS; i++) {
		struct switch_entry **slot = &sw->buckets[i];
		while (*slot) {
			if (!(*slot)->fixed && now - (*slot)->seen > SWITCH_AGE)
				entry_unlink(sw, slot);
			else
				slot = &(*slot)->next;
		}
	}
}

static void learn(struct net_switch *sw, uint64_t mac, struct switch_port *port, berth_time now)
{
	struct switch_entry *entry = entry_find(sw, mac);

	if (entry && entry->fixed)
		return;
	if (!entry) {
		if (sw->learnt >= SWITCH_LEARNT_MAX)
			forget_old(sw, now);
		if (sw->learnt >= SWITCH_LEARNT_MAX)
			return;
		entry = entry_new(sw, mac, port, false);
		if (!entry)
			return; /* not known, so flooded: still right */
	}
	entry->port = port;
	entry->seen = now;
}

static void flood(struct net_switch *sw, struct switch_port *from, struct berth_packet *packet, berth_time now)
{
	struct switch_port *last = NULL;

	sw->floods++;
	LIST_EACH(&sw->ports, node) {
		struct switch_port *port = LIST_ITEM(node, struct switch_port, node);
		if (port == from)
			continue;
		if (last) { /* copies, because receivers write into what they get; the last gets the original */
			struct berth_packet *copy = packet_clone(packet);
			if (copy)
				last->send(last, from, copy, now);
			else
				sw->drops_memory++;
		}
		last = port;
	}
	if (last)
		last->send(last, from, packet, now);
	else
		berth_packet_unref(packet);
}

void switch_input(struct net_switch *sw, struct switch_port *port, struct berth_packet *packet, berth_time now)
{
	if (packet->length < ETHERNET_HEADER) {
		sw->drops_short++;
		berth_packet_unref(packet);
		return;
	}
	uint64_t to = read_mac(packet->data), from = read_mac(packet->data + 6);
	if (!(packet->data[6] & 1)) /* no group sends */
		learn(sw, from, port, now);
	struct switch_entry *entry = packet->data[0] & 1 ? NULL : entry_find(sw, to);
	if (entry && !entry->fixed && now - entry->seen > SWITCH_AGE)
		entry = NULL;
	if (!entry)
		flood(sw, port, packet, now);
	else if (entry->port != port)
		entry->port->send(entry->port, port, packet, now);
	else
		berth_packet_unref(packet); /* the receiver heard it already */
}
