/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures in the pcapng format (draft-ietf-opsawg-pcapng), block by block, in
 * the byte order of this machine, which the format allows. Blocks go to the end
 * of a buffer that grows; who reads takes them from its front.
 */
#ifndef LINK_PCAPNG_H
#define LINK_PCAPNG_H

#include <berth/types.h>

struct pcapng {
	uint8_t *bytes;
	size_t from, length; /* what has not been read: bytes[from … from + length - 1] */
	size_t room, limit;  /* limit: blocks that would pass it are left out and counted */
	uint64_t left_out;
};

void pcapng_init(struct pcapng *pcapng, size_t limit);
void pcapng_fini(struct pcapng *pcapng);
/* What is there; valid until the next block. */
static inline const uint8_t *pcapng_bytes(const struct pcapng *pcapng)
{
	return pcapng->bytes + pcapng->from;
}
/* Forget the first length bytes, which have been read. */
void pcapng_took(struct pcapng *pcapng, size_t length);

/* Every file begins with a section; application is free text. */
void pcapng_section(struct pcapng *pcapng, const char *application);

struct pcapng_interface {
	const char *name, *description, *system; /* system: its operating system; each may be NULL */
	const uint8_t *mac;			 /* or NULL */
	uint64_t speed;				 /* bits a second; 0: not known */
	uint32_t snap_length;
};
/* An Ethernet interface, with times in nanoseconds. They are numbered from 0 in the order they are written. */
void pcapng_interface(struct pcapng *pcapng, const struct pcapng_interface *interface);
/* A process, also numbered from 0. Returns false when it was left out. */
bool pcapng_process(struct pcapng *pcapng, uint32_t pid, const char *name);

enum pcapng_direction { PCAPNG_UNKNOWN, PCAPNG_INBOUND, PCAPNG_OUTBOUND };

struct pcapng_packet {
	uint32_t interface;
	int64_t time; /* nanoseconds since 1970 */
	const uint8_t *bytes;
	size_t length, captured; /* captured is at most length */
	enum pcapng_direction direction;
	bool dropped;		     /* on its way, by the network */
	uint64_t id;		     /* of the same packet at several interfaces; 0: none */
	uint64_t missed;	     /* packets of this interface left out since the last one */
	const char *comment;	     /* may be NULL */
	const char *process_comment; /* whose it is; NULL: not known, and process means nothing */
	uint32_t process;	     /* pcapng_process()'s number */
};
/* Returns false when it was left out. */
bool pcapng_packet(struct pcapng *pcapng, const struct pcapng_packet *packet);
/* An address's name, for who reads the file. */
void pcapng_name(struct pcapng *pcapng, struct berth_ip ip, const char *name);
/* Blocks from elsewhere, whole ones. Returns false when they were left out. */
bool pcapng_copy(struct pcapng *pcapng, const void *blocks, size_t length);
/* An interface's figures, when it is over. */
void pcapng_statistics(struct pcapng *pcapng, uint32_t interface, int64_t time, uint64_t received, uint64_t dropped);

#endif
