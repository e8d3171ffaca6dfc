/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names that are nobody's on the network. One that a rule allows is asked of a
 * real name server: the program's query goes there as it is, with a number of
 * ours and from a port of its own (RFC 5452), and the answer comes back as it
 * is; the addresses in it are from then on allowed as the name is. What is not
 * allowed is answered as unknown, and remembered as denied.
 */
#include "base/ip.h"
#include "daemon/journal.h"
#include "daemon/rules.h"
#include "daemon/state.h"
#include "net/network.h"
#include "os/clock.h"
#include "wire/dns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOOKUPS_MAX = 256, TRY_SECONDS = 3, TRIES = 4, PORT_DOMAIN = 53, HEAD = 12, ANSWER_MAX = 4096, TTL_SECONDS = 0 };

struct lookup {
	struct list node; /* in rules->lookups */
	struct host *host;
	struct net_question question; /* its bytes are ours, below */
	uint16_t id;		      /* that we ask with */
	unsigned tries;
	struct berth_ip servers[NAMESERVERS_MAX];
	size_t server_count;
	struct loop_watch watch; /* the real socket */
	struct berth_timer timer;
	char name[DNS_NAME_MAX + 1];
	uint8_t bytes[];
};

static void lookup_free(struct lookup *lookup)
{
	struct loop *loop = &lookup->host->daemon->loop;
	int fd = lookup->watch.fd;

	loop_timer_cancel(loop, &lookup->timer);
	loop_remove(loop, &lookup->watch);
	if (fd >= 0)
		close(fd);
	list_remove(&lookup->node);
	free(lookup);
}

void lookups_end(struct rules *rules)
{
	LIST_EACH_SAFE(&rules->lookups, node)
		lookup_free(LIST_ITEM(node, struct lookup, node));
}

/* The machine's own name servers, as resolv.conf(5) has them. */
static size_t system_servers(struct berth_ip servers[NAMESERVERS_MAX])
{
	FILE *file = fopen("/etc/resolv.conf", "re");
	char line[256], word[64];
	size_t count = 0;

	while (file && count < NAMESERVERS_MAX && fgets(line, sizeof(line), file))
		if (sscanf(line, "nameserver %63s", word) == 1 && !berth_ip_parse(word, &servers[count]))
			count++;
	if (file)
		fclose(file);
	return count;
}

static bool send_query(struct lookup *lookup)
{
	struct berth_endpoint to = { .ip = lookup->servers[lookup->tries % lookup->server_count], .port = PORT_DOMAIN };
	int family = ip_is4(to.ip) ? AF_INET : AF_INET6;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), old = lookup->watch.fd;
	struct loop *loop = &lookup->host->daemon->loop;
	struct sockaddr_storage address;
	socklen_t length = address_write(&to, family, &address);

	lookup->tries++;
	if (fd < 0)
		return false;
	loop_remove(loop, &lookup->watch);
	if (old >= 0)
		close(old);
	if (loop_add(loop, &lookup->watch, fd, EPOLLIN) < 0) {
		close(fd);
		return false;
	}
	/* What can't be sent is as good as lost: the next try is another server's. */
	if (!connect(fd, (struct sockaddr *)&address, length))
		send(fd, lookup->bytes, lookup->question.length, MSG_NOSIGNAL);
	return true;
}

/* No answer: SERVFAIL, and the program may ask again. RFC 1035 §4.1.1 */
static void fail(struct lookup *lookup)
{
	uint8_t answer[HEAD + DNS_NAME_MAX + 4];
	struct dns_query query;

	if (!dns_query_parse(lookup->question.bytes, lookup->question.length, &query)) {
		size_t length = MIN(HEAD + query.wire_name_length + 4, lookup->question.length);
		memset(answer, 0, HEAD);
		put_be16(answer, query.id);
		put_be16(answer + 2, (uint16_t)(0x8082 | (query.flags & 0x0100)));
		put_be16(answer + 4, 1);
		memcpy(answer + HEAD, lookup->bytes + HEAD, MIN(length, sizeof(answer)) - HEAD);
		resolver_answer(lookup->host->host, &lookup->question, answer, MIN(length, sizeof(answer)));
	}
	lookup_free(lookup);
}

static void lookup_timeout(struct berth_timer *timer)
{
	struct lookup *lookup = CONTAINER_OF(timer, struct lookup, timer);
	struct loop *loop = &lookup->host->daemon->loop;

	if (lookup->tries >= TRIES || !send_query(lookup)) {
		fail(lookup);
		return;
	}
	loop_timer_set(loop, timer, loop->now + TRY_SECONDS * BERTH_SEC);
}

/* Past a name, which may end in a pointer. RFC 1035 §4.1.4. Returns where it ends, or 0. */
static size_t skip_name(const uint8_t *bytes, size_t length, size_t at)
{
	while (at < length && bytes[at]) {
		if (bytes[at] >= 0xc0)
			return at + 2 <= length ? at + 2 : 0;
		at += 1 + (size_t)bytes[at];
	}
	return at < length ? at + 1 : 0;
}

/* Learn the addresses among the answers. */
static void learn(struct lookup *lookup, struct rules *rules, const uint8_t *bytes, size_t length)
{
	unsigned count = get_be16(bytes + 6);
	size_t at = skip_name(bytes, length, HEAD);

	for (at = at ? at + 4 : 0; at && count; count--) {
		at = skip_name(bytes, length, at);
		if (!at || at + 10 > length)
			return;
		unsigned type = get_be16(bytes + at), size = get_be16(bytes + at + 8);
		at += 10;
		if (size > length - at)
			return;
		if (type == DNS_TYPE_A && size == 4)
			rules_learn(rules, lookup->name, ip_from4(bytes + at));
		else if (type == DNS_TYPE_AAAA && size == 16)
			rules_learn(rules, lookup->name, ip_from6(bytes + at));
		at += size;
	}
}

/* Is it the answer to what we asked: its number, and the question as we put it? */
static bool is_answer(const struct lookup *lookup, const uint8_t *bytes, size_t length)
{
	size_t end = skip_name(lookup->bytes, lookup->question.length, HEAD);

	return end && end + 4 <= length && get_be16(bytes) == lookup->id && bytes[2] & 0x80 &&
	       get_be16(bytes + 4) == 1 && !memcmp(bytes + HEAD, lookup->bytes + HEAD, end + 4 - HEAD);
}

static void lookup_ready(struct loop_watch *watch, uint32_t events)
{
	struct lookup *lookup = CONTAINER_OF(watch, struct lookup, watch);
	struct rules *rules = rules_of(lookup->host);
	uint8_t answer[ANSWER_MAX];
	ssize_t n = recv(watch->fd, answer, sizeof(answer), MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR) { /* nobody there: the next one at once */
		lookup_timeout(&lookup->timer);
		return;
	}
	if (n < HEAD || !rules || !is_answer(lookup, answer, (size_t)n))
		return;
	learn(lookup, rules, answer, (size_t)n);
	memcpy(answer, lookup->question.bytes_id, sizeof(lookup->question.bytes_id));
	host_touch(lookup->host);
	resolver_answer(lookup->host->host, &lookup->question, answer, (size_t)n);
	lookup_free(lookup);
}

static bool lookup_begin(struct host *host, struct rules *rules, const struct net_question *question, const char *name)
{
	struct lookup *lookup;
	size_t count = 0;

	LIST_EACH(&rules->lookups, node)
		count++;
	lookup = count < LOOKUPS_MAX ? calloc(1, sizeof(*lookup) + question->length) : NULL;
	if (!lookup)
		return false;
	lookup->host = host;
	lookup->question = *question;
	memcpy(lookup->bytes, question->bytes, question->length);
	lookup->question.bytes = lookup->bytes;
	memcpy(lookup->question.bytes_id, question->bytes, sizeof(lookup->question.bytes_id));
	entropy_fill(&lookup->id, sizeof(lookup->id));
	put_be16(lookup->bytes, lookup->id);
	snprintf(lookup->name, sizeof(lookup->name), "%s", name);
	memcpy(lookup->servers, rules->nameservers, sizeof(lookup->servers));
	lookup->server_count = rules->nameserver_count ? rules->nameserver_count : system_servers(lookup->servers);
	lookup->watch.fd = -1;
	lookup->watch.ready = lookup_ready;
	lookup->timer.run = lookup_timeout;
	list_append(&rules->lookups, &lookup->node);
	if (!lookup->server_count)
		fail(lookup);
	else
		lookup_timeout(&lookup->timer);
	return true;
}

/* A name of --add-host, answered as one in /etc/hosts would be. */
static bool answer_own(struct host *host, const struct net_question *question, const struct dns_query *query)
{
	struct dns_record record = { .type = query->type, .ttl = TTL_SECONDS };
	bool six = query->type == DNS_TYPE_AAAA, exists;
	uint8_t answer[DNS_UDP_MAX];
	struct berth_ip ip;
	bool found = rules_own_name(host, query->name, six, &ip, &exists);

	if (!exists)
		return false;
	found = found && (six || query->type == DNS_TYPE_A);
	if (found) {
		record.data_length = six ? 16 : 4;
		memcpy(record.data, six ? ip.bytes : ip.bytes + 12, record.data_length);
	}
	resolver_answer(host->host, question, answer,
			dns_answer_build(query, DNS_NOERROR, &record, found, answer, sizeof(answer)));
	return true;
}

/* Could it be a name of somebody outside: with a dot, and no reverse or own one? */
static bool is_foreign(const char *name)
{
	const char *last = strrchr(name, '.');

	return last && strcmp(last, ".berth") && strcmp(last, ".arpa") && strcmp(last, ".localhost");
}

bool lookup_ask(void *context, struct berth_host *berth_host, const struct net_question *question)
{
	struct host *host = berth_host->hooks.context;
	struct dns_query query;
	char text[DNS_NAME_MAX + 16];

	if (!host || host->gateway || host->leaving || dns_query_parse(question->bytes, question->length, &query) ||
	    query.code != DNS_NOERROR || !query.name[0])
		return false;
	if (answer_own(host, question, &query))
		return true;
	if (question->known)
		return false;
	if (!is_foreign(query.name)) {
		journal_note(host, JOURNAL_EVENT, "NO_SUCH_NAME", "%s", query.name);
		return false;
	}
	if (rules_allow_name(host, query.name))
		return lookup_begin(host, rules_of(host), question, query.name);
	snprintf(text, sizeof(text), "%s (name)", query.name);
	rules_deny(host, host->program, text);
	return false;
}
