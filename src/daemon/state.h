/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon from the inside. One thread, one loop; everything hangs off
 * struct daemon, which there is one of a process.
 *
 * A plug is what joins one socket of a program to one socket of its host's
 * stack: it holds the stack's descriptor and, once there is one, our end of the
 * program's Unix socket. What it does with them is its role's business.
 */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include "base/list.h"
#include "base/timer.h"
#include "control/channel.h"
#include "control/name.h"
#include "os/loop.h"

#include <berth/net.h>
#include <berth/protocol.h>
#include <berth/socket.h>

struct MHD_Daemon;
struct flow;
struct host;
struct journal;
struct owners;
struct plug;
struct ring;
struct tickets;
struct tags;

enum {
	SCRATCH_SIZE = 256 * 1024, /* bytes moved at once */
	PLUG_BUCKETS = 4096,
	STREAM_READABLE = EPOLLIN | EPOLLRDHUP | EPOLLPRI, /* what is waited for at an end that is read */
	STREAM_RESET_WAIT_MS = 500,			   /* for the supervisor to have a reset seen */
};

struct daemon {
	struct loop loop;
	struct berth_net *net;
	char network[31], key[NAME_KEY_LENGTH + 1];
	char directory[200];
	int lock, probe; /* probe: name_is_alive()'s */
	int send_buffer; /* SO_SNDBUF of our ends */
	int spare;	 /* a descriptor to be had when there is no other: spare.c */
	berth_time started;
	struct list hosts;		  /* struct host, gateway included */
	struct list channels;		  /* that said no HELLO yet */
	struct list captures;		  /* struct capture */
	struct list records;		  /* struct record */
	struct list readers;		  /* struct reader */
	struct list work;		  /* plugs whose stack socket wants to be looked at */
	struct plug *plugs[PLUG_BUCKETS]; /* by id */
	size_t outbound_flows;		  /* outbound.c */
	size_t idle_plugs, sweep_at;	  /* stream plugs with no end of ours, and when to look which are dead */
	uint64_t last_id, last_join;
	struct host *gateway;
	struct loop_watch run_listener, stream_listener, api_listener, api_events;
	bool hearing; /* plugs_hear_closed() is under way: what it hears may ask for it */
	struct journal *journal;
	struct owners *owners; /* while frames are recorded */
	struct ring *ring;     /* of the last frames, while it is asked for */
	struct MHD_Daemon *api;
	bool api_due;
	struct berth_timer startup; /* nobody came */
	uint8_t *scratch;
};

/* A connection of a supervisor. */
struct channel {
	struct list node; /* in host->channels, or daemon->channels before HELLO */
	struct daemon *daemon;
	struct host *host;
	uint64_t session;
	struct loop_watch watch;
	struct list outgoing; /* messages that did not fit the socket */
	size_t outgoing_count;
};

struct host {
	struct list node; /* in daemon->hosts */
	struct daemon *daemon;
	struct berth_host *host;
	struct berth_stack *stack;
	uint64_t join_id, session; /* session: its own supervisor's; others are of berth exec */
	struct record *record;
	char program[64];
	int32_t pid, carrier; /* carrier: the supervisor that connected to us last */
	bool express, gateway;
	struct tickets *table;		/* of tickets to its listeners; NULL: none yet */
	unsigned express_turn;		/* whose is the next connection, of several listeners */
	bool leaving;			/* its program is gone; what it said last is still under way */
	berth_time started, short_told; /* short_told: of descriptors, 0: never */
	int64_t started_wall;
	struct list channels, plugs, listeners, published;
	struct plug **by_fd;
	size_t by_fd_room;
	struct berth_timer leave_timer;
};

/* Bytes that one side took from us only in part. */
struct held {
	uint8_t *bytes;
	size_t from, length;	     /* bytes[from … from + length - 1] */
	struct berth_packet *packet; /* that the bytes are in; NULL: they are malloc()'s */
};

struct plug_role {
	const char *name;
	/* The stack's socket may be ready for something: look. May end the plug. */
	void (*core_ready)(struct plug *plug);
	/* Our end has events (EPOLL*). May end the plug. */
	void (*end_ready)(struct plug *plug, uint32_t events);
	/* plug is ending: forget it. NULL: there is nothing to do. */
	void (*ended)(struct plug *plug);
};

struct plug {
	struct list node;      /* in host->plugs */
	struct list work;      /* in daemon->work */
	struct list listening; /* in host->listeners */
	struct plug *next;     /* in daemon->plugs */
	uint64_t id;
	uint64_t session; /* of whose program it is */
	struct host *host;
	const struct plug_role *role;
	uint16_t domain, kind, protocol;
	int32_t pid;
	char command[16];
	int fd;			 /* the stack's; -1: none */
	int end;		 /* ours of the program's socket (or a real connection's); -1: none */
	struct loop_watch watch; /* of end, while it is watched */
	int error;		 /* for SO_ERROR: positive errno */
	/* stream */
	struct held to_core, to_program;
	bool urgent_to_core, urgent_to_program; /* what is held is the urgent byte */
	int receive_buffer;			/* what the program's SO_RCVBUF said; 0: nothing */
	uint32_t low_water;			/* SO_RCVLOWAT; 0: nothing was said */
	uint64_t filler;			/* bytes to throw away first */
	bool connect_told_later;		/* the supervisor was answered -EINPROGRESS */
	bool connect_quiet;			/* … nothing, and has connected the program's socket to us */
	bool refused, refusing;			/* such a connection failed: its end is to be reset, is being reset */
	bool connecting, established, real, core_ended, end_ended, end_hung_up, core_shut, resetting;
	bool end_grown;			 /* has all the room that it may have */
	bool end_inline;		 /* keeps urgent bytes in their place */
	bool end_drained;		 /* read to its last byte; the loop says when there is more */
	bool end_plain;			 /* readable, and the next byte is not an urgent one */
	bool end_all_plain;		 /* nor is any other */
	bool end_bulk, core_bulk;	 /* so much came last time that whole packets are moved */
	struct channel *connect_channel; /* who waits for CHANNEL_CONNECTED, with which tag */
	uint64_t connect_tag;
	struct berth_timer timer;
	/* listener */
	bool gone;	       /* found dead from inside a hook: end it outside */
	struct plug *waiting;  /* accepted, but the program's own backlog is full */
	struct plug *waits_at; /* the other way round */
	int backlog;	       /* as the program wants it */
	unsigned refusals;     /* in a row, of a socket that is not known to listen yet */
	/* datagram */
	struct tags *tags;
	bool lendable, lent, shut; /* far.c: end may be given to others; has been; shutdown() was called */
	struct flow *flow;	   /* relay.c */
	struct outbound *outbound; /* outbound.c */
	bool outside_pending;	   /* a real connection comes before the one on the network */
	/*
	 * Whom this really talks to on the real machine's network: of the gateway's, what
	 * others are shown in place of the gateway's address; port 0: nobody.
	 */
	struct berth_endpoint shown;
	bool raises;		/* its errors are to be POLLERR: end is one of a SOCK_DGRAM pair */
	uint32_t shown_options; /* what the program set of what we always set: datagram.c */
	/* netlink */
	uint32_t netlink_port;
	/* express: both ends' addresses; the far end's is the listener's */
	bool express;
	struct berth_endpoint express_local, express_remote;
	uint64_t express_listener;
	berth_time ticket_until; /* the program may connect it natively */
	pid_t ticket_pid;	 /* who; 0: nobody */
};

struct publish {
	struct list node; /* in host->published */
	struct host *host;
	struct loop_watch watch;
	struct berth_ip real_ip;
	uint16_t real_port, port;
	uint8_t protocol;
	struct list flows; /* UDP: relay.c */
	struct berth_timer idle_timer;
};

/* One message from a supervisor, and the answer being made to it. */
struct request {
	struct channel *channel;
	struct daemon *daemon;
	struct host *host;
	struct plug *plug; /* of message.id; NULL: unknown */
	const struct channel_message *message;
	const uint8_t *payload;
	size_t payload_length;
	int fd; /* that came along; -1: none. Who takes it sets -1 */
	struct channel_message reply;
	uint8_t *reply_payload; /* room for CHANNEL_PAYLOAD_MAX */
	int reply_fd;		/* a copy of it goes along; -1: none */
};

/* daemon.c */
/* Let time into the host's stack before calling it. */
void host_touch(struct host *host);
/* Have plug's core_ready() called soon. */
void plug_work(struct plug *plug);
/* Move frames until things are quiet: what a call began on the network is then as far as it gets at once. */
void daemon_settle(struct daemon *daemon);

/* host.c */
int host_hello(struct channel *channel, const struct channel_hello *hello, struct host **ret_host);
struct host *host_gateway(struct daemon *daemon); /* made when it is not there; NULL: can't be */
struct host *host_of_ip(struct daemon *daemon, struct berth_ip ip);
/* The last channel of host is gone: so is its program. */
void host_leave(struct host *host);
void host_free(struct host *host);
/* End the hosts that have left and have nothing more to say; stop the daemon when none is left. */
void hosts_reap(struct daemon *daemon);

/* spare.c */
/* Keep one descriptor for when there is no other. */
void spare_open(struct daemon *daemon);
/* Give it up for something that does not last; spare_open() takes it back. */
void spare_lend(struct daemon *daemon);
/* process_is_run(), with its help. */
int spare_is_run(struct daemon *daemon, pid_t pid);
/* Tell host's user what came of it, now and then. */
void spare_tell(struct host *host, const char *what);
/* accept4(). With *ret_refuse it took the spare one: refuse the connection, and give the descriptor back at once. */
int spare_accept(struct daemon *daemon, int listener, struct sockaddr *address, socklen_t *length, bool *ret_refuse);
/* Takes fd over. */
void spare_refused(struct daemon *daemon, int fd);

/* channel.c */
void channel_accept(struct loop_watch *watch, uint32_t events);
void channel_free(struct channel *channel);
/*
 * Take what the supervisor whose program has the socket id has said so far and waits for no answer to. What was in the
 * request that is being answered, but its head, is gone then.
 */
void channels_hear(struct daemon *daemon, uint64_t id);
/* The first connection of session's supervisor, or of any; NULL: there is none. */
struct channel *channel_of(struct host *host, uint64_t session);
/* Send one message; the supervisor that does not read loses its channel later. */
void channel_send(struct channel *channel, struct channel_message *message, const void *payload, size_t length);
/* The same with a descriptor, which stays the caller's; -EAGAIN in the message in its stead when there is no room. */
void channel_send_fd(struct channel *channel, struct channel_message *message, const void *payload, size_t length,
		     int fd);
/* A line for host's user. printf-like. */
void host_tell(struct host *host, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Results that are no errno, since calls may have any: nothing is to be sent (now); who asked makes no sense, and is left. */
enum { CALL_ANSWERED = -100000, CALL_NONSENSE = -100001 };
/* calls.c: answers request; returns its result, or CALL_ANSWERED. */
int32_t call_run(struct request *request);
/* Does nobody wait for an answer to message? */
bool call_is_one_way(const struct channel_message *message);

/* socket.c */
int32_t call_socket(struct request *request);
/* request, on a socket that is not known, has CHANNEL_NEW: open it. Returns 0 or why it can't be. */
int32_t call_socket_first(struct request *request);

/* plug.c */
struct plug *plug_find(struct daemon *daemon, uint64_t id);
/* fd: the stack's descriptor, taken over also on failure (NULL). */
struct plug *plug_new(struct host *host, uint64_t id, const struct plug_role *role, int fd);
/* End plug: closes both its sockets. */
void plug_free(struct plug *plug);
/* End plug with a RST for whom it talks to. */
void plug_abort(struct plug *plug);
/* plug is known by another id from now on. */
void plug_rename(struct plug *plug, uint64_t id);
struct plug *plug_of_fd(struct host *host, int fd);
/* Is the program's stream socket still open anywhere? */
bool plug_is_alive(struct plug *plug);
/*
 * A datagram socket's end says when the program has closed it, but other ends and lines may be looked at before it.
 * Look now. Returns whether plug has ended.
 */
bool plug_hear_closed(struct plug *plug);
socklen_t plug_name(const struct plug *plug, struct sockaddr_un *ret_address);
/* End stream sockets of host that no process has open any more. */
void plugs_sweep(struct host *host);
/*
 * What session's program has closed is closed for all that it does next, also
 * when the loop has not come to it: the order of calls is one, of a program
 * with few conversations. May end any plug.
 */
void plugs_hear_closed(struct host *host, uint64_t session);
/* Set what every end of ours has set. */
void plug_tune_end(struct plug *plug, int end);
/* Take end and watch it. Returns 0 or a negative errno (end is then still the caller's). */
int plug_take_end(struct plug *plug, int end, uint32_t events);
/* Give plug, which has none, the stack's descriptor fd. Returns 0 or -ENOMEM. */
int plug_take_fd(struct plug *plug, int fd);
/* outbound.c: a program's datagram socket has ended. */
void outbound_program_ended(struct plug *program);
/* Positive errno of the stack's socket, taken off it. */
int plug_take_error(struct plug *plug);
uint64_t plug_new_id(struct daemon *daemon);

/* stream.c, stream_open.c, listener.c, datagram.c, netlink.c, relay.c */
extern const struct plug_role role_idle, role_stream, role_listener, role_datagram, role_netlink, role_relay;
int32_t stream_connect(struct request *request, const struct sockaddr *address, socklen_t length);
/* Programs' sockets connected to ".d": the next, or all. */
void stream_accept(struct loop_watch *watch, uint32_t events);
void stream_accept_all(struct daemon *daemon);
/* The stack's connect has an end, good or bad. Returns false when plug is not to be pumped. */
bool stream_connected(struct plug *plug);
/* plug has both its sockets: begin. */
void stream_begin(struct plug *plug);
/*
 * Is the connection that request asks about no more? The peer's close(), or its
 * frame, may still be under way; what it sent before that is passed on first.
 * May end request's plug, and then request has none. Linux: inet_getname()
 */
bool stream_is_over(struct request *request);
/* When the program has read all that was written to its end: is the next byte urgent, whether it has come or not? */
bool stream_at_mark(struct plug *plug);
/* low_water.c: the program has set SO_RCVLOWAT; and is what has come too little yet? */
void stream_low_water(struct plug *plug, int value);
bool stream_below_low_water(struct plug *plug);
void stream_reset_answered(struct plug *plug);
/* Nothing comes of this end; the program may try again with another. Ends a published connection. */
void stream_drop_end(struct plug *plug);
/* A CHANNEL_CONNECT that nobody waits for takes time (-EINPROGRESS), or has failed. */
void stream_connect_quietly(struct plug *plug, int32_t result);
/* The program's socket has come for a connection that failed: it is to see that. */
void stream_refuse_end(struct plug *plug, int end);
/* plug may have such a socket, and is to be connected anew. */
void stream_refusal_over(struct plug *plug);
/* As if the peer had sent a RST: the program sees ECONNRESET, the peer gets one. May end plug. */
void stream_reset(struct plug *plug);
void held_free(struct held *held);
int listener_admit(void *context, int fd);
/* Is a connection to wanted the listener plug's? */
bool listener_hears(struct plug *plug, const struct berth_endpoint *wanted);
/* How many connections to the address has its listener surely room for, when it has taken what it has now? */
int listener_room(struct daemon *daemon, struct host *from, const struct sockaddr *address, socklen_t length);

/* Of one that raises errors: is the program's end open? No end of file says so. */
bool datagram_is_open(const struct plug *plug);
/* CHANNEL_RAISE. */
int32_t datagram_take_raising(struct request *request);
/* There may be more errors for the program than the one that it has just been told. */
void datagram_raise_more(struct plug *plug);
/* Send what the program has written natively so far. */
void datagram_hear(struct plug *plug);
/* A connection outside has failed: tell the program, as when the stack's connect() has. */
void stream_connect_failed(struct plug *plug, int error);
/* An error that belongs to plug's peer. */
void datagram_fail(struct plug *plug, int error);
int32_t datagram_setsockopt(struct request *request);
int32_t datagram_getsockopt(struct request *request);
void datagram_open(struct plug *plug);
/* What the program has sent, and was told that it has, did not go: positive errno. */
void datagram_failed(struct plug *plug, int error);

/* tags.c: sealed memfds that say where a datagram came from, kept for reuse. */
struct tags *tags_new(void);
void tags_free(struct tags *tags);
/* A descriptor that holds tag; stays tags'. Or a negative errno. */
int tags_get(struct tags *tags, const struct channel_tag *tag);
/* One of its own, with what it says to come after it; the caller's. Or a negative errno. */
int tag_make(const struct channel_tag *tag, const void *extra);

/* netlink.c */
int32_t netlink_request(struct plug *plug, const uint8_t *bytes, size_t length);

/* ioctl.c */
int32_t ioctl_run(struct request *request);

/* procnet.c: a file of /proc/net: the request's payload is its name, its value the line to begin with. */
int32_t procnet_run(struct request *request);

/* express.c */
/* Join plug to address without the stack if both ends allow it: 0 with the
 * listener's name as reply payload, or -EAGAIN: it has to go through the stack. */
int32_t express_connect(struct request *request, const struct sockaddr *address, socklen_t length);
/* An address of the request's socket, which is carried so. Returns its length. */
socklen_t express_name(const struct request *request, bool remote, struct sockaddr_storage *ret_address);
/*
 * Does the question come from where the request's socket was sent to? An acceptor that takes it says which listener it
 * is. May find, or lose, the request's socket.
 */
bool express_accepted(struct request *request);

/* Who hears what request's socket would send to the address in the message, by express; NULL: nobody. */
struct plug *express_listener(struct request *request, struct berth_endpoint *ret_remote);
/* Its abstract name, without the zero byte. Returns its length. */
uint32_t express_listener_name(const struct plug *listener, uint8_t *ret_name);
/* Claim a local port in the stack, unless the program did; both ends are known then. */
int express_claim(struct plug *plug, const struct berth_endpoint *remote);

/* ticket.c: answers to CHANNEL_TICKETS and CHANNEL_TABLE */
int32_t call_tickets(struct request *request);
int32_t call_table(struct request *request);
/* plug is to be an unconnected socket, for its program does something else with it. Returns 0 or a negative errno. */
int ticket_void(struct plug *plug);
/* May the program's socket still be made, and connected? */
bool ticket_holds(const struct plug *plug);
/* Is it one with a ticket that no program has open? */
bool ticket_unused(struct plug *plug);
void tickets_free(struct tickets *table);

/* far.c: answers to CHANNEL_FAR and CHANNEL_RENEW */
int32_t far_lend(struct request *request);
int32_t far_replace(struct request *request);

/* publish.c */
int32_t publish_open(struct host *host, const struct channel_publish *wanted);
void publish_free(struct publish *publish);

/* Find host's published port. NULL: there is none. */
struct publish *publish_find(struct host *host, const struct channel_publish *wanted);

/* A socket of the gateway's that is (SOCK_STREAM: is being) connected to publish's host and port. NULL: it can't be. */
struct plug *publish_connect(struct publish *publish, int kind, const struct plug_role *role);

/* outside.c */
/* May ip be shown for what is outside: it is nobody's on the network? */
bool outside_showable(struct daemon *daemon, struct berth_ip ip);
/* If endpoint is one of the gateway's that stands for somebody outside, put that one in its place. */
void outside_show(struct daemon *daemon, uint8_t protocol, struct berth_endpoint *endpoint);
/* The same for a program's socket of this family (AF_*), in an address. Returns whether it was so. */
bool outside_show_address(struct daemon *daemon, uint8_t protocol, int family, struct sockaddr_storage *address,
			  socklen_t *length);

/* relay.c: the gateway's endpoint for a real client of host's published UDP ports; false: there is none. */
bool relay_find(struct host *host, struct berth_endpoint *endpoint);

/* relay.c: publish, whose socket is a UDP one, begins and ends. */
void relay_open(struct publish *publish);
void relay_close(struct publish *publish);
void relay_ready(struct loop_watch *watch, uint32_t events);

/* api.c */
int api_open(struct daemon *daemon, int listener);
void api_close(struct daemon *daemon);
/* When the API wants to be run again. */
berth_time api_deadline(const struct daemon *daemon);
void api_run(struct daemon *daemon);

/* address.c */
socklen_t address_write(const struct berth_endpoint *endpoint, int family, struct sockaddr_storage *ret_address);
bool address_read(const struct sockaddr *address, socklen_t length, struct berth_endpoint *ret_endpoint);

#endif
