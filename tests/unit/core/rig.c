/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"
#include "wire/show.h"

#include <errno.h>

static void recorder_input(struct berth_stack *stack, struct berth_packet *packet, const struct berth_ip_info *info)
{
	struct end *end = stack->hooks.context;

	end->received++;
	end->length = packet->length;
	memcpy(end->data, packet->data, packet->length);
	end->info = *info;
	CHECK(packet->mark >= 20);
	berth_packet_unref(packet);
}

static void recorder_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted,
			   size_t length)
{
	struct end *end = stack->hooks.context;

	end->errors++;
	end->error = *error;
	end->length = length;
	memcpy(end->data, quoted, length);
}

static const struct berth_protocol recorder = {
	.name = "recorder",
	.number = RIG_PROTOCOL,
	.type = SOCK_DGRAM,
	.input = recorder_input,
	.error = recorder_error,
};

static void on_cable(void *context, struct berth_packet *packet)
{
	packet_queue_push(&((struct end *)context)->sent, packet);
}

struct berth_ip rig_ip(const char *text)
{
	struct berth_ip ip = ip_any;

	CHECK_EQ(berth_ip_parse(text, &ip), 0);
	return ip;
}

static void end_up(struct rig *rig, struct end *end, uint8_t number)
{
	struct berth_stack_config config = { .seed = number,
					     .now = rig->now,
					     .limits = rig->limits,
					     .allocator = rig->allocator,
					     .hooks = { .context = end } };
	struct berth_link_config link = { .name = "eth0",
					  .type = rig->type,
					  .mac = { 2, 0, 0, 0, 0, number },
					  .mtu = rig->mtu,
					  .flags = rig->flags,
					  .transmit = on_cable,
					  .context = end };

	end->stack = berth_stack_new(&config);
	CHECK_EQ(berth_protocol_register(end->stack, &recorder), 0);
	CHECK_EQ(berth_link_add(end->stack, &link, &end->link), 0);
	CHECK_EQ(berth_link_add_address(end->link, ip_from_u32(0x0a000000u + number), 24), 0);
	CHECK_EQ(berth_link_add_address(end->link, rig_ip(number == 1 ? "fd00::1" : "fd00::2"), 64), 0);
}

void rig_up(struct rig *rig)
{
	end_up(rig, &rig->a, 1);
	end_up(rig, &rig->b, 2);
}

static void end_down(struct end *end)
{
	berth_stack_free(end->stack);
	packet_queue_clear(&end->sent);
}

void rig_down(struct rig *rig)
{
	end_down(&rig->a);
	end_down(&rig->b);
}

static bool move(struct rig *rig, struct end *from, struct end *to)
{
	struct berth_packet *packet = packet_queue_pop(&from->sent), *copy; /* each stack has its own pool */

	if (!packet)
		return false;
	copy = berth_packet_copy(to->stack->packets, packet->data, packet->length);
	if (copy && packet->segment_size) { /* a run: the cable passes it by reference */
		copy->segment_size = packet->segment_size;
		copy->checksum = packet->checksum;
	}
	if (copy)
		berth_stack_input(to->stack, to->link, copy, rig->now);
	berth_packet_unref(packet);
	return true;
}

void rig_settle(struct rig *rig)
{
	bool moved = true;

	while (moved) {
		berth_stack_advance(rig->a.stack, rig->now);
		berth_stack_advance(rig->b.stack, rig->now);
		moved = move(rig, &rig->a, &rig->b) | move(rig, &rig->b, &rig->a);
	}
}

void rig_run(struct rig *rig, berth_time duration)
{
	berth_time end = rig->now + duration;

	while (rig->now < end) {
		rig->now = MIN(end, rig->now + 100 * BERTH_MSEC);
		rig_settle(rig);
	}
}

void rig_wait(struct rig *rig, berth_time duration)
{
	rig->now += duration;
	berth_stack_advance(rig->a.stack, rig->now);
}

const char *rig_next(struct rig *rig, struct end *end)
{
	static char text[256];
	struct berth_packet *packet = packet_queue_pop(&end->sent);

	if (!packet)
		return "nothing";
	wire_show(packet->data, packet->length, rig->type, text, sizeof(text));
	berth_packet_unref(packet);
	return text;
}

void rig_begin(struct rig *rig, enum berth_link_type type, unsigned flags)
{
	memset(rig, 0, sizeof(*rig));
	rig->type = type;
	rig->flags = flags;
	rig_up(rig);
}

int rig_set_int(struct end *end, int fd, int level, int option, int value)
{
	return berth_setsockopt(end->stack, fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

void rig_inject(struct rig *rig, struct end *end, const void *bytes, size_t length)
{
	struct berth_packet *packet = berth_packet_copy(end->stack->packets, bytes, length);

	if (packet)
		berth_stack_input(end->stack, end->link, packet, rig->now);
}

int rig_send(struct end *end, const char *destination, size_t size, bool dont_fragment)
{
	struct berth_packet *packet = berth_packet_new(end->stack->packets, PACKET_HEADROOM, size);
	struct ip_send send = { .destination = rig_ip(destination),
				.protocol = RIG_PROTOCOL,
				.dont_fragment = dont_fragment };
	struct ip_path path;
	uint8_t *bytes;
	int r;

	if (!packet)
		return -1;
	r = ip_path_find(end->stack, send.destination, ip_any, NULL, &path);
	bytes = berth_packet_put(packet, size);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i % 251);
	if (r < 0) {
		berth_packet_unref(packet);
		return r;
	}
	send.source = path.source;
	return ip_send(end->stack, packet, &path, &send);
}

bool rig_pattern_ok(const struct end *end)
{
	for (size_t i = 0; i < end->length; i++)
		if (end->data[i] != i % 251)
			return false;
	return true;
}

uint64_t rig_count(const struct end *end, unsigned event)
{
	return berth_event_count(end->stack, event);
}
