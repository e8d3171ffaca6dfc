/* SPDX-License-Identifier: BSD-2-Clause */
#include "link/pcapng.h"

#include "base/ip.h"

#include <stdlib.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_NAMES = 4,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_PROCESS = (int)0x80000001, /* a local type, which Apple's tcpdump began to use and Wireshark 4.6 reads */
	LINKTYPE_ETHERNET = 1,
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_APPLICATION = 4,	 /* shb_userappl */
	OPTION_NAME = 2,	 /* if_name */
	OPTION_DESCRIPTION = 3,	 /* if_description */
	OPTION_MAC = 6,		 /* if_MACaddr */
	OPTION_SPEED = 8,	 /* if_speed */
	OPTION_RESOLUTION = 9,	 /* if_tsresol */
	OPTION_SYSTEM = 12,	 /* if_os; shb_os has a number of its own */
	OPTION_SECTION_OS = 3,	 /* shb_os */
	OPTION_FLAGS = 2,	 /* epb_flags */
	OPTION_DROP_COUNT = 4,	 /* epb_dropcount */
	OPTION_PACKET_ID = 5,	 /* epb_packetid */
	OPTION_VERDICT = 7,	 /* epb_verdict */
	OPTION_PROCESS = 0x8001, /* a process block's number in the section; with BLOCK_PROCESS */
	OPTION_PROCESS_NAME = 2,
	OPTION_RECEIVED = 4, /* isb_ifrecv */
	OPTION_DROPPED = 5,  /* isb_ifdrop */
	NAMES_IP4 = 1,
	NAMES_IP6 = 2,
	TEXT_MAX = 1024,
};

void pcapng_init(struct pcapng *pcapng, size_t limit)
{
	*pcapng = (struct pcapng){ .limit = limit };
}

void pcapng_fini(struct pcapng *pcapng)
{
	if (!pcapng)
		return;
	free(pcapng->bytes);
	*pcapng = (struct pcapng){ 0 };
}

void pcapng_took(struct pcapng *pcapng, size_t length)
{
	length = MIN(length, pcapng->length);
	pcapng->length -= length;
	pcapng->from = pcapng->length ? pcapng->from + length : 0;
}

/* What is there goes to the front. Only when at least as much was read, so each byte moves once at most. */
static void close_up(struct pcapng *pcapng)
{
	if (!pcapng->from || pcapng->from < pcapng->length)
		return;
	memcpy(pcapng->bytes, pcapng->bytes + pcapng->from, pcapng->length);
	pcapng->from = 0;
}

/* Room for so much more. */
static bool reserve(struct pcapng *pcapng, size_t length)
{
	size_t room = pcapng->room ? pcapng->room : 4096;
	uint8_t *bytes;

	if (length > pcapng->limit || pcapng->length > pcapng->limit - length) {
		pcapng->left_out++;
		return false;
	}
	if (pcapng->from + pcapng->length + length > pcapng->room)
		close_up(pcapng);
	while (room < pcapng->from + pcapng->length + length)
		room *= 2;
	if (room == pcapng->room)
		return true;
	bytes = realloc(pcapng->bytes, room);
	if (!bytes) {
		pcapng->left_out++;
		return false;
	}
	pcapng->bytes = bytes;
	pcapng->room = room;
	return true;
}

/* The rest is only called after reserve(). */

static uint8_t *tail(struct pcapng *pcapng)
{
	return pcapng->bytes + pcapng->from + pcapng->length;
}

static void put(struct pcapng *pcapng, const void *bytes, size_t length)
{
	static const uint8_t zeros[4];

	memcpy(tail(pcapng), bytes, length);
	pcapng->length += length;
	length = -length & 3; /* everything is padded to 32 bits */
	memcpy(tail(pcapng), zeros, length);
	pcapng->length += length;
}

static void put_u32(struct pcapng *pcapng, uint32_t value)
{
	put(pcapng, &value, sizeof(value));
}

static void put_two(struct pcapng *pcapng, uint16_t first, uint16_t second)
{
	uint16_t both[] = { first, second };

	put(pcapng, both, sizeof(both));
}

static void put_option(struct pcapng *pcapng, uint16_t code, const void *value, size_t length)
{
	put_two(pcapng, code, (uint16_t)length);
	put(pcapng, value, length);
}

static void put_text(struct pcapng *pcapng, uint16_t code, const char *text)
{
	if (text)
		put_option(pcapng, code, text, MIN(strlen(text), TEXT_MAX));
}

static size_t begin(struct pcapng *pcapng, uint32_t type)
{
	size_t at = pcapng->length;

	put_u32(pcapng, type);
	put_u32(pcapng, 0);
	return at;
}

/* A block's length stands at both its ends. */
static void end(struct pcapng *pcapng, size_t at)
{
	uint32_t length = (uint32_t)(pcapng->length - at + 4);

	put_u32(pcapng, length);
	memcpy(pcapng->bytes + pcapng->from + at + 4, &length, sizeof(length));
}

#define BLOCK_ROOM (4 * TEXT_MAX) /* more than any block's fixed parts and texts */

void pcapng_section(struct pcapng *pcapng, const char *application)
{
	uint64_t unknown_length = UINT64_MAX;
	size_t at;

	if (!reserve(pcapng, BLOCK_ROOM))
		return;
	at = begin(pcapng, BLOCK_SECTION);
	put_u32(pcapng, 0x1a2b3c4d); /* tells the byte order */
	put_two(pcapng, 1, 0);
	put(pcapng, &unknown_length, sizeof(unknown_length));
	put_text(pcapng, OPTION_SECTION_OS, "Linux");
	put_text(pcapng, OPTION_APPLICATION, application);
	put_two(pcapng, OPTION_END, 0);
	end(pcapng, at);
}

void pcapng_interface(struct pcapng *pcapng, const struct pcapng_interface *interface)
{
	uint8_t nanoseconds = 9;
	size_t at;

	if (!reserve(pcapng, BLOCK_ROOM))
		return;
	at = begin(pcapng, BLOCK_INTERFACE);
	put_two(pcapng, LINKTYPE_ETHERNET, 0);
	put_u32(pcapng, interface->snap_length);
	put_text(pcapng, OPTION_NAME, interface->name);
	put_text(pcapng, OPTION_DESCRIPTION, interface->description);
	if (interface->mac)
		put_option(pcapng, OPTION_MAC, interface->mac, 6);
	if (interface->speed)
		put_option(pcapng, OPTION_SPEED, &interface->speed, sizeof(interface->speed));
	put_option(pcapng, OPTION_RESOLUTION, &nanoseconds, 1);
	put_text(pcapng, OPTION_SYSTEM, interface->system);
	put_two(pcapng, OPTION_END, 0);
	end(pcapng, at);
}

static void put_time(struct pcapng *pcapng, int64_t time)
{
	put_u32(pcapng, (uint32_t)((uint64_t)time >> 32));
	put_u32(pcapng, (uint32_t)time);
}

static void put_options_of(struct pcapng *pcapng, const struct pcapng_packet *packet)
{
	/* Nothing says "dropped by a cable"; what Linux's traffic control does to a packet comes closest. */
	static const uint8_t dropped[] = { 1 /* TC_ACT_* */, 2 /* TC_ACT_SHOT */, 0, 0, 0, 0, 0, 0, 0 };
	uint32_t flags = packet->direction;

	put_text(pcapng, OPTION_COMMENT, packet->process_comment);
	put_text(pcapng, OPTION_COMMENT, packet->comment);
	if (flags)
		put_option(pcapng, OPTION_FLAGS, &flags, sizeof(flags));
	if (packet->missed)
		put_option(pcapng, OPTION_DROP_COUNT, &packet->missed, sizeof(packet->missed));
	if (packet->id)
		put_option(pcapng, OPTION_PACKET_ID, &packet->id, sizeof(packet->id));
	if (packet->dropped)
		put_option(pcapng, OPTION_VERDICT, dropped, sizeof(dropped));
	if (packet->process_comment)
		put_option(pcapng, OPTION_PROCESS, &packet->process, sizeof(packet->process));
	put_two(pcapng, OPTION_END, 0);
}

bool pcapng_packet(struct pcapng *pcapng, const struct pcapng_packet *packet)
{
	size_t at;

	if (!reserve(pcapng, BLOCK_ROOM + packet->captured))
		return false;
	at = begin(pcapng, BLOCK_PACKET);
	put_u32(pcapng, packet->interface);
	put_time(pcapng, packet->time);
	put_u32(pcapng, (uint32_t)packet->captured);
	put_u32(pcapng, (uint32_t)packet->length);
	put(pcapng, packet->bytes, packet->captured);
	put_options_of(pcapng, packet);
	end(pcapng, at);
	return true;
}

bool pcapng_process(struct pcapng *pcapng, uint32_t pid, const char *name)
{
	size_t at;

	if (!reserve(pcapng, BLOCK_ROOM))
		return false;
	at = begin(pcapng, (uint32_t)BLOCK_PROCESS);
	put_u32(pcapng, pid);
	put_text(pcapng, OPTION_PROCESS_NAME, name);
	put_two(pcapng, OPTION_END, 0);
	end(pcapng, at);
	return true;
}

bool pcapng_copy(struct pcapng *pcapng, const void *blocks, size_t length)
{
	if (!reserve(pcapng, length))
		return false;
	put(pcapng, blocks, length);
	return true;
}

void pcapng_name(struct pcapng *pcapng, struct berth_ip ip, const char *name)
{
	size_t skip = ip_is4(ip) ? 12 : 0, length = strlen(name) + 1;
	uint8_t record[16 + TEXT_MAX];
	size_t at;

	if (length > TEXT_MAX || !reserve(pcapng, BLOCK_ROOM))
		return;
	at = begin(pcapng, BLOCK_NAMES);
	memcpy(record, ip.bytes + skip, 16 - skip);
	memcpy(record + 16 - skip, name, length);
	put_option(pcapng, skip ? NAMES_IP4 : NAMES_IP6, record, 16 - skip + length);
	put_two(pcapng, OPTION_END, 0);
	end(pcapng, at);
}

void pcapng_statistics(struct pcapng *pcapng, uint32_t interface, int64_t time, uint64_t received, uint64_t dropped)
{
	size_t at;

	if (!reserve(pcapng, BLOCK_ROOM))
		return;
	at = begin(pcapng, BLOCK_STATISTICS);
	put_u32(pcapng, interface);
	put_time(pcapng, time);
	put_option(pcapng, OPTION_RECEIVED, &received, sizeof(received));
	put_option(pcapng, OPTION_DROPPED, &dropped, sizeof(dropped));
	put_two(pcapng, OPTION_END, 0);
	end(pcapng, at);
}
