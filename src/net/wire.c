/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cables of the network: one in each direction between a host and the
 * switch, and one for each pair of hosts that has conditions of its own. A
 * frame goes up, perhaps across a pair, and down; where it is at any moment is
 * some cable's business, and net.c asks the cables in the order of their
 * deadlines.
 */
#include "net/network.h"

#include "link/conditions.h"
#include "link/frame.h"

#include <errno.h>

#define FRAMES_A_WIRE 64 /* before another cable's turn */

static void arm(struct wire *wire)
{
	berth_time deadline = cable_deadline(&wire->cable);

	if (deadline == BERTH_NEVER || (timer_armed(&wire->timer) && wire->timer.deadline <= deadline))
		return;
	if (timers_set(&wire->net->wires, &wire->timer, deadline) < 0)
		cable_lose(&wire->cable); /* no memory: lost, as on a real wire */
}

static void show(const struct observer *observer, const struct berth_frame *frame)
{
	if (observer->frame)
		observer->frame(observer->context, frame);
}

/* Show packet to who looks, as a real cable would have it. */
static void observe(const struct wire *wire, const struct berth_packet *packet, berth_time now, const char *dropped)
{
	struct berth_packet *copy = packet_clone(packet);
	struct packet_queue pieces = { 0 };

	if (!copy)
		return; /* no memory: not seen, but not harmed either */
	frame_cut(copy, &pieces);
	while ((copy = packet_queue_pop(&pieces))) {
		struct berth_frame frame = {
			.host = wire->host,
			.direction = wire->direction,
			.length = copy->length,
			.time = now,
			.dropped = dropped,
			.from = dropped ? wire->from : NULL,
			.conditions = dropped ? &wire->cable.conditions : NULL,
		};

		frame_checksum(copy);
		frame.bytes = copy->data;
		show(&wire->net->observer, &frame);
		if (dropped)
			show(&wire->net->drop_observer, &frame);
		berth_packet_unref(copy);
	}
}

static const char *new_drop(const struct cable_counters *before, const struct cable_counters *after)
{
	static const char *const names[CABLE_DROPS] = { "loss", "limit", "cut", "memory" };

	for (int i = 0; i < CABLE_DROPS; i++)
		if (after->dropped[i] != before->dropped[i])
			return names[i];
	return NULL;
}

/* Send one packet under eyes: what goes out is shown now, what comes in when it arrives or is dropped. */
static void put_observed(struct wire *wire, struct berth_packet *packet, berth_time now)
{
	struct cable_counters before = wire->cable.counters;
	const char *dropped;

	berth_packet_ref(packet);
	cable_send(&wire->cable, packet, now);
	dropped = new_drop(&before, &wire->cable.counters);
	if (dropped || (wire->net->observer.frame && wire->direction == BERTH_OUT))
		observe(wire, packet, now, dropped);
	berth_packet_unref(packet);
}

void wire_put(struct wire *wire, struct berth_packet *packet, berth_time now)
{
	struct packet_queue pieces = { 0 };
	bool all = wire->net->observer.frame, drops = wire->net->drop_observer.frame;

	if (!all && (!drops || wire->cable.perfect)) {
		cable_send(&wire->cable, packet, now);
	} else if (wire->cable.perfect) {
		put_observed(wire, packet, now);
	} else { /* each segment has a fate of its own */
		frame_cut(packet, &pieces);
		while ((packet = packet_queue_pop(&pieces)))
			put_observed(wire, packet, now);
	}
	arm(wire);
}

void berth_net_observe(struct berth_net *net, void (*frame)(void *context, const struct berth_frame *frame),
		       void *context)
{
	net->observer = (struct observer){ frame, context };
}

void berth_net_observe_drops(struct berth_net *net, void (*frame)(void *context, const struct berth_frame *frame),
			     void *context)
{
	net->drop_observer = (struct observer){ frame, context };
}

unsigned wire_deliver(struct wire *wire, berth_time now)
{
	struct berth_packet *packet;
	unsigned count = 0;

	while (count < FRAMES_A_WIRE && (packet = cable_take_due(&wire->cable, now))) {
		count++;
		wire->arrive(wire, packet, now);
	}
	arm(wire);
	return count;
}

static void arrive_at_switch(struct wire *wire, struct berth_packet *packet, berth_time now)
{
	switch_input(&wire->net->sw, &wire->host->port, packet, now);
}

static void arrive_at_host(struct wire *wire, struct berth_packet *packet, berth_time now)
{
	if (wire->net->observer.frame)
		observe(wire, packet, now, NULL);
	berth_stack_input(wire->host->stack, wire->host->link, packet, now);
}

static void arrive_at_port(struct wire *wire, struct berth_packet *packet, berth_time now)
{
	wire_put(&wire->host->down, packet, now);
}

static struct pair *pair_find(const struct berth_host *from, const struct berth_host *to)
{
	LIST_EACH(&from->pairs, node)
		if (LIST_ITEM(node, struct pair, node)->to == to)
			return LIST_ITEM(node, struct pair, node);
	return NULL;
}

static void port_send(struct switch_port *port, struct switch_port *from, struct berth_packet *packet, berth_time now)
{
	struct berth_host *to = CONTAINER_OF(port, struct berth_host, port);
	struct berth_host *sender = CONTAINER_OF(from, struct berth_host, port);
	struct pair *pair = list_empty(&sender->pairs) ? NULL : pair_find(sender, to);

	wire_put(pair ? &pair->wire : &to->down, packet, now);
}

static void wire_init(struct wire *wire, struct berth_host *host,
		      void (*arrive)(struct wire *wire, struct berth_packet *packet, berth_time now))
{
	*wire = (struct wire){ .net = host->net, .host = host, .arrive = arrive };
	wire->direction = arrive == arrive_at_switch ? BERTH_OUT : BERTH_IN;
	cable_init(&wire->cable, host->net->allocator, random_u64(&host->net->random));
}

static void wire_fini(struct wire *wire)
{
	timers_cancel(&wire->net->wires, &wire->timer);
	cable_fini(&wire->cable);
}

void wires_init(struct berth_host *host)
{
	host->port.send = port_send;
	list_init(&host->pairs);
	wire_init(&host->up, host, arrive_at_switch);
	wire_init(&host->down, host, arrive_at_host);
}

static void pair_free(struct pair *pair)
{
	struct berth_net *net = pair->wire.net;

	wire_fini(&pair->wire);
	list_remove(&pair->node);
	memory_free(net->allocator, pair, sizeof(*pair));
}

void wires_fini(struct berth_host *host)
{
	LIST_EACH_SAFE(&host->pairs, node)
		pair_free(LIST_ITEM(node, struct pair, node));
	LIST_EACH(&host->net->hosts, node) {
		struct pair *pair = pair_find(LIST_ITEM(node, struct berth_host, node), host);

		if (pair)
			pair_free(pair);
	}
	wire_fini(&host->up);
	wire_fini(&host->down);
}

int berth_host_set_conditions(struct berth_host *host, int direction, const struct berth_conditions *conditions)
{
	if (!(direction & BERTH_BOTH) || direction & ~BERTH_BOTH)
		return -EINVAL;
	if (direction & BERTH_OUT)
		cable_set_conditions(&host->up.cable, conditions);
	if (direction & BERTH_IN)
		cable_set_conditions(&host->down.cable, conditions);
	return 0;
}

struct berth_conditions berth_host_conditions(const struct berth_host *host, int direction)
{
	return direction == BERTH_IN ? host->down.cable.conditions : host->up.cable.conditions;
}

static struct pair *pair_new(struct berth_host *from, struct berth_host *to)
{
	struct pair *pair = memory_new(from->net->allocator, sizeof(*pair));

	if (!pair)
		return NULL;
	pair->to = to;
	wire_init(&pair->wire, to, arrive_at_port);
	pair->wire.from = from;
	list_append(&from->pairs, &pair->node);
	return pair;
}

int berth_pair_set_conditions(struct berth_host *from, struct berth_host *to, const struct berth_conditions *conditions)
{
	struct pair *pair;

	if (from == to || from->net != to->net)
		return -EINVAL;
	pair = pair_find(from, to);
	if (!pair && conditions_are_none(conditions))
		return 0;
	if (!pair)
		pair = pair_new(from, to);
	if (!pair)
		return -ENOMEM;
	cable_set_conditions(&pair->wire.cable, conditions); /* it stays, for its counters and what is under way */
	return 0;
}

struct berth_conditions berth_pair_conditions(const struct berth_host *from, const struct berth_host *to)
{
	struct pair *pair = pair_find(from, to);

	return pair ? pair->wire.cable.conditions : (struct berth_conditions){ .delay = 0 };
}

static struct berth_cable_info info_of(const struct cable *cable)
{
	const struct cable_counters *counters = &cable->counters;

	return (struct berth_cable_info){
		.packets_in = counters->packets_in,
		.bytes_in = counters->bytes_in,
		.packets_out = counters->packets_out,
		.bytes_out = counters->bytes_out,
		.lost = counters->dropped[CABLE_DROP_LOSS],
		.over_limit = counters->dropped[CABLE_DROP_LIMIT],
		.cut = counters->dropped[CABLE_DROP_CUT],
		.no_memory = counters->dropped[CABLE_DROP_MEMORY],
		.duplicated = counters->duplicated,
		.reordered = counters->reordered,
		.corrupted = counters->corrupted,
		.marked = counters->marked,
		.under_way = cable->queue.count + cable->late_count,
	};
}

struct berth_cable_info berth_host_cable(const struct berth_host *host, int direction)
{
	return info_of(direction == BERTH_IN ? &host->down.cable : &host->up.cable);
}

struct berth_cable_info berth_pair_cable(const struct berth_host *from, const struct berth_host *to)
{
	struct pair *pair = pair_find(from, to);

	return pair ? info_of(&pair->wire.cable) : (struct berth_cable_info){ .packets_in = 0 };
}
