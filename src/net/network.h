/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtual network from the inside; the outside is berth/net.h. */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "base/ip.h"
#include "base/list.h"
#include "base/packet.h"
#include "base/random.h"
#include "base/timer.h"
#include "link/cable.h"
#include "net/resolver.h"
#include "net/switch.h"

#include <berth/net.h>
#include <berth/socket.h>

#define HOST_NAME_MAX_LENGTH 63 /* a DNS label. RFC 1035 §2.3.4 */
#define GATEWAY_NUMBER 1	/* .1 of the subnet is kept for a gateway */
#define GATEWAY_NAME "_gateway" /* a host's, but no label that a program can ask for */

/* A cable with the timer that says when it has something due, and where that goes then. */
struct wire {
	struct cable cable;
	struct berth_timer timer;
	struct berth_net *net;
	struct berth_host *host;
	void (*arrive)(struct wire *wire, struct berth_packet *packet, berth_time now);
	int direction;		 /* as host sees what is on it */
	struct berth_host *from; /* a pair's: the sender; else NULL */
};

/* Who looks at frames. */
struct observer {
	void (*frame)(void *context, const struct berth_frame *frame); /* NULL: nobody */
	void *context;
};

/* Between two hosts' cables, inside the switch, where what goes from one to the other has conditions of its own. */
struct pair {
	struct list node; /* in from->pairs */
	struct berth_host *to;
	struct wire wire;
};

/* One more name of a host. */
struct host_name {
	struct list node; /* in host->names */
	char name[HOST_NAME_MAX_LENGTH + 1];
};

struct berth_host {
	struct list node;  /* in net->hosts */
	struct list names; /* struct host_name */
	struct berth_net *net;
	char name[HOST_NAME_MAX_LENGTH + 1]; /* lower case */
	struct berth_ip ip4, ip6;
	struct berth_stack *stack;
	struct berth_link *link;
	struct switch_port port;
	struct wire up, down;	  /* host to switch, switch to host */
	struct list pairs;	  /* struct pair, from this host */
	struct berth_hooks hooks; /* the embedder's */
	struct resolver resolver;
	struct berth_timer alarm; /* in net->alarms: not later than its stack's deadline */
	struct berth_timer turn;  /* in net->turns: its stack is due */
	berth_time number;	  /* how many came before it: the order of turns */
};

/* A query that reached a host's name server over UDP. */
struct net_question {
	int fd; /* the server's socket, and from whom to whom */
	int family;
	struct sockaddr_storage from;
	socklen_t from_length;
	struct berth_ip to;
	const uint8_t *bytes;
	size_t length;
	uint8_t bytes_id[2]; /* for the embedder: the query's own number, when it has put in another */
	bool known;	     /* the network has an answer: the name is a host's */
};

struct berth_net {
	const struct berth_allocator *allocator;
	berth_time now;
	struct random random;
	uint64_t sequence_seed; /* with a host's address: its stack's */
	char name[64];
	struct berth_ip subnet4, subnet6;
	unsigned subnet4_length, mtu, superframe;
	uint32_t lowest_free; /* no free host number lies below it */
	struct berth_limits limits;
	struct berth_packet_pool *packets;
	struct net_switch sw;
	struct timers wires;  /* cables that carry something, by when it is due */
	struct timers alarms; /* hosts, by when their stacks are due */
	struct timers turns;  /* hosts whose stacks are due in this round, in the order in which they came */
	struct list hosts;
	size_t host_count;
	uint64_t hosts_ever, visits; /* hosts that there were; how often one was looked at, for tests */
	struct list resolvers;	     /* with work to do */
	unsigned name_turns[2];	     /* of the hosts that share a name: for IPv4, for IPv6 */
	struct observer observer, drop_observer;
	/* The embedder's say in names, or NULL. True: it answers, with resolver_answer(), now or later. */
	bool (*ask)(void *context, struct berth_host *host, const struct net_question *question);
	void *ask_context;
};

/* wire.c: a host's two cables, those of its pairs, and what is on them. */
void wires_init(struct berth_host *host);
void wires_fini(struct berth_host *host);
void wire_put(struct wire *wire, struct berth_packet *packet, berth_time now);
/* Deliver some of what is due. Returns how many frames. */
unsigned wire_deliver(struct wire *wire, berth_time now);
/* The addresses of the host with this number. */
void net_addresses_of(const struct berth_net *net, uint32_t number, struct berth_ip *ret_ip4, struct berth_ip *ret_ip6);
struct berth_host *net_host_by_ip(struct berth_net *net, struct berth_ip ip);
/* Room for one more host's alarm: what is set after that can't fail. 0 or -ENOMEM. */
int net_alarm_reserve(struct berth_net *net);
/* host has a stack: be told when that has something to do. */
void net_alarm_watch(struct berth_host *host);
void net_alarm_cancel(struct berth_host *host);
/* Is fd one of the name service's own sockets on host? (Not the embedder's to see.) */
bool net_host_owns_fd(const struct berth_host *host, int fd);
/* A DNS label as RFC 1123 §2.1 has it. */
bool host_name_valid(const char *name);

#endif
