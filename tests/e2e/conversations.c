/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One host's part of soak.t: it listens, and keeps some thousand conversations
 * open with other hosts, each of which now and then says something, both ways,
 * ends in an orderly way after a while, and is followed by a new one. What is
 * said comes in frames, numbered, each with a hash over all that was said in
 * that direction so far, and an end with the last: a byte that is lost, doubled
 * or changed is found in the frame that it is in.
 *
 *	conversations SEED COUNT PERIOD_MS STOP_FILE PEER…
 *
 * COUNT: how many it begins. It lasts until STOP_FILE is there, then ends all.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PORT = 7000,
	TICK_MS = 50,
	CONNECTING_MAX = 16, /* begun at the same time */
	FRAME_MAX = 1 << 16,
	END_ODDS = 40, /* one in so many frames is the last */
	PEERS_MAX = 64,
	ENDS_MAX = 1 << 15,
	ENDING_SECONDS = 120,
};

struct frame {
	uint32_t length; /* 0: the last */
	uint32_t number;
	uint64_t hash;
};

struct talk {
	int fd;
	bool begun_here, connecting, last_sent, last_received;
	uint32_t number_out, number_in;
	uint64_t hash_out, hash_in;
	struct frame head; /* what of it has come */
	size_t head_length;
	uint32_t left;	  /* of a frame's bytes that are to come */
	uint8_t *waiting; /* what the socket did not take */
	size_t waiting_from, waiting_length;
};

static struct talk *talks[ENDS_MAX]; /* by descriptor */
static struct sockaddr_in peers[PEERS_MAX];
static size_t peer_count;
static int epoll, listener, top; /* top: above all descriptors in use */
static unsigned wanted, begun, connecting, others, bad;
static unsigned long long ended, bytes_out, bytes_in;
static bool stopping;
static uint64_t state;

static uint64_t dice(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static uint64_t hash_more(uint64_t hash, const uint8_t *bytes, size_t length)
{
	while (length--)
		hash = (hash ^ *bytes++) * 0x100000001b3; /* FNV-1a */
	return hash;
}

__attribute__((format(printf, 2, 3))) static void complain(const struct talk *talk, const char *format, ...)
{
	va_list arguments;

	bad++;
	printf("bad: conversation %d, %s: ", talk ? talk->fd : -1, talk && talk->begun_here ? "begun" : "accepted");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf(" (frames out %u, in %u)\n", talk ? talk->number_out : 0, talk ? talk->number_in : 0);
}

static struct talk *talk_new(int fd, bool begun_here, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	struct talk *talk = calloc(1, sizeof(*talk));

	if (!talk || fd >= ENDS_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		complain(NULL, "no place for descriptor %d", fd);
		exit(1);
	}
	talk->fd = fd;
	talk->begun_here = begun_here;
	talks[fd] = talk;
	top = fd >= top ? fd + 1 : top;
	*(begun_here ? &begun : &others) += 1;
	return talk;
}

static void talk_free(struct talk *talk)
{
	talks[talk->fd] = NULL;
	close(talk->fd);
	*(talk->begun_here ? &begun : &others) -= 1;
	connecting -= talk->connecting;
	free(talk->waiting);
	free(talk);
}

/* Returns false when talk is gone. */
static bool fail(struct talk *talk, const char *what)
{
	complain(talk, "%s: %s", what, strerror(errno));
	talk_free(talk);
	return false;
}

static void watch(struct talk *talk, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = talk->fd };

	epoll_ctl(epoll, EPOLL_CTL_MOD, talk->fd, &event);
}

/* Both directions have had their last frame, and nothing waits. */
static bool finish(struct talk *talk)
{
	if (!talk->last_sent || !talk->last_received || talk->waiting_length)
		return true;
	ended++;
	talk_free(talk);
	return false;
}

static bool flush(struct talk *talk)
{
	ssize_t n = talk->waiting_length
			    ? send(talk->fd, talk->waiting + talk->waiting_from, talk->waiting_length, MSG_NOSIGNAL)
			    : 0;

	if (n < 0 && errno != EAGAIN)
		return fail(talk, "send");
	talk->waiting_from += n > 0 ? (size_t)n : 0;
	talk->waiting_length -= n > 0 ? (size_t)n : 0;
	if (talk->waiting_length) {
		watch(talk, EPOLLIN | EPOLLOUT);
		return true;
	}
	free(talk->waiting);
	talk->waiting = NULL;
	watch(talk, EPOLLIN);
	if (talk->last_sent && shutdown(talk->fd, SHUT_WR) < 0)
		return fail(talk, "shutdown");
	return finish(talk);
}

/* One frame more, or the last. */
static bool say(struct talk *talk, bool last)
{
	static uint8_t bytes[sizeof(struct frame) + FRAME_MAX];
	struct frame frame = { .number = talk->number_out++ };
	size_t room = dice() % 64 ? 2000 : FRAME_MAX;

	frame.length = last ? 0 : (uint32_t)(1 + dice() % room);
	for (size_t i = 0; i < frame.length; i += 8)
		memcpy(bytes + sizeof(frame) + i, &(uint64_t){ dice() }, frame.length - i < 8 ? frame.length - i : 8);
	talk->hash_out = hash_more(talk->hash_out + frame.number + 1, bytes + sizeof(frame), frame.length);
	frame.hash = talk->hash_out;
	memcpy(bytes, &frame, sizeof(frame));
	bytes_out += frame.length;
	talk->last_sent = last;
	talk->waiting_length = sizeof(frame) + frame.length;
	talk->waiting_from = 0;
	talk->waiting = malloc(talk->waiting_length);
	memcpy(talk->waiting, bytes, talk->waiting_length);
	return flush(talk);
}

/* A frame is here whole. */
static bool frame_done(struct talk *talk)
{
	if (talk->head.number != talk->number_in++ || talk->head.hash != talk->hash_in) {
		errno = EBADMSG;
		return fail(talk, "a frame that is not what was sent");
	}
	talk->head_length = 0;
	talk->last_received = talk->head.length == 0;
	return true;
}

static bool take(struct talk *talk, const uint8_t *bytes, size_t length)
{
	while (length) {
		size_t n;

		if (talk->last_received) {
			errno = EBADMSG;
			return fail(talk, "bytes after the last frame");
		}
		if (talk->head_length < sizeof(talk->head)) {
			n = sizeof(talk->head) - talk->head_length;
			n = length < n ? length : n;
			memcpy((uint8_t *)&talk->head + talk->head_length, bytes, n);
			talk->head_length += n;
			if (talk->head_length == sizeof(talk->head)) {
				talk->left = talk->head.length;
				talk->hash_in += talk->head.number + 1;
			}
		} else {
			n = length < talk->left ? length : talk->left;
			talk->hash_in = hash_more(talk->hash_in, bytes, n);
			talk->left -= (uint32_t)n;
			bytes_in += n;
		}
		bytes += n;
		length -= n;
		if (talk->head_length == sizeof(talk->head) && !talk->left && !frame_done(talk))
			return false;
	}
	return true;
}

static bool hear(struct talk *talk)
{
	static uint8_t bytes[1 << 16];
	ssize_t n = recv(talk->fd, bytes, sizeof(bytes), 0);

	if (n < 0)
		return errno == EAGAIN || fail(talk, "recv");
	if (n > 0)
		return take(talk, bytes, (size_t)n);
	if (!talk->last_received) {
		errno = ENODATA;
		return fail(talk, "an end before the last frame");
	}
	if (!talk->last_sent && !talk->waiting_length)
		return say(talk, true);
	watch(talk, talk->waiting_length ? EPOLLOUT : 0); /* an end would be told for ever */
	return finish(talk);
}

static void begin_one(void)
{
	const struct sockaddr_in *peer = &peers[dice() % peer_count];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || (connect(fd, (const struct sockaddr *)peer, sizeof(*peer)) < 0 && errno != EINPROGRESS)) {
		complain(NULL, "connect: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	talk_new(fd, true, EPOLLOUT)->connecting = true;
	connecting++;
}

static bool connected(struct talk *talk)
{
	int error = 0;

	getsockopt(talk->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof(error) });
	errno = error;
	if (error)
		return fail(talk, "connect, later");
	talk->connecting = false;
	connecting--;
	watch(talk, EPOLLIN);
	return true;
}

static void accept_all(void)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		talk_new(fd, false, EPOLLIN);
	if (errno != EAGAIN)
		complain(NULL, "accept: %s", strerror(errno));
}

static void handle(int fd, uint32_t events)
{
	struct talk *talk = fd == listener ? NULL : talks[fd];

	if (fd == listener)
		accept_all();
	if (!talk || (talk->connecting && !connected(talk)))
		return;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !hear(talk))
		return;
	if (events & EPOLLOUT && talk->waiting_length)
		flush(talk);
}

/* Everybody's turn comes once in a period. Who is still saying something has had it. */
static void speak(unsigned period_ms)
{
	static int next;
	int turns = (int)((uint64_t)(begun + others) * TICK_MS / period_ms) + 1;

	for (int looked = 0; turns > 0 && looked < top; looked++) {
		struct talk *talk = talks[next = (next + 1) % top];
		bool last = talk && talk->begun_here && (stopping || dice() % END_ODDS == 0);

		if (!talk || talk->connecting || talk->last_sent || talk->last_received)
			continue;
		turns--;
		if (!talk->waiting_length && (!stopping || last))
			say(talk, last);
	}
}

static int listen_at(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1024) < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

static void find_peers(char **names)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;

	for (; *names && peer_count < PEERS_MAX; names++) {
		for (int tries = 0; getaddrinfo(*names, NULL, &hints, &found); tries++) {
			if (tries == 300) {
				fprintf(stderr, "%s is not there\n", *names);
				exit(1);
			}
			usleep(200000);
		}
		peers[peer_count] = *(struct sockaddr_in *)found->ai_addr;
		peers[peer_count++].sin_port = htons(PORT);
		freeaddrinfo(found);
	}
}

static void turn(unsigned period_ms)
{
	struct epoll_event events[256];
	struct timespec now;
	static int64_t next_ms;
	int64_t now_ms;
	int count = epoll_wait(epoll, events, 256, TICK_MS);

	for (int i = 0; i < count; i++)
		handle(events[i].data.fd, events[i].events);
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
	if (now_ms < next_ms)
		return;
	next_ms = now_ms + TICK_MS;
	while (!stopping && begun < wanted && connecting < CONNECTING_MAX)
		begin_one();
	speak(stopping ? 2000 : period_ms);
}

int main(int count, char **words)
{
	struct rlimit limit;
	time_t last = 0, end = 0;

	if (count < 6)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	state = strtoull(words[1], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
	wanted = (unsigned)atoi(words[2]);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_at();
	puts("listening");
	find_peers(words + 5);
	while (!stopping || ((begun || others) && time(NULL) < end)) {
		turn((unsigned)atoi(words[3]));
		if (time(NULL) == last)
			continue;
		last = time(NULL);
		printf("open %u %u ended %llu\n", begun - connecting, others, ended);
		if (!stopping && access(words[4], F_OK) == 0) {
			stopping = true;
			end = last + ENDING_SECONDS;
		}
	}
	if (begun || others)
		complain(NULL, "%u and %u conversations do not come to an end", begun, others);
	/* Others may still want to hear what we have sent. */
	printf("total %llu %llu %llu %u\n", ended, bytes_out, bytes_in, bad);
	return bad != 0;
}
