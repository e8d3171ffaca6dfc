/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the supervisor (src/run) and the daemon (src/daemon) say to each other,
 * over SOCK_SEQPACKET Unix sockets at <directory>/run.sock. One message is one
 * packet: a struct channel_message head and payload_length bytes of payload.
 *
 * Who is who. A program's socket is an AF_UNIX socket that the supervisor made
 * and injected; it is known everywhere by a 64-bit id that the supervisor
 * chose (CHANNEL_ID_BASE), and it is bound, from the start, to the abstract name
 *
 *	"\0berth." key ".s" id "." domain type protocol          (stream sockets)
 *
 * key: the network's 128 random bits in hex; id: 16 hex digits; domain, type,
 * protocol: two hex digits each. So a descriptor's identity is its own name,
 * read through pidfd_getfd; and whether the socket is still open anywhere is
 * answered by binding another to its name: EADDRINUSE says alive
 * (name_is_alive()). Nobody has to see close().
 *
 * The daemon's end of a TCP connection is a stream socket too. For a
 * connection that a program makes, the supervisor connects the program's
 * socket to the daemon's listener "\0berth." key ".d"; the daemon knows it by
 * its peer's name. For one that a program accepts, the daemon binds its end to
 *
 *	"\0berth." key ".c" id "." address      (address: family, port, ip in hex)
 *
 * and connects it to the program's listener: what accept() returns has that
 * as its peer's name, which gives its id and the peer's address without a
 * question. Ids of accepted sockets are chosen by the daemon (top bit set).
 *
 * Datagram sockets (UDP) and netlink sockets are SOCK_SEQPACKET pairs: the
 * program has one end, bound to the name as above; the daemon gets the other
 * with CHANNEL_SOCKET, and its end of file says that the program's is closed.
 * (Where POLLERR is waited for the pair is a SOCK_DGRAM one: CHANNEL_RAISE.)
 * A datagram for the program travels with one descriptor (SCM_RIGHTS) of a
 * sealed memfd that holds a struct channel_tag: where it came from, and rare
 * control messages. A native recv() drops it. The supervisor reads it for recvfrom() and recvmsg().
 *
 * Express: CHANNEL_CONNECT's reply may name the listener itself, and then the
 * supervisor connects the program's socket straight to that. The acceptor's
 * supervisor asks whether that was so (CHANNEL_GETPEERNAME). The acceptor's
 * peer name is then the client's own ".s" name; CHANNEL_GETPEERNAME with
 * CHANNEL_PEER_ID asks about it.
 *
 * Express datagrams (shim.h): who sends may be given the receiver's far end
 * itself. Such ends are bound to "\0berth." key ".f" id, so that a supervisor
 * knows them and lets nobody shut them. A far end's other direction carries
 * only what a connected socket sends natively, so connect() makes a new pair
 * first where the old end is lent.
 *
 * Versions: CHANNEL_VERSION goes up with every change; HELLO compares.
 */
#ifndef CONTROL_CHANNEL_H
#define CONTROL_CHANNEL_H

#include <stdint.h>

#define CHANNEL_VERSION 10
#define CHANNEL_PAYLOAD_MAX 66000 /* a UDP datagram and its address */
#define CHANNEL_ADDRESS_MAX 32	  /* struct sockaddr_in6 and some */
#define CHANNEL_ID_ACCEPTED (UINT64_C(1) << 63)
/* The ids of the sockets that a session makes: this, and a count in the low half. */
#define CHANNEL_ID_BASE(session) ((uint64_t)(session) << 32 & ~CHANNEL_ID_ACCEPTED)

enum channel_type {
	/*
	 * supervisor -> daemon; each is answered by one message of the same type
	 * and tag unless it says one-way. result: 0 or a count, or -errno.
	 */
	CHANNEL_HELLO = 1,   /* first on every connection. payload: struct channel_hello;
			      reply payload: struct channel_welcome */
	CHANNEL_PUBLISH,     /* payload: struct channel_publish. -EADDRINUSE, -EACCES, … */
	CHANNEL_SOCKET,	     /* one-way, unless flags have CHANNEL_ASKED. id domain kind protocol; fd: the
			      daemon's end (datagram kinds). A stream socket is made by the first call on it, which
			      has CHANNEL_NEW. One that can't be made is unknown from then on; the daemon says so
			      unasked, with the same type and id, and calls on it are -ENOBUFS */
	CHANNEL_BIND,	     /* id, address */
	CHANNEL_LISTEN,	     /* id, value = backlog */
	CHANNEL_CONNECT,     /* id, address; value = 1 when non-blocking, CONNECT_ROW when it is one of many
			      to the address: the reply's value is how many more of them the listener has
			      surely room for in the next few milliseconds. result 0: established, connect
			      the program's socket to ".d" (or to the name in the payload, if any:
			      express). -EINPROGRESS: a CHANNEL_CONNECTED follows with the same tag.
			      Datagram and AF_UNSPEC (disconnect): result is all there is.
			      CHANNEL_QUIET: one-way, and the program's socket comes to ".d" whatever
			      the result will be; an error is the socket's. With a payload, uint64_t,
			      it goes straight to that listener (express) */
	CHANNEL_ATTACH,	     /* one-way, before connecting to ".d": value = count of filler bytes that the
			      program's socket holds; the daemon throws them away once it is established */
	CHANNEL_GETSOCKNAME, /* id. reply: address */
	CHANNEL_GETPEERNAME, /* id, flags may have CHANNEL_PEER_ID, and then payload = uint64_t, the
			        listener's id: -ENOTCONN unless express sent id there; value: the process that
				connected it. reply: address */
	CHANNEL_SETSOCKOPT,  /* id level option, payload = value */
	CHANNEL_GETSOCKOPT,  /* id level option, value = room. reply payload = value */
	CHANNEL_SHUTDOWN,    /* id, value = how. SHUT_WR itself is also done natively by the supervisor */
	CHANNEL_SENDTO,	     /* id, address (length 0: none), payload = datagram; control_length bytes of
			        cmsg come first in the payload. result: bytes. flags may have
			        CHANNEL_QUIET */
	CHANNEL_IOCTL,	     /* id or 0 (AF_UNIX socket), option = request, payload = struct ifreq or
			        ifconf buffer; reply payload: the same, filled in */
	CHANNEL_RECVERR,     /* id, value = room for data. The next of the socket's queue of errors: reply
			      address = whom it was sent to, payload = control_length bytes of cmsg and
			      the data, value = MSG_TRUNC or 0. -EAGAIN: there is none */
	CHANNEL_CLOSING,     /* one-way: this socket's last holder is known to be gone (optional hint) */
	CHANNEL_LOG,	     /* one-way. value = 1 or 2; fd: where to read the program's output or errors from */
	CHANNEL_RULE,	     /* payload: struct channel_rule: what the host may reach outside */
	CHANNEL_DENIED,	     /* value: how often it tried what it must not; reply payload: lines of text */
	CHANNEL_FAR,	     /* id, address (length 0: the peer's). Express, for datagrams: by what far end
			      they go straight into the queue of the receiver's program. reply: value =
			      bytes of the largest, payload = struct channel_tag to send along, fd.
			      -EAGAIN: they have to go through the stack */
	CHANNEL_RENEW,	     /* id, payload = uint64_t, its new id; fd: the new pair's far end. The old one
			      is nobody's any more */
	CHANNEL_EXIT,	     /* one-way: the program has ended, value = its exit code as the shell gets it;
			      flags may have CHANNEL_UNSTARTED */
	CHANNEL_PROCNET,     /* payload: a name in /proc/net, value: the line to begin with. reply payload: whole
			      lines; value: the line to go on with, or 0. -ENOENT: not one that is answered for */
	CHANNEL_TICKETS,     /* id address, payload = struct channel_tickets: numbers of sockets that the program, pid,
			      may connect to the address natively (express). reply: value = how many of them,
			      payload = the listener's name. -EAGAIN: they have to be asked for one by one */
	CHANNEL_TABLE,	     /* id, a listener. reply: fd = SHIM_TABLE_ENTRIES of struct shim_entry, to be read only:
			      who may come to the host's listeners so. -EAGAIN: nobody */
	CHANNEL_RAISE,	     /* one-way. id; fd: the daemon's end of the SOCK_DGRAM pair that takes the place of a
			      datagram socket's: its errors are to be POLLERR */

	/* daemon -> supervisor, not asked for */
	CHANNEL_CONNECTED = 64, /* tag of the CHANNEL_CONNECT; result 0 or -errno (payload: express name) */
	CHANNEL_RESET,		/* id: find the program's socket (it is connected to the daemon), send one byte
			   from it with MSG_DONTWAIT, and answer with the same type and id: the
			   daemon then closes its end with that byte unread, which the program sees
			   as ECONNRESET */
	CHANNEL_SIGNAL,		/* value: send this signal to the program */
	CHANNEL_PAUSE,		/* value 1: stop every process of the program; 0: let them go on */
	CHANNEL_TELL,		/* payload: text for the user, a line, to print on stderr after "berth: " */
};

enum {
	CHANNEL_PEER_ID = 1,   /* id is the far end's (".s" of an express client) */
	CHANNEL_UNSTARTED = 1, /* EXIT: it never ran, and was said why: there is nothing to keep */
	CHANNEL_QUIET = 4,     /* SENDTO: one-way; an error is the socket's. SETSOCKOPT: one-way; can't fail */
	CHANNEL_WIRE = 2,      /* CONNECT: not by express; its listener's queue was full */
	CHANNEL_LENDABLE = 1,  /* SOCKET: the far end may be given to others (CHANNEL_FAR): it is bound to ".f" */
	CHANNEL_LENT = 1,      /* CONNECT's reply, with -EAGAIN: others have the far end, where they could read
			         what is sent natively from now on. RENEW, and ask again */
	CHANNEL_FASTOPEN = 8,  /* CONNECT: the SYN may wait for data, as with TCP_FASTOPEN_CONNECT */
	CHANNEL_ASKED = 32,    /* SOCKET: it is answered */
	CHANNEL_TICKET = 64,   /* GETPEERNAME's reply: it was connected by the program itself */
	CHANNEL_NEW = 16,      /* any call on a stream socket that was never connected: if id is not known, it is
				  a socket of domain, kind and protocol that has been made since */
};

enum { CONNECT_ROW = 2 };

struct channel_message {
	uint32_t type; /* enum channel_type */
	uint32_t flags;
	uint64_t tag; /* chosen by the asker, repeated in the answer */
	uint64_t id;
	int32_t result;
	int32_t value;
	int32_t level, option;
	uint16_t domain, kind; /* AF_*, SOCK_* without flags */
	uint16_t protocol;
	uint16_t address_length;
	int32_t pid; /* thread group that made the call */
	uint32_t control_length;
	uint32_t payload_length;
	uint32_t reserved;
	uint8_t address[CHANNEL_ADDRESS_MAX]; /* struct sockaddr */
	char command[16];		      /* with SOCKET and CHANNEL_NEW: /proc/PID/comm */
};

enum {
	HELLO_EXPRESS = 1,  /* --express */
	HELLO_JOIN = 2,	    /* one more connection of the host whose id is in join_id */
	HELLO_DETACHED = 4, /* -d: known until it is removed, also when it has ended */
	HELLO_REMOVE = 8,   /* --rm: … no longer than it runs */
	HELLO_EXEC = 16,    /* another program on the host called name, which ends with that host's own */
};

struct channel_hello {
	uint32_t version;
	uint32_t flags;
	uint64_t join_id;
	uint64_t session; /* the same random number on all connections of a supervisor: CHANNEL_ID_BASE */
	char name[64];	  /* host name wanted; empty: made from the program's name */
	char program[64]; /* basename of argv[0] */
	uint8_t ip[16];	  /* struct berth_ip; zero: any */
	uint8_t ip6[16];  /* the IPv6 one, where that is asked for */
	int32_t pid;	  /* of the program's first process, or 0 if not started yet */
	uint32_t reserved;
};

struct channel_welcome {
	uint32_t version;
	uint32_t flags; /* HELLO_EXPRESS: the host is on express */
	uint64_t join_id;
	char name[64]; /* the host's name as it is now */
	char key[33];  /* the network's, 32 hex digits */
	char network[31];
	uint8_t ip4[16], ip6[16];
};

struct channel_publish {
	uint8_t real_ip[16]; /* struct berth_ip to listen at on the real machine */
	uint16_t real_port;  /* 0: any; the reply's value says which */
	uint16_t port;	     /* of the host */
	uint8_t protocol;    /* 6 or 17 */
	uint8_t reserved[3];
};

enum {
	RULE_ALLOW = 1,	 /* ip/prefix or name, and port (0: any) */
	RULE_DENY,	 /* the same, and it wins */
	RULE_ALL,	 /* allow everything */
	RULE_NAMESERVER, /* ask names at ip */
	RULE_HOST,	 /* name is ip, for this host */
	RULE_ALIAS,	 /* this host is found as name, too, by everybody */
};

struct channel_tickets {
	uint64_t first;
	uint32_t count;
	int32_t pid;
};

struct channel_rule {
	uint8_t kind; /* RULE_* */
	uint8_t prefix;
	uint16_t port;
	uint8_t ip[16]; /* struct berth_ip; an IPv4 prefix counts from the start of the IPv4 address */
	char name[256];
};

enum {
	TAG_DATAGRAM, /* source is where the datagram came from */
	TAG_ERROR,    /* no datagram: recvmsg() fails with error, once */
};

enum { TAG_EXTRA_MAX = 256 };

struct channel_tag {
	uint32_t kind;
	int32_t error; /* positive errno */
	uint16_t source_length, destination_length;
	uint32_t link_index;
	uint32_t ttl, traffic_class;
	uint32_t extra_length;		     /* so much comes after this: control messages as recvmsg() shows them */
	uint8_t source[CHANNEL_ADDRESS_MAX]; /* struct sockaddr (or sockaddr_nl) */
	uint8_t destination[CHANNEL_ADDRESS_MAX];
};

#endif
