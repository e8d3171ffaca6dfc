/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/recorder.h"

#include "base/random.h"
#include "core/stack.h"
#include "daemon/owner.h"
#include "daemon/state.h"
#include "net/network.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HOSTS_MAX = 4096,
	COMMENT_ROOM = 320,
	PACKET_OVERHEAD = 4096, /* more than a block is longer than its packet */
	ID_WORDS = 12,		/* of a packet: all its headers */
};

struct recorder_interface {
	char name[64];
	uint64_t received, dropped, missed; /* missed: since the last packet that was written */
};

void recorder_init(struct recorder *recorder, struct daemon *daemon, size_t snap_length, struct pcapng *head)
{
	*recorder = (struct recorder){ .daemon = daemon, .snap_length = snap_length };
	recorder->wall = clock_wall_ns() - clock_now();
	pcapng_section(head, "Berth " BERTH_VERSION);
}

void recorder_fini(struct recorder *recorder)
{
	free(recorder->interfaces);
	free(recorder->processes);
	*recorder = (struct recorder){ 0 };
}

const char *recorder_host(const struct recorder *recorder, uint32_t interface)
{
	return interface < recorder->interface_count ? recorder->interfaces[interface].name : NULL;
}

static bool introduce_host(struct recorder *recorder, struct berth_host *host, struct pcapng *head)
{
	const char *name = berth_host_name(host);
	char text[BERTH_IP_STRLEN], description[200];
	uint64_t left_out = head->left_out;

	snprintf(description, sizeof(description), "eth0 of host %s (%s) on Berth network %s", name,
		 berth_ip_format(berth_host_ip4(host), text), recorder->daemon->network);
	pcapng_interface(head, &(struct pcapng_interface){
				       .name = name,
				       .description = description,
				       .system = "Berth " BERTH_VERSION,
				       .mac = host->link->mac,
				       .speed = berth_host_conditions(host, BERTH_OUT).rate,
				       .snap_length = (uint32_t)recorder->snap_length,
			       });
	if (head->left_out != left_out)
		return false;
	pcapng_name(head, berth_host_ip4(host), name);
	pcapng_name(head, berth_host_ip6(host), name);
	return true;
}

/* The number of host's interface; -1: no more. */
static long interface_of(struct recorder *recorder, struct berth_host *host, struct pcapng *head)
{
	const char *name = berth_host_name(host);
	struct recorder_interface *grown;

	for (size_t i = 0; i < recorder->interface_count; i++)
		if (!strcmp(recorder->interfaces[i].name, name))
			return (long)i;
	grown = recorder->interface_count < HOSTS_MAX
			? realloc(recorder->interfaces, (recorder->interface_count + 1) * sizeof(*grown))
			: NULL;
	if (!grown)
		return -1;
	recorder->interfaces = grown;
	if (!introduce_host(recorder, host, head))
		return -1;
	grown[recorder->interface_count] = (struct recorder_interface){ .received = 0 };
	snprintf(grown[recorder->interface_count].name, sizeof(grown->name), "%s", name);
	return (long)recorder->interface_count++;
}

static bool process_room(struct recorder *recorder, uint32_t number)
{
	size_t room = recorder->process_room ? recorder->process_room : 64;
	uint32_t *grown;

	while (room <= number)
		room *= 2;
	if (room == recorder->process_room)
		return true;
	grown = realloc(recorder->processes, room * sizeof(*grown));
	if (!grown)
		return false;
	memset(grown + recorder->process_room, 0, (room - recorder->process_room) * sizeof(*grown));
	recorder->processes = grown;
	recorder->process_room = room;
	return true;
}

static void name_owner(struct recorder *recorder, const struct berth_frame *frame, struct pcapng *head,
		       struct pcapng_packet *packet)
{
	struct owners *owners = recorder->daemon->owners;
	const struct owner *owner = owners ? owner_of_frame(owners, frame) : NULL;

	if (!owner || !process_room(recorder, owner->number))
		return;
	if (!recorder->processes[owner->number]) {
		if (!pcapng_process(head, (uint32_t)owner->pid, owner->command))
			return;
		recorder->processes[owner->number] = ++recorder->process_count;
	}
	packet->process = recorder->processes[owner->number] - 1;
	packet->process_comment = owner->comment;
}

/* Why, where, and under which conditions. Returns comment. */
static const char *drop_comment(const struct berth_frame *frame, char comment[COMMENT_ROOM])
{
	const char *host = berth_host_name(frame->host);
	char words[BERTH_CONDITIONS_STRLEN];

	berth_conditions_format(frame->conditions, words);
	if (frame->from)
		snprintf(comment, COMMENT_ROOM, "dropped: %s (from %s to %s: %.100s)", frame->dropped,
			 berth_host_name(frame->from), host, words);
	else
		snprintf(comment, COMMENT_ROOM, "dropped: %s (cable of %s: %.100s)", frame->dropped, host, words);
	return comment;
}

/* The same for a packet where it leaves and where it arrives: nobody between changes its bytes. */
static uint64_t id_of(const struct berth_frame *frame)
{
	uint64_t words[ID_WORDS + 1] = { 0 };

	memcpy(words, frame->bytes, MIN(frame->length, ID_WORDS * sizeof(words[0])));
	words[ID_WORDS] = frame->length;
	return hash_words((struct hash_key){ 0 }, words, ID_WORDS + 1) | 1;
}

bool recorder_take(struct recorder *recorder, const struct berth_frame *frame, struct pcapng *head, struct pcapng *body,
		   size_t limit)
{
	long number = interface_of(recorder, frame->host, head);
	struct recorder_interface *interface;
	char comment[COMMENT_ROOM];

	if (number < 0)
		return false;
	interface = &recorder->interfaces[number];
	interface->received++;
	struct pcapng_packet packet = {
		.interface = (uint32_t)number,
		.time = frame->time + recorder->wall,
		.bytes = frame->bytes,
		.length = frame->length,
		.captured = MIN(frame->length, recorder->snap_length),
		.direction = frame->direction == BERTH_OUT ? PCAPNG_OUTBOUND : PCAPNG_INBOUND,
		.dropped = frame->dropped,
		.missed = interface->missed,
	};
	if (body->length + packet.captured + PACKET_OVERHEAD <= limit) {
		packet.id = id_of(frame);
		packet.comment = frame->dropped ? drop_comment(frame, comment) : NULL;
		name_owner(recorder, frame, head, &packet);
		if (pcapng_packet(body, &packet)) {
			interface->missed = 0;
			return true;
		}
	}
	interface->missed++;
	interface->dropped++;
	return false;
}

void recorder_statistics(struct recorder *recorder, struct pcapng *pcapng)
{
	for (size_t i = 0; i < recorder->interface_count; i++)
		pcapng_statistics(pcapng, (uint32_t)i, clock_now() + recorder->wall, recorder->interfaces[i].received,
				  recorder->interfaces[i].dropped);
}
