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
	LINKTYPE_ETHERNET = 1,
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_APPLICATION = 4, /* shb_userappl */
	OPTION_NAME = 2,	/* if_name */
	OPTION_DESCRIPTION = 3, /* if_description */
	OPTION_RESOLUTION = 9,	/* if_tsresol */
	OPTION_FLAGS = 2,	/* epb_flags */
	OPTION_RECEIVED = 4,	/* isb_ifrecv */
	OPTION_DROPPED = 5,	/* isb_ifdrop */
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
	memmove(pcapng->bytes, pcapng->bytes + length, pcapng->length - length);
	pcapng->length -= length;
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
	while (room < pcapng->length + length)
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

static void put(struct pcapng *pcapng, const void *bytes, size_t length)
{
	static const uint8_t zeros[4];

	memcpy(pcapng->bytes + pcapng->length, bytes, length);
	pcapng->length += length;
	length = -length & 3; /* everything is padded to 32 bits */
	memcpy(pcapng->bytes + pcapng->length, zeros, length);
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
	memcpy(pcapng->bytes + at + 4, &length, sizeof(length));
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
	put_text(pcapng, OPTION_APPLICATION, application);
	put_two(pcapng, OPTION_END, 0);
	end(pcapng, at);
}

void pcapng_interface(struct pcapng *pcapng, const char *name, const char *description, uint32_t snap_length)
{
	uint8_t nanoseconds = 9;
	size_t at;

	if (!reserve(pcapng, BLOCK_ROOM))
		return;
	at = begin(pcapng, BLOCK_INTERFACE);
	put_two(pcapng, LINKTYPE_ETHERNET, 0);
	put_u32(pcapng, snap_length);
	put_text(pcapng, OPTION_NAME, name);
	put_text(pcapng, OPTION_DESCRIPTION, description);
	put_option(pcapng, OPTION_RESOLUTION, &nanoseconds, 1);
	put_two(pcapng, OPTION_END, 0);
	end(pcapng, at);
}

static void put_time(struct pcapng *pcapng, int64_t time)
{
	put_u32(pcapng, (uint32_t)((uint64_t)time >> 32));
	put_u32(pcapng, (uint32_t)time);
}

bool pcapng_packet(struct pcapng *pcapng, const struct pcapng_packet *packet)
{
	uint32_t flags = packet->direction;
	size_t at;

	if (!reserve(pcapng, BLOCK_ROOM + packet->captured))
		return false;
	at = begin(pcapng, BLOCK_PACKET);
	put_u32(pcapng, packet->interface);
	put_time(pcapng, packet->time);
	put_u32(pcapng, (uint32_t)packet->captured);
	put_u32(pcapng, (uint32_t)packet->length);
	put(pcapng, packet->bytes, packet->captured);
	put_text(pcapng, OPTION_COMMENT, packet->comment);
	if (flags)
		put_option(pcapng, OPTION_FLAGS, &flags, sizeof(flags));
	put_two(pcapng, OPTION_END, 0);
	end(pcapng, at);
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
