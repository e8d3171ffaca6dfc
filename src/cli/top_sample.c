/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What berth top knows: the control API asked once, by a thread. Rates come
 * from the difference of two such samples.
 */
#include "cli/top.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/json.h"
#include "os/clock.h"

static void end_text(const json_t *end, char *text, size_t size)
{
	snprintf(text, size, "%s:%lld", api_string(end, "address"), api_number(end, "port"));
}

void sample_socket_key(const json_t *socket, bool far, char key[SAMPLE_KEY])
{
	const json_t *local = json_object_get(socket, "local"), *remote = json_object_get(socket, "remote");
	const char *address = api_string(local, "address");
	bool loopback = !strncmp(address, "127.", 4) || !strcmp(address, "::1");
	char here[80], there[80];

	end_text(far ? remote : local, here, sizeof(here));
	end_text(far ? local : remote, there, sizeof(there));
	snprintf(key, SAMPLE_KEY, "socket %.8s %s %s %.60s", api_string(socket, "protocol"), here, there,
		 loopback ? api_string(socket, "host") : "");
}

void sample_link_key(const char *from, const char *to, char key[SAMPLE_KEY])
{
	snprintf(key, SAMPLE_KEY, "link %.64s>%.64s", from, to);
}

void sample_counters_key(const char *host, char key[SAMPLE_KEY])
{
	snprintf(key, SAMPLE_KEY, "counters %.64s", host);
}

static void index_all(struct sample *sample)
{
	char key[SAMPLE_KEY];
	json_t *value;
	size_t i;

	sample->by_key = json_object();
	json_array_foreach(sample->sockets, i, value) {
		sample_socket_key(value, false, key);
		json_object_set(sample->by_key, key, value);
	}
	json_array_foreach(sample->links, i, value) {
		sample_link_key(json_get_text(value, "from", ""), json_get_text(value, "to", ""), key);
		json_object_set(sample->by_key, key, value);
	}
	json_array_foreach(sample->counters, i, value) {
		sample_counters_key(api_string(value, "host"), key);
		json_object_set(sample->by_key, key, json_object_get(value, "events"));
	}
}

struct sample *sample_fetch(const char *network, long long since)
{
	struct sample *sample = cli_alloc(sizeof(*sample));
	char target[64];
	int r;

	snprintf(target, sizeof(target), "/v1/events?since=%lld", since);
	if ((r = json_fetch(network, "/v1/network", &sample->network)) ||
	    (r = json_fetch(network, "/v1/programs", &sample->programs)) ||
	    (r = json_fetch(network, "/v1/counters", &sample->counters)) ||
	    (r = json_fetch(network, "/v1/links", &sample->links)) ||
	    (r = json_fetch(network, "/v1/sockets", &sample->sockets)) ||
	    (r = lines_fetch(network, target, &sample->events)))
		sample->error = r;
	else
		index_all(sample);
	sample->at = (double)clock_now() / 1e9;
	return sample;
}

void sample_free(struct sample *sample)
{
	if (!sample)
		return;
	json_decref(sample->network);
	json_decref(sample->programs);
	json_decref(sample->counters);
	json_decref(sample->links);
	json_decref(sample->sockets);
	json_decref(sample->events);
	json_decref(sample->by_key);
	free(sample);
}

/* What was not there before has come since, and began at 0. */
static double difference(const struct moment *moment, const char *sample_key, const json_t *object, const char *key)
{
	const json_t *before = json_object_get(moment->before->by_key, sample_key);
	double grown = (double)(api_number(object, key) - api_number(before, key));

	return grown > 0 ? grown : 0; /* less than before: another one with the same name */
}

double moment_rate(const struct moment *moment, const char *sample_key, const json_t *object, const char *key)
{
	double seconds = moment->before ? moment->now->at - moment->before->at : 0;

	if (seconds <= 0 || !json_object_get(object, key))
		return -1;
	return difference(moment, sample_key, object, key) / seconds;
}

long long moment_grown(const struct moment *moment, const char *sample_key, const json_t *object, const char *key)
{
	return moment->before ? (long long)difference(moment, sample_key, object, key) : 0;
}

struct fetcher {
	char network[64];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t asked;
	bool wanted, quit;
	long long since;
	struct sample *ready;
	int fd;
};

static void *fetch_loop(void *context)
{
	struct fetcher *fetcher = context;
	struct sample *sample;
	long long since;

	pthread_mutex_lock(&fetcher->lock);
	for (;;) {
		while (!fetcher->wanted && !fetcher->quit)
			pthread_cond_wait(&fetcher->asked, &fetcher->lock);
		if (fetcher->quit)
			break;
		since = fetcher->since;
		pthread_mutex_unlock(&fetcher->lock);
		sample = sample_fetch(fetcher->network, since);
		pthread_mutex_lock(&fetcher->lock);
		fetcher->wanted = false;
		fetcher->ready = sample;
		eventfd_write(fetcher->fd, 1);
	}
	pthread_mutex_unlock(&fetcher->lock);
	return NULL;
}

struct fetcher *fetcher_new(const char *network)
{
	struct fetcher *fetcher = cli_alloc(sizeof(*fetcher));
	int r;

	snprintf(fetcher->network, sizeof(fetcher->network), "%s", network);
	pthread_mutex_init(&fetcher->lock, NULL);
	pthread_cond_init(&fetcher->asked, NULL);
	fetcher->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = fetcher->fd < 0 ? errno : pthread_create(&fetcher->thread, NULL, fetch_loop, fetcher);
	if (!r)
		return fetcher;
	fprintf(stderr, "berth top: can't begin: %s\n", strerror(r));
	exit(CLI_FAILED);
}

/* Waits for a question that is under way: ten seconds, if the daemon does not answer. */
void fetcher_free(struct fetcher *fetcher)
{
	pthread_mutex_lock(&fetcher->lock);
	fetcher->quit = true;
	pthread_cond_signal(&fetcher->asked);
	pthread_mutex_unlock(&fetcher->lock);
	pthread_join(fetcher->thread, NULL);
	sample_free(fetcher->ready);
	close(fetcher->fd);
	free(fetcher);
}

int fetcher_fd(const struct fetcher *fetcher)
{
	return fetcher->fd;
}

void fetcher_ask(struct fetcher *fetcher, long long since)
{
	pthread_mutex_lock(&fetcher->lock);
	fetcher->wanted = true;
	fetcher->since = since;
	pthread_cond_signal(&fetcher->asked);
	pthread_mutex_unlock(&fetcher->lock);
}

struct sample *fetcher_take(struct fetcher *fetcher)
{
	struct sample *sample;
	eventfd_t count;

	eventfd_read(fetcher->fd, &count);
	pthread_mutex_lock(&fetcher->lock);
	sample = fetcher->ready;
	fetcher->ready = NULL;
	pthread_mutex_unlock(&fetcher->lock);
	return sample;
}
