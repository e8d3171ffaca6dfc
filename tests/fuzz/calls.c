/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two stacks on a cable: calls of the API on both as the input says, frames
 * delivered, lost, repeated, swapped, damaged or made up, memory that fails.
 */
#include "tests/fuzz/world.h"

/* The first frame that from sent arrives at the other end. A copy: pools are not shared. */
static void deliver_first(struct world *world, struct end *from, bool again, uint16_t damage)
{
	struct end *to = &world->ends[!from->number];
	struct berth_packet *packet = packet_queue_pop(&from->sent), *copy;

	if (!packet)
		return;
	copy = berth_packet_copy(berth_stack_packets(to->stack), packet->data, packet->length);
	if (copy && damage)
		copy->data[damage % copy->length] ^= 1;
	if (copy)
		berth_stack_input(to->stack, to->link, copy, world->now);
	if (again)
		packet_queue_push(&from->sent, packet);
	else
		berth_packet_unref(packet);
}

static void deliver_all(struct world *world)
{
	for (int i = 0; i < 500 && (world->ends[0].sent.head || world->ends[1].sent.head); i++) {
		deliver_first(world, &world->ends[0], false, 0);
		deliver_first(world, &world->ends[1], false, 0);
		world_settle(world);
	}
}

static void cable(struct world *world, struct end *from)
{
	uint8_t what = input_u8(world->input);

	switch (what & 7) {
	case 0:
		berth_packet_unref(packet_queue_pop(&from->sent));
		break;
	case 1:
		deliver_first(world, from, true, 0);
		break;
	case 2:
		deliver_first(world, from, false, input_u16(world->input));
		break;
	case 3: /* the first goes behind the others */
		if (from->sent.count > 1)
			packet_queue_push(&from->sent, packet_queue_pop(&from->sent));
		break;
	case 4:
		world->fail_in = what >> 3;
		break;
	default:
		deliver_first(world, from, false, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };
	static struct world world;

	world_up(&world, &input, 2);
	for (int step = 0; step < 400 && input.left; step++) {
		uint8_t what = input_u8(&input);
		struct end *end = &world.ends[what & 1];

		if (what < 0x80)
			call_any(end);
		else if (what < 0xb0)
			deliver_all(&world);
		else if (what < 0xd0)
			cable(&world, end);
		else if (what < 0xf0)
			world_wait(&world);
		else
			frame_arrives(end);
		world_settle(&world);
	}
	world_down(&world);
	return 0;
}
