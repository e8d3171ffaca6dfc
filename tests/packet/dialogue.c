/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/packet/dialogue.h"

#include "base/bytes.h"
#include "base/ip.h"
#include "core/ip/ip.h"
#include "wire/checksum.h"
#include "wire/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

struct dialogue dialogue;

#define OUR_IP 0x0a000001u
#define PEER_IP 0x0a000002u
#define IP_HEADER 20

static size_t live;

static void *count_alloc(void *context, size_t size)
{
	live++;
	return malloc(size);
}

static void count_free(void *context, void *memory, size_t size)
{
	live--;
	free(memory);
}

static const struct berth_allocator allocator = { count_alloc, count_free, NULL };

static void transmit(void *context, struct berth_packet *packet)
{
	if (dialogue.out_end == COUNT_OF(dialogue.out)) {
		berth_packet_unref(packet);
		return;
	}
	dialogue.out[dialogue.out_end++] = packet;
}

static int admit(void *context, int fd)
{
	if (dialogue.admit_closes)
		berth_close(dialogue.stack, fd);
	return dialogue.admit;
}

void dialogue_begin(const struct berth_limits *limits)
{
	struct berth_stack_config config = {
		.seed = 7,
		.now = 1000 * BERTH_SEC,
		.allocator = &allocator,
		.hooks = { .admit = admit },
	};
	struct berth_link_config link = { .name = "cable", .type = BERTH_LINK_IP, .mtu = 1500, .transmit = transmit };

	if (limits)
		config.limits = *limits;
	dialogue = (struct dialogue){ .now = config.now, .peer_isn = 0xfffffa00, .fd = -1, .child = -1 };
	dialogue.our_port = OUR_PORT;
	dialogue.peer_port = PEER_PORT;
	dialogue.stack = berth_stack_new(&config);
	berth_link_add(dialogue.stack, &link, &dialogue.link);
	berth_link_add_address(dialogue.link, ip_from_u32(OUR_IP), 24);
}

void dialogue_end(void)
{
	ignore_sent();
	berth_stack_free(dialogue.stack);
	dialogue.stack = NULL;
	CHECK_EQ(live, 0);
}

/* ---- segments as text ---- */

struct line {
	struct wire_tcp tcp;
	uint32_t length;
	bool has_window, has_options;
	uint8_t traffic_class;
	uint8_t cookie[WIRE_TCP_COOKIE_MAX]; /* tcp.cookie points to nowhere */
	bool any_cookie;
};

static uint8_t flags_of(const char *text, size_t length)
{
	static const char letters[] = "FSRP.UEC";
	uint8_t flags = 0;

	for (size_t i = 0; i < length; i++)
		flags |= (uint8_t)(1u << (strchr(letters, text[i]) - letters));
	return flags;
}

static void parse_sack(const char *at, struct wire_tcp *tcp)
{
	unsigned begin, end;
	int length;

	while (tcp->sack_count < WIRE_TCP_SACK_MAX && sscanf(at, " %u:%u%n", &begin, &end, &length) == 2) {
		tcp->sack[tcp->sack_count++] = (struct wire_tcp_sack){ begin, end };
		at += length;
	}
}

static void shift_sack(struct wire_tcp *tcp, uint32_t by)
{
	for (unsigned i = 0; i < tcp->sack_count; i++) {
		tcp->sack[i].begin += by;
		tcp->sack[i].end += by;
	}
}

/* "FO 0a0b…", "FO" (asks for one), "FO =" (the last one seen), "FO *" (one); the same with FOEXP. */
static void parse_fastopen(const char *at, struct line *line)
{
	line->tcp.has_fastopen = true;
	line->tcp.fastopen_experimental = !strncmp(at, "FOEXP", 5);
	at += line->tcp.fastopen_experimental ? 5 : 2;
	line->any_cookie = !strncmp(at, " *", 2);
	if (!strncmp(at, " =", 2)) {
		memcpy(line->cookie, dialogue.cookie, sizeof(line->cookie));
		line->tcp.cookie_length = dialogue.cookie_length;
	}
	for (; sscanf(at, " %2hhx", &line->cookie[line->tcp.cookie_length]) == 1; line->tcp.cookie_length++)
		at += *at == ' ' ? 3 : 2;
}

static void parse_options(const char *text, struct line *line)
{
	const char *at;

	if ((at = strstr(text, "FO")))
		parse_fastopen(at, line);

	if ((at = strstr(text, "sack ")))
		parse_sack(at + 5, &line->tcp);
	if ((at = strstr(text, "ecr ")))
		line->tcp.timestamp_echo = (uint32_t)atoi(at + 4);
	line->has_options = true;
	if ((at = strstr(text, "mss "))) {
		line->tcp.has_mss = true;
		line->tcp.mss = (uint16_t)atoi(at + 4);
	}
	if ((at = strstr(text, "wscale "))) {
		line->tcp.has_scale = true;
		line->tcp.scale = (uint8_t)atoi(at + 7);
	}
	if ((at = strstr(text, "ts "))) {
		line->tcp.has_timestamps = true;
		line->tcp.timestamp = (uint32_t)atoi(at + 3);
	}
	line->tcp.has_sack_permitted = strstr(text, "sackOK");
}

static struct line parse(const char *text)
{
	struct line line = { .tcp.window = 0xffff };
	const char *at = strchr(text, ' ');
	unsigned begin, end, length;

	line.tcp.flags = flags_of(text, (size_t)(at - text));
	if (sscanf(at, " %u:%u(%u)", &begin, &end, &length) != 3)
		test_fail(__FILE__, __LINE__, "bad script: %s", text);
	line.tcp.seq = begin;
	line.length = length;
	if ((at = strstr(text, "ack ")))
		line.tcp.ack = (uint32_t)strtoul(at + 4, NULL, 10);
	if ((at = strstr(text, "win "))) {
		line.has_window = true;
		line.tcp.window = (uint16_t)atoi(at + 4);
	}
	if ((at = strstr(text, "urg ")))
		line.tcp.urgent = (uint16_t)atoi(at + 4);
	line.traffic_class = strstr(text, " CE") ? 3 : strstr(text, " ECT") ? 2 : 0;
	if ((at = strchr(text, '<')))
		parse_options(at, &line);
	return line;
}

static const char *format(const struct line *line, char *text, size_t size)
{
	const struct wire_tcp *tcp = &line->tcp;
	int n = snprintf(text, size, "%s%s%s%s%s%s%s %u:%u(%u)%s", tcp->flags & WIRE_TCP_SYN ? "S" : "",
			 tcp->flags & WIRE_TCP_FIN ? "F" : "", tcp->flags & WIRE_TCP_RST ? "R" : "",
			 tcp->flags & WIRE_TCP_ACK ? "." : "", tcp->flags & WIRE_TCP_ECE ? "E" : "",
			 tcp->flags & WIRE_TCP_CWR ? "C" : "", tcp->flags & WIRE_TCP_URG ? "U" : "", tcp->seq,
			 tcp->seq + line->length, line->length,
			 line->traffic_class ? line->traffic_class == 3 ? " CE" : " ECT" : "");

	if (tcp->flags & WIRE_TCP_ACK)
		n += snprintf(text + n, size - (size_t)n, " ack %u", tcp->ack);
	n += snprintf(text + n, size - (size_t)n, " win %u urg %u <", tcp->window, tcp->urgent);
	if (tcp->has_mss)
		n += snprintf(text + n, size - (size_t)n, "mss %u ", tcp->mss);
	if (tcp->has_scale)
		n += snprintf(text + n, size - (size_t)n, "wscale %u ", tcp->scale);
	if (tcp->has_timestamps)
		n += snprintf(text + n, size - (size_t)n, "ts %u ", tcp->timestamp);
	if (tcp->has_sack_permitted)
		n += snprintf(text + n, size - (size_t)n, "sackOK ");
	for (unsigned i = 0; i < tcp->sack_count; i++)
		n += snprintf(text + n, size - (size_t)n, "%s%u:%u ", i ? "" : "sack ", tcp->sack[i].begin,
			      tcp->sack[i].end);
	if (tcp->has_fastopen)
		n += snprintf(text + n, size - (size_t)n, tcp->fastopen_experimental ? "FOEXP " : "FO ");
	for (unsigned i = 0; i < tcp->cookie_length; i++)
		n += snprintf(text + n, size - (size_t)n, "%02x", line->cookie[i]);
	snprintf(text + n, size - (size_t)n, ">");
	return text;
}

/* ---- the peer ---- */

static void put_ip_header(uint8_t *bytes, size_t length, uint8_t traffic_class)
{
	memset(bytes, 0, IP_HEADER);
	bytes[0] = 0x45;
	bytes[1] = traffic_class;
	put_be16(bytes + 2, (uint16_t)length);
	put_be16(bytes + 6, 0x4000);
	bytes[8] = 64;
	bytes[9] = IPPROTO_TCP;
	put_be32(bytes + 12, PEER_IP);
	put_be32(bytes + 16, OUR_IP);
	put_be16(bytes + 10, checksum_finish(checksum_add(0, bytes, IP_HEADER)));
}

void arrives(const char *segment)
{
	struct line line = parse(segment);
	uint8_t bytes[IP_HEADER + 60 + 65536] = { 0 };
	size_t header, length;
	uint32_t sum;

	line.tcp.source_port = dialogue.peer_port;
	line.tcp.destination_port = dialogue.our_port;
	line.tcp.seq += dialogue.peer_isn;
	if (line.tcp.flags & WIRE_TCP_ACK)
		line.tcp.ack += dialogue.our_isn;
	line.tcp.timestamp_echo = dialogue.last_timestamp - line.tcp.timestamp_echo;
	shift_sack(&line.tcp, dialogue.our_isn);
	line.tcp.cookie = line.cookie;
	header = wire_tcp_build(bytes + IP_HEADER, &line.tcp);
	for (uint32_t i = 0; i < line.length; i++)
		bytes[IP_HEADER + header + i] = (uint8_t)(line.tcp.seq - dialogue.peer_isn + i);
	length = IP_HEADER + header + line.length;
	put_ip_header(bytes, length, line.traffic_class);
	sum = ip_pseudo_sum(ip_from_u32(PEER_IP), ip_from_u32(OUR_IP), IPPROTO_TCP, length - IP_HEADER);
	sum = checksum_add(sum, bytes + IP_HEADER, length - IP_HEADER);
	put_be16(bytes + IP_HEADER + WIRE_TCP_CHECKSUM_OFFSET, checksum_finish(sum));
	berth_stack_input(dialogue.stack, dialogue.link,
			  berth_packet_copy(berth_stack_packets(dialogue.stack), bytes, length), dialogue.now);
}

/* The next segment sent, in the script's numbers. False: there is none, or it is broken. */
static bool take_sent(struct line *line)
{
	struct berth_packet *packet;
	uint8_t *bytes;
	size_t length;
	uint32_t sum;
	int r;

	if (dialogue.out_begin == dialogue.out_end)
		return false;
	packet = dialogue.out[dialogue.out_begin++];
	bytes = berth_packet_data(packet) + IP_HEADER;
	length = berth_packet_length(packet) - IP_HEADER;
	*line = (struct line){ .traffic_class = bytes[1 - IP_HEADER] & 3 };
	r = wire_tcp_parse(bytes, length, &line->tcp);
	sum = ip_pseudo_sum(ip_from_u32(OUR_IP), ip_from_u32(PEER_IP), IPPROTO_TCP, length);
	if (r < 0 || checksum_finish(checksum_add(sum, bytes, length)) != 0)
		test_fail(__FILE__, __LINE__, "a segment was sent that does not parse or has a wrong checksum");
	if (r < 0) {
		berth_packet_unref(packet);
		return false;
	}
	line->length = (uint32_t)length - line->tcp.header_length;
	if (line->tcp.has_fastopen)
		memcpy(line->cookie, line->tcp.cookie, line->tcp.cookie_length);
	if (line->tcp.cookie_length) {
		memcpy(dialogue.cookie, line->cookie, sizeof(line->cookie));
		dialogue.cookie_length = line->tcp.cookie_length;
	}
	berth_packet_unref(packet);
	if (line->tcp.flags & WIRE_TCP_SYN) {
		dialogue.our_isn = line->tcp.seq;
		dialogue.our_port = line->tcp.source_port;
	}
	line->tcp.seq -= dialogue.our_isn;
	if (line->tcp.flags & WIRE_TCP_ACK)
		line->tcp.ack -= dialogue.peer_isn;
	shift_sack(&line->tcp, -dialogue.peer_isn);
	if (line->tcp.has_timestamps) {
		dialogue.last_timestamp = line->tcp.timestamp;
		line->tcp.timestamp = line->tcp.timestamp_echo;
	}
	return true;
}

static bool equal(const struct line *sent, const struct line *expected)
{
	const struct wire_tcp *a = &sent->tcp, *b = &expected->tcp;

	if (sent->traffic_class != expected->traffic_class)
		return false;
	if ((a->flags & ~WIRE_TCP_PSH) != (b->flags & ~WIRE_TCP_PSH) || a->seq != b->seq ||
	    sent->length != expected->length || (b->flags & WIRE_TCP_ACK && a->ack != b->ack) || a->urgent != b->urgent)
		return false;
	if (expected->has_window && a->window != b->window)
		return false;
	if (!expected->has_options)
		return true;
	if (a->has_fastopen != b->has_fastopen || a->fastopen_experimental != b->fastopen_experimental ||
	    (!expected->any_cookie && a->cookie_length != b->cookie_length) ||
	    (!expected->any_cookie && memcmp(sent->cookie, expected->cookie, a->cookie_length)))
		return false;
	if (a->sack_count != b->sack_count || memcmp(a->sack, b->sack, a->sack_count * sizeof(a->sack[0])) ||
	    (b->has_sack_permitted && !a->has_sack_permitted))
		return false;
	return a->has_mss == b->has_mss && a->mss == b->mss && a->has_scale == b->has_scale && a->scale == b->scale &&
	       a->has_timestamps == b->has_timestamps && (!b->has_timestamps || a->timestamp == b->timestamp);
}

void sends_at(const char *file, int line, const char *segment)
{
	struct line expected = parse(segment), sent;
	char text[200];

	berth_stack_advance(dialogue.stack, dialogue.now);
	if (!take_sent(&sent))
		test_fail(file, line, "nothing was sent; expected: %s", segment);
	else if (!equal(&sent, &expected))
		test_fail(file, line, "sent: %s; expected: %s", format(&sent, text, sizeof(text)), segment);
}

/* Let time pass to limit or until something is sent. */
static void pass(berth_time limit, bool stop_when_sent)
{
	for (;;) {
		berth_time next = berth_stack_deadline(dialogue.stack);

		if (stop_when_sent && dialogue.out_begin != dialogue.out_end)
			return;
		if (next > limit)
			break;
		dialogue.now = MAX(next, dialogue.now);
		berth_stack_advance(dialogue.stack, dialogue.now);
	}
	dialogue.now = limit;
	berth_stack_advance(dialogue.stack, dialogue.now);
}

void sends_after_at(const char *file, int line, int64_t ms, const char *segment)
{
	berth_time begin = dialogue.now;
	int64_t passed;

	if (dialogue.out_begin != dialogue.out_end)
		test_fail(file, line, "sent too early; expected after %" PRId64 " ms: %s", ms, segment);
	pass(begin + (ms + 200) * BERTH_MSEC, true);
	passed = (dialogue.now - begin) / BERTH_MSEC;
	if (passed < ms - 1 || passed > ms + 1)
		test_fail(file, line, "sent after %" PRId64 " ms, not %" PRId64 ": %s", passed, ms, segment);
	sends_at(file, line, segment);
}

void silent_at(const char *file, int line, int64_t ms)
{
	struct line sent;
	char text[200];

	pass(dialogue.now + ms * BERTH_MSEC, false);
	if (take_sent(&sent))
		test_fail(file, line, "expected silence, but sent: %s", format(&sent, text, sizeof(text)));
}

void wait_ms(int64_t ms)
{
	pass(dialogue.now + ms * BERTH_MSEC, false);
}

void ignore_sent(void)
{
	while (dialogue.out_begin != dialogue.out_end)
		berth_packet_unref(dialogue.out[dialogue.out_begin++]);
}

/* ---- the application ---- */

static struct sockaddr_in address_of(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip) };
}

int open_bound(void)
{
	struct sockaddr_in address = address_of(OUR_IP, OUR_PORT);

	dialogue.fd = berth_socket(dialogue.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_option(dialogue.fd, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_EQ(berth_bind(dialogue.stack, dialogue.fd, (void *)&address, sizeof(address)), 0);
	return dialogue.fd;
}

int open_listener(int backlog)
{
	open_bound();
	CHECK_EQ(berth_listen(dialogue.stack, dialogue.fd, backlog), 0);
	return dialogue.fd;
}

int begin_connect(void)
{
	struct sockaddr_in address = address_of(PEER_IP, PEER_PORT);

	if (dialogue.fd < 0)
		dialogue.fd = berth_socket(dialogue.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(berth_connect(dialogue.stack, dialogue.fd, (void *)&address, sizeof(address)), -1);
	CHECK_EQ(errno, EINPROGRESS);
	return dialogue.fd;
}

int accept_child(void)
{
	dialogue.child = berth_accept(dialogue.stack, dialogue.fd, NULL, NULL, SOCK_NONBLOCK);
	return dialogue.child < 0 ? -errno : dialogue.child;
}

int64_t write_bytes(int fd, size_t size, int flags)
{
	static uint8_t bytes[1 << 20];
	ssize_t r = berth_send(dialogue.stack, fd, bytes, size, flags);

	return r < 0 ? -errno : r;
}

int64_t read_bytes(int fd, size_t size)
{
	static uint8_t bytes[1 << 20];
	ssize_t r = berth_recv(dialogue.stack, fd, bytes, size, 0);

	return r < 0 ? -errno : r;
}

int last_error(int fd)
{
	int error = -1;
	socklen_t length = sizeof(error);

	berth_getsockopt(dialogue.stack, fd, SOL_SOCKET, SO_ERROR, &error, &length);
	return error;
}

void set_option(int fd, int level, int option, int value)
{
	CHECK_EQ(berth_setsockopt(dialogue.stack, fd, level, option, &value, sizeof(value)), 0);
}

const char *state_of(int fd)
{
	struct berth_socket_info info = { .state = "none" };

	berth_socket_inspect(dialogue.stack, fd, &info);
	return info.state;
}

unsigned ready(int fd)
{
	return (unsigned)berth_readiness(dialogue.stack, fd);
}

uint64_t events(enum berth_event event)
{
	return berth_event_count(dialogue.stack, event);
}

struct count {
	const char *state;
	int number;
};

static int count_one(void *context, const struct berth_socket_info *info)
{
	struct count *count = context;

	count->number += info->fd < 0 && !strcmp(info->state, count->state);
	return 0;
}

int count_state(const char *state)
{
	struct count count = { state, 0 };

	berth_socket_each(dialogue.stack, count_one, &count);
	return count.number;
}

/* The first segment tells our ISN. */
static void learn(void)
{
	struct line sent;

	berth_stack_advance(dialogue.stack, dialogue.now);
	if (!take_sent(&sent) || !(sent.tcp.flags & WIRE_TCP_SYN))
		test_fail(__FILE__, __LINE__, "no SYN was sent");
}

/* An ACK of our SYN with the window and timestamp of the peer's own. */
static void finish_handshake(const char *peer_options)
{
	char segment[200], timestamp[32] = "";
	struct line line;

	snprintf(segment, sizeof(segment), "S 0:0(0) %s", peer_options);
	line = parse(segment);
	if (line.tcp.has_timestamps)
		snprintf(timestamp, sizeof(timestamp), "<ts %u>", line.tcp.timestamp);
	snprintf(segment, sizeof(segment), ". 1:1(0) ack 1 win %u %s", line.tcp.window, timestamp);
	arrives(segment);
}

int given_accepted(const char *peer_options)
{
	char segment[200];

	open_listener(5);
	snprintf(segment, sizeof(segment), "S 0:0(0) %s", peer_options);
	arrives(segment);
	learn();
	finish_handshake(peer_options);
	ignore_sent();
	return accept_child();
}

int given_connected(const char *peer_options)
{
	char segment[200];
	int fd = begin_connect();

	learn();
	snprintf(segment, sizeof(segment), "S. 0:0(0) ack 1 %s", peer_options);
	arrives(segment);
	ignore_sent();
	return fd;
}
