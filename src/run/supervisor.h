/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the supervisor. One main thread, the worker (worker.c): an epoll loop
 * over pending calls, the daemon's messages and signals. Three receivers
 * (receiver.c) take turns in SECCOMP_IOCTL_NOTIF_RECV and run a call's handler.
 *
 * A call is in one thread's hands at a time. A handler that would block answers
 * CALL_PENDING; the call then moves to the worker, which runs call->attempt
 * again when the descriptor is ready, until it has a result.
 *
 * Locks: line->lock (held over one question and its answer), supervisor->lock
 * (pending and connecting lists, tables), notes_lock; they nest in no order but
 * supervisor->lock -> line->lock -> notes_lock.
 */
#ifndef RUN_SUPERVISOR_H
#define RUN_SUPERVISOR_H

#include "base/list.h"
#include "control/channel.h"
#include "control/name.h"
#include "run/run.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>

enum {
	LINE_EVENTS, /* the first connection: RESET, TELL */
	LINE_CALLS,  /* this and the next: calls, by socket id, so that a socket's stay in order */
	LINE_COUNT = 3,
	RECEIVER_COUNT = 3, /* of which one may linger */
	SCRATCH_SIZE = 128 * 1024,
	PEER_CACHE = 64,
	HINT_COUNT = 4096,
	TICK_MS = 10,
};

/* One connection to the daemon. */
struct line {
	int fd;
	unsigned index;
	pthread_mutex_t lock;
	uint64_t next_tag;
	uint8_t *payload;  /* CHANNEL_PAYLOAD_MAX bytes: the last answer's, while locked */
	int received;	   /* the descriptor that came with the last answer, while locked; -1: none */
	unsigned expected; /* CONNECTEDs that are to come on it; under supervisor->lock */
};

/* A message that was not asked for, on its way to the worker. */
struct note {
	struct list node;
	struct channel_message message;
	char payload[512];
};

/* What a descriptor of the program turned out to be. */
struct descriptor {
	int fd; /* our copy, or -1 */
	bool ours;
	bool accepted; /* came out of accept() */
	bool carried;  /* natively connected (streams) */
	uint64_t id;
	uint32_t flags; /* CHANNEL_PEER_ID or 0 */
	int domain, type, protocol;
	struct name name, peer;
};

struct call {
	struct list node; /* in supervisor->pending */
	struct supervisor *supervisor;
	uint64_t notification, serial;
	pid_t tid;
	int number; /* SYS_* */
	uint64_t args[6];
	struct descriptor descriptor;
	uint8_t *scratch; /* SCRATCH_SIZE bytes of the thread that runs it */
	/* Run, and run again when ready. Returns a result or CALL_*. */
	int64_t (*attempt)(struct call *call);
	uint32_t wait_events; /* EPOLLIN, EPOLLOUT, or 0: every tick */
	int timeout_option;   /* SO_RCVTIMEO, SO_SNDTIMEO or 0 */
	int timeout_result;   /* -EAGAIN, -EINPROGRESS */
	int64_t deadline_ns;  /* 0: none */
	unsigned signal_seen; /* ticks in a row */
	uint32_t done;	      /* recvmmsg(): so many have come, which counts more than a signal or a timeout */
	int64_t batch_end_ns; /* its own timeout */
	uint64_t connect_id;  /* waits for this socket's CONNECTED */
	int64_t (*then)(struct call *call); /* attempt, once it is connected */
};

/* Not results, but what to do. Far from any errno. */
enum {
	CALL_CONTINUE = -100000, /* the kernel's business */
	CALL_PENDING,
	CALL_ANSWERED, /* the handler has answered */
};

/* A socket between CONNECT and CONNECTED. */
struct connecting {
	struct list node;
	uint64_t id, tag;
	pid_t tid;
	int fd;	       /* the program's number for it */
	bool asking;   /* the answer to CONNECT is not here yet */
	bool arrived;  /* CONNECTED came while asking */
	bool filled;   /* connected already, with filler */
	bool awaited;  /* a blocking call waits, or is on its way to the worker */
	bool expected; /* the worker watches the line for it */
	int result;
	char express[sizeof(((struct sockaddr_un *)0)->sun_path)];
	size_t express_length;
};

/* Whom connections have been made to at once lately. A thread's own. */
struct swift {
	uint64_t address; /* a hash of it */
	int64_t until_ns;
	unsigned count;	   /* asked for in a row */
	int room;	   /* for more of them */
	uint64_t listener; /* by express; 0: they go by wire */
	char express[sizeof(((struct sockaddr_un *)0)->sun_path)];
	size_t express_length;
};

/* Where a socket was last seen, and what its reader wants. Keyed by id, direct-mapped. */
struct hint {
	uint64_t id;
	uint64_t inode; /* the socket's, as /proc/PID/fd shows it; 0: not known */
	pid_t pid;
	int fd;
	uint32_t wants; /* WANT_* */
	/* The last address that a datagram was sent to with success, and until when that is taken for granted. */
	uint64_t sent_to;
	int64_t sent_until_ns;
};

enum { /* ancillary data that the program has asked for */
       WANT_PKTINFO = 1,
       WANT_TTL = 2,
       WANT_TOS = 4,
       WANT_ERRORS = 8,
       WANT_OPTIONS = 16,	 /* as they came, */
       WANT_RETURN_OPTIONS = 32, /* and as they go back */
       WANT_ORIGINAL = 64,	 /* the destination */
};

/* Processes of which a thread holds a pidfd; each thread has its own. */
struct peers {
	struct {
		pid_t tid;
		int pidfd;
	} slots[PEER_CACHE];
};

struct supervisor {
	const struct run_options *options;
	const char *shim; /* the file to preload, or NULL */
	int listener;
	pid_t front, child;
	bool paused; /* berth pause: stopped, and the shell is not to know */
	pid_t daemon_pid;
	uid_t uid;
	char name[64], key[NAME_KEY_LENGTH + 1];
	struct sockaddr_un daemon_name;
	socklen_t daemon_name_length;
	struct line lines[LINE_COUNT];
	int epoll, wake, signals;
	unsigned filler; /* 1-byte sends that turn EPOLLOUT off */
	pthread_mutex_t lock, notes_lock;
	pthread_mutex_t turn; /* of the receiver that takes calls from the kernel */
	struct list pending, connecting, notes;
	size_t pending_count;
	uint64_t next_serial, id_base, id_count;
	struct hint *hints;
	struct renewed {
		uint64_t old, new;
	} renewed[64];		 /* far.c; under lock */
	unsigned renewed_count;	 /* atomic to read */
	struct holders *holders; /* NULL: pidfd_getfd() works */
	uint64_t said[64];	 /* hashes of what was said once */
	size_t said_count;
	int outputs[2];	  /* detached: where the program writes; -1: as ours */
	int ready;	  /* detached: say here that it has started; -1 */
	int lingering;	  /* a receiver waits for a call's descriptor; atomic */
	bool daemon_lost; /* under lock */
	bool not_made;	  /* a datagram socket could not be: the next one waits for the daemon's word; atomic */
	int64_t forward_at[65], group_seen[65];
};

/* supervisor.c */
int64_t now_ns(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, once for every text. */
void say_once(struct supervisor *supervisor, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Before anything else is done with it: the daemon may have something to say at once. */
void supervisor_prepare(struct supervisor *supervisor);
/* Serve the program until it ends. Returns the exit code. */
int supervise(struct supervisor *supervisor);
/* The first of count ids in a row. */
uint64_t id_new(struct supervisor *supervisor, uint32_t count);
void hint_set(struct supervisor *supervisor, uint64_t id, pid_t pid, int fd, uint64_t inode);
void hint_want(struct supervisor *supervisor, uint64_t id, uint32_t want, bool on);
struct hint hint_get(struct supervisor *supervisor, uint64_t id);
/* Sending to the address (a hash of it; 0: forget) has worked. */
void hint_sent(struct supervisor *supervisor, uint64_t id, uint64_t address);

/* line.c */
int line_open(const char *network, struct line *line, unsigned index);
void line_close(struct line *line);
struct line *line_of(struct supervisor *supervisor, uint64_t id);
/* Send without waiting for anything. fd -1: none. */
int line_tell(struct supervisor *supervisor, struct line *line, struct channel_message *message,
	      const struct iovec *payload, size_t payload_count, int fd);
#define ANSWER_SECONDS 10 /* for a daemon to answer HELLO: one that is stopped does not */

/*
 * Ask and wait for the answer, which replaces *message; its payload, up to
 * room bytes, goes to reply. Returns the answer's result.
 */
int line_ask(struct supervisor *supervisor, struct line *line, struct channel_message *message,
	     const struct iovec *payload, size_t payload_count, void *reply, size_t room);
/* The same; the descriptor that comes with the answer is the caller's (-1: none). */
int line_ask_fd(struct supervisor *supervisor, struct line *line, struct channel_message *message,
		const struct iovec *payload, size_t payload_count, void *reply, size_t room, int *ret_fd);
/* The same with a descriptor that goes along, and no reply but the result. */
int line_ask_passing(struct supervisor *supervisor, struct line *line, struct channel_message *message,
		     const struct iovec *payload, size_t payload_count, int fd);
/* Take what has arrived unasked. False: the daemon is gone. */
bool line_drain(struct supervisor *supervisor, struct line *line);
void note_add(struct supervisor *supervisor, const struct channel_message *message, const void *payload);
void wake_worker(struct supervisor *supervisor);

/* memory.c: the program's memory. Each returns 0 or -EFAULT (or what is said). */
int memory_read(const struct call *call, uint64_t address, void *to, size_t length);
int memory_write(const struct call *call, uint64_t address, const void *from, size_t length);
/* An address argument, as Linux's move_addr_to_kernel(): -EINVAL for a bad length. */
int memory_read_address(const struct call *call, uint64_t address, int64_t length, struct sockaddr_storage *to);
/* As move_addr_to_user(): room is at length_at, where the real length goes. */
int memory_write_address(const struct call *call, uint64_t address, uint64_t length_at, const void *from,
			 socklen_t length);
enum { MEMORY_PARTS_MAX = 1024 };
/* An iovec array. Returns the total, clipped to limit, or -EMSGSIZE, -EINVAL, -EFAULT, -ENOMEM. *ret_parts is the caller's. */
int64_t memory_read_parts(const struct call *call, uint64_t address, uint64_t count, struct iovec **ret_parts);
/* Gather from, or scatter to, parts of the program's memory. Returns bytes or -EFAULT. */
int64_t memory_gather(const struct call *call, const struct iovec *parts, size_t count, void *to, size_t room);
int64_t memory_scatter(const struct call *call, const struct iovec *parts, size_t count, const void *from,
		       size_t length);

/* descriptor.c */
/* A copy of the caller's descriptor number, or -errno. */
int peer_getfd(struct supervisor *supervisor, struct peers *peers, pid_t tid, int number);
void peers_fini(struct peers *peers);
/*
 * Find out what the call's descriptor argument is, by its own name. Returns 0;
 * CALL_CONTINUE when it is not one of ours.
 */
int64_t descriptor_get(struct call *call, struct peers *peers);
bool descriptor_identify(struct supervisor *supervisor, int fd, struct descriptor *descriptor);
/* The same of fd, which has just come out of accept(). False: it is nobody's that could be there. */
bool descriptor_identify_accepted(struct supervisor *supervisor, int fd, const struct descriptor *listener,
				  struct descriptor *descriptor);
bool descriptor_nonblocking(const struct descriptor *descriptor);
/* Find a socket by its id in the program's processes. Returns a copy or -ENOENT. */
int descriptor_find(struct supervisor *supervisor, uint64_t id);
/* A socket's inode, or 0. */
uint64_t descriptor_inode(int fd);
enum { DESCRIPTOR_TARGET = 64 };
/* What /proc/PID/fd says of a socket with this inode. */
void descriptor_target(uint64_t inode, char ret_target[DESCRIPTOR_TARGET]);
/* Call each with every descriptor that the process has, and what /proc/PID/fd says of it. */
void descriptors_each(pid_t pid, void (*each)(void *context, int number, const char *target), void *context);
/* As much to send as there can be, or as the program has set. */
void descriptor_grow_buffer(int fd);
/* The program has set SO_SNDBUF. */
void descriptor_limit_buffer(int fd, int size);
/* fd was accepted from listener. Linux: what was set there holds for it, too. */
void descriptor_inherit(int fd, int listener);
bool descriptor_listening(int fd);
/* Is it an end of an express connection? */
bool descriptor_express(const struct descriptor *descriptor);
/* fd makes an express connection (see descriptor.c). */
void descriptor_mark_express(int fd);
/* SHIM_MARK_* of a stream socket. */
void descriptor_mark(int fd, int mark, bool on);
bool descriptor_marked(int fd, int mark);
/* Is there nothing that an accepted socket would inherit from this listener? */
bool descriptor_plain(int listener);
/* The thread group of tid, or -ESRCH. */
pid_t process_group(pid_t tid);

/* holder.c: where pidfd_getfd() is refused */
struct holders *holders_new(void);
/* Keep a copy of fd, which is about to be given to the program. */
void holder_add(struct supervisor *supervisor, int fd);
/* A copy of the process' socket, of another one if it is not ours, or -errno. */
int holder_getfd(struct holders *holders, pid_t tid, int number);
/* Close what the program has closed; now, or when it is time. */
void holders_sweep(struct supervisor *supervisor, bool now);

/* receiver.c */
void *receiver_run(void *context);
/*
 * Wait until fd has events, at most for timeout_ms (-1: for ever); in a receiver, what the program asks meanwhile
 * is another's. Returns what poll() does.
 */
int receiver_wait(struct supervisor *supervisor, int fd, short events, int timeout_ms);
/* What follows may take time: the next call is another receiver's. */
void receiver_step_aside(struct supervisor *supervisor);
bool call_valid(const struct call *call);
/* Answer: closes the call's copy, then sends. value: as handlers return. */
void call_finish(struct call *call, int64_t value);
/* Put fd into the program as its answer. Returns the number there, and fd was closed first; or -errno: it is not answered. */
int call_finish_fd(struct call *call, int fd, bool cloexec);
/* Put a copy of fd into the program, close-on-exec. Returns its number there or -errno; the call is not answered. */
int call_add_fd(struct call *call, int fd);
/* Replace the program's descriptor number with fd, which stays ours. */
int call_replace_fd(struct call *call, int number, int fd);

/* worker.c */
/* Hand call, a heap copy's source, over. Takes its descriptor. False: no memory. */
bool worker_take(const struct call *call);
int worker_run(struct supervisor *supervisor);
/* One CONNECTED more, or one less, is to come on line: only then is it the worker's to read what nobody asked for. */
void line_expect(struct supervisor *supervisor, struct line *line, int by);
/* Attempt or answer a pending call: takes it off the list. supervisor->lock is not held. */
void worker_finish(struct call *call, int64_t value);

/* handlers */
typedef int64_t handler(struct call *call);
handler handle_socket, handle_bind, handle_listen, handle_connect, handle_accept, handle_getsockname,
	handle_getpeername, handle_shutdown, handle_setsockopt, handle_getsockopt, handle_ioctl, handle_sendto,
	handle_sendmsg, handle_sendmmsg, handle_recvfrom, handle_recvmsg, handle_recvmmsg, handle_open;
/* Make a pair for datagrams: the program's end and the daemon's. */
int socket_pair_make(int flags, int *ret_fd, int *ret_far);
/* Bind fd, the program's end, to the name of the socket id. */
int socket_name(struct supervisor *supervisor, int fd, uint64_t id, int domain, int type, int protocol);
/* Make a socket of ours, known to the daemon now or (a stream) by the first call on it. flags: SOCK_NONBLOCK. Returns it (close-on-exec) or -errno. */
int socket_make(struct call *call, int domain, int type, int protocol, int flags, uint64_t *ret_id);
/* Read a struct msghdr. Returns 0, -EFAULT or -EINVAL. */
int message_read(struct call *call, uint64_t address, struct msghdr *ret_header);
/* Write back what recvmsg() changes. */
int message_write(struct call *call, uint64_t at, const struct msghdr *header);
/* Ask about the call's socket. */
int call_ask(struct call *call, struct channel_message *message, const void *payload, size_t length, void *reply,
	     size_t room);
void call_message(const struct call *call, struct channel_message *message, uint32_t type);
/* A hash of the address in message, not 0. */
uint64_t call_address_hash(const struct channel_message *message);
/* The name of the calling process, as of a moment ago. */
void call_command(const struct call *call, char command[16]);
/* The address in an accepted connection's name. */
socklen_t accepted_address(const struct name *name, struct sockaddr_storage *ret_address);
/* CONNECTED came. */
void connect_arrived(struct supervisor *supervisor, const struct channel_message *message, const void *payload);
/* A blocking connect() is interrupted: go on in the background. */
void connect_interrupted(struct call *call);
/* Has a connect() on the call's socket begun, and not failed? */
bool connect_has_begun(const struct call *call);
/* MSG_FASTOPEN: connect to the address at at, and then the rest of the call. */
int64_t connect_and_send(struct call *call, uint64_t at, int length, int64_t (*then)(struct call *call));
/* Nobody waits any longer. */
void connect_abandoned(struct call *call);
unsigned connect_measure_filler(void);

/* errors.c: of datagram sockets */
/*
 * Read a datagram's tag. It may come from another program (far.c): only from a
 * sealed memfd, which is read at once, and only errors that there are.
 */
bool tag_take(int fd, struct channel_tag *tag);
struct received_error {
	uint8_t *control, *bytes; /* in the call's scratch */
	size_t control_length, length;
	uint8_t address[CHANNEL_ADDRESS_MAX]; /* whom the datagram was sent to */
	uint16_t address_length;
	int flags; /* for msg_flags */
};
/* recvmsg(MSG_ERRQUEUE): the next, or -EAGAIN. */
int64_t error_receive(struct call *call, size_t room, struct received_error *ret_error);
/* The program has seen the error: what else would tell it again is taken away, from the queue, or from SO_ERROR. */
void error_seen(const struct call *call);
void error_forget(struct call *call);
/* The call has failed with error, as the kernel said it of our copy. Returns what the program is told; 0: nothing. */
int error_told(struct call *call, int error);
/* The program wants errors and TTLs: its socket shall show errors as POLLERR, if that can be had. */
void error_raise(struct call *call);

/* far.c: the preloaded shim's questions, and what it needs */
handler handle_far, handle_names, handle_listener, handle_tickets;
/* Shutting or squeezing a descriptor that is not one of ours: done here, unless it is a far end that was lent. */
handler handle_foreign_change;
/* Is it one that the program must not touch so? Asked before its call goes on to the kernel. */
bool far_concerns(const struct call *call);
/* The far end of a datagram socket's pair, id: name it, where it may be lent. */
int far_name(struct supervisor *supervisor, int far, uint64_t id);
/* The call's datagram socket gets a new pair and id: others have its far end. */
int far_renew(struct call *call);
/* If the call's is a copy of a pair that was replaced since, put the new one in its place. */
void far_follow(struct call *call);

/* accept.c: the shim has accepted the call's socket, and asks who came. */
handler handle_peer;
/* Does a connection of the listener's wait here, out of its queue? */
bool accept_stashed(uint64_t listener);

/* passing.c */
/* Does fd, ours, reach the real network past the filter: a socket of another family than AF_UNIX, a ring, a tunnel? */
bool descriptor_foreign(int fd);
/* recvmsg() and recvmmsg() on a descriptor that is not one of ours. */
handler handle_foreign_receive;

/* family.c */
pid_t process_parent(pid_t pid);		    /* 0: it is gone */
int descendants_list(pid_t root, pid_t **ret_pids); /* count, or -ENOMEM */
/* The same, by all of /proc: for kernels that do not list children. */
int descendants_by_parents(pid_t root, pid_t **ret_pids);
/* Kill and reap everything below us. */
void descendants_kill(void);

#endif
