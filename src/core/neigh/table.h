/* SPDX-License-Identifier: BSD-2-Clause */
/* neigh/'s own: the table of a link and its entries. */
#ifndef CORE_NEIGH_TABLE_H
#define CORE_NEIGH_TABLE_H

#include "core/neigh/neigh.h"
#include "wire/ndp.h"

enum neigh_state { /* RFC 4861 §7.3.2 */
		   NEIGH_INCOMPLETE,
		   NEIGH_REACHABLE,
		   NEIGH_STALE,
		   NEIGH_DELAY,
		   NEIGH_PROBE,
};

/*
 * What an entry is worth when the table is full. Those that we only heard of
 * go first, then those that have yet to answer; strangers can fill the table
 * with both, but not push out neighbours that we talk to.
 */
enum neigh_class {
	NEIGH_HEARD,   /* it asked for us; nothing was sent to it yet */
	NEIGH_PENDING, /* INCOMPLETE */
	NEIGH_KNOWN,   /* has an address and is used */
	NEIGH_CLASSES,
};

struct neigh {
	struct neigh *next; /* in its bucket */
	struct list node;   /* in its class, least recently used first */
	struct neigh_table *table;
	struct berth_ip ip;
	uint8_t mac[6];
	uint8_t state;	  /* enum neigh_state */
	uint8_t class;	  /* enum neigh_class */
	uint8_t solicits; /* sent since the timer began */
	berth_time reachable_until;
	struct berth_timer timer;    /* INCOMPLETE, DELAY, PROBE */
	struct packet_queue waiting; /* INCOMPLETE only */
};

enum { NEIGH_BUCKETS = 256 };
#define DEFEND_INTERVAL (10 * BERTH_SEC) /* RFC 5227 §1.1 */

struct neigh_table {
	struct berth_link *link;
	size_t count, counts[NEIGH_CLASSES];
	struct list classes[NEIGH_CLASSES];
	struct list dads;			    /* dad.c's */
	berth_time reachable_time, retransmit_time; /* RFC 4861 §10, or as routers say */
	struct autoconf *autoconf;		    /* autoconf.c's; NULL: off */
	berth_time conflict_at;			    /* arp.c's: when an address of ours was claimed last */
	struct neigh *buckets[NEIGH_BUCKETS];
};

/* table.c: entries come and go. */
struct neigh *neigh_find(struct neigh_table *table, struct berth_ip ip);
/* A new INCOMPLETE (class NEIGH_PENDING) or STALE (NEIGH_HEARD) entry; NULL: no room, no memory. */
struct neigh *neigh_new(struct neigh_table *table, struct berth_ip ip, enum neigh_class class);
void neigh_set_class(struct neigh *neigh, enum neigh_class class); /* and most recently used */
/* Take it out of the table and free it; packets that wait are dropped for reason, without a
 * word to their transports: this happens inside a transport's call to ip_send(), too. */
void neigh_drop(struct neigh *neigh, enum berth_event reason);
/* It did not answer: the same, but the transports are told. */
void neigh_fail(struct neigh *neigh);

/* neigh.c: the state machine. */
enum neigh_news {
	NEIGH_CONFIRMED, /* an answer to our question: REACHABLE */
	NEIGH_CLAIMED,	 /* said without being asked: STALE, if it changes anything */
};
void neigh_learn(struct neigh *neigh, const uint8_t mac[6], enum neigh_news news);
void neigh_timer(struct berth_timer *timer);
/* Send packet, which begins at its IP header or is ARP, in a frame to mac. */
void neigh_send_frame(struct berth_link *link, struct berth_packet *packet, const uint8_t mac[6], uint16_t type);

/* The address of link to ask or answer about ip from; ip_any if there is none of that family. */
struct berth_ip neigh_source(const struct berth_link *link, struct berth_ip ip);
struct link_address *neigh_own_address(const struct berth_link *link, struct berth_ip ip);

/* Ask who has ip: everyone (mac NULL), or only mac. */
void arp_solicit(struct berth_link *link, struct berth_ip ip, const uint8_t *mac);
void ndp_solicit(struct berth_link *link, struct berth_ip ip, const uint8_t *mac, struct berth_ip source);

/* Ask for routers. */
void ndp_solicit_routers(struct berth_link *link);

/* autoconf.c. init: only with BERTH_LINK_AUTOCONF; 0 or -ENOMEM. */
int autoconf_init(struct berth_link *link);
void autoconf_fini(struct berth_link *link);
/* A valid advertisement from router. */
void autoconf_advert(struct berth_link *link, const struct wire_ndp *ndp, struct berth_ip router);

/* Someone else uses an address that is under test here. */
void dad_fail(struct berth_link *link, const struct link_address *address);

#endif
