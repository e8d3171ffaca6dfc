/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths that swallow large packets without a word: RFC 2923 §2.1. Segments
 * that time out three times in a row become smaller, whatever the path's MTU
 * is said to be, and when they come through, data of larger sizes asks what
 * the path can carry (RFC 4821, RFC 8899). Linux: tcp_mtu_probing 1.
 *
 * A probe is a segment of new data larger than the MSS. It is acknowledged:
 * the path carries that. It alone is lost: it does not, and that is no sign of
 * congestion (RFC 4821 §7.5). Without SACK nothing tells that a probe alone is
 * lost, and the old size comes back after ten minutes.
 *
 * Differs from Linux: a path that was down for a while swallows no less than
 * one that has become narrow. So when a small segment has come through, the
 * size of before is on trial: all goes as if nothing had been. It stays when
 * some segments' worth is acknowledged; a single timeout ends the trial.
 */
#include "core/tcp/tcp.h"

#define TIMEOUTS 3		      /* Linux: tcp_retries1 */
#define PRECISION 8		      /* bytes; Linux: tcp_probe_threshold */
#define AGAIN_AFTER (600 * BERTH_SEC) /* Linux: tcp_probe_interval; RFC 8899 §5.1.1 */
#define TRIAL_SEGMENTS 4	      /* that are acknowledged, or all that they carry */
#define SEGMENTS_BEHIND 4	      /* what tells that the probe alone is lost */

static const uint16_t small_sizes[] = { 1024, 512 }; /* Linux: tcp_base_mss, and half of it */

struct tcp_mtu_search {
	unsigned low, high; /* MTUs: what comes through, and the largest that may */
	unsigned size;	    /* of the probe that is out */
	bool out;
	bool settled; /* low is the answer until again_at */
	bool hopeful; /* what comes through next begins a trial of high, which ends at end */
	bool trial;
	uint32_t begin, end;
	berth_time again_at;
};

static unsigned headers_of(const struct tcp_conn *conn)
{
	return (ip_is6(tcp_socket((struct tcp_conn *)conn)->demux.remote.ip) ? 40u : 20u) + WIRE_TCP_HEADER;
}

unsigned tcp_mtu_limit(const struct tcp_conn *conn, unsigned mtu)
{
	return conn->work->mtu_search && !conn->work->mtu_search->trial ? MIN(mtu, conn->work->mtu_search->low) : mtu;
}

void tcp_mtu_drop(struct tcp_conn *conn)
{
	if (!conn->work->mtu_search)
		return;
	stack_free(tcp_stack_of(conn), conn->work->mtu_search, sizeof(*conn->work->mtu_search));
	conn->work->mtu_search = NULL;
}

/* Largest segment that is under way and was to be sent again. */
static uint32_t first_length(const struct tcp_conn *conn)
{
	const struct flight *first = conn->sack ? scoreboard_first(&conn->sent->board) : NULL;

	return MIN(first ? first->end - first->begin : tcp_flight(conn), conn->mss);
}

static void trial_end(struct tcp_conn *conn)
{
	conn->work->mtu_search->trial = false;
	conn->mss_mtu = 0;
}

/* A retransmission timed out, once more. */
void tcp_mtu_timeout(struct tcp_conn *conn)
{
	struct tcp_mtu_search *search = conn->work->mtu_search;
	unsigned mtu = conn->mss_mtu;

	if (search)
		search->out = false;
	if (search && search->trial) {
		if (first_length(conn) + headers_of(conn) > search->low)
			trial_end(conn);
		return;
	}
	if (conn->timeouts < TIMEOUTS || tcp_stack_of(conn)->limits.mtu_probing == BERTH_MTU_PROBING_OFF)
		return;
	for (size_t i = 0; i < COUNT_OF(small_sizes); i++) {
		unsigned smaller = small_sizes[i] + headers_of(conn);

		if (smaller >= mtu || first_length(conn) <= small_sizes[i])
			continue;
		if (!search)
			search = conn->work->mtu_search = stack_alloc(tcp_stack_of(conn), sizeof(*search));
		if (!search)
			return;
		search->high = MAX(search->high, mtu);
		search->low = smaller;
		search->settled = false;
		search->hopeful = true;
		search->size = 0;
		conn->mss_mtu = 0; /* to be computed anew */
		tcp_event(conn, BERTH_EVENT_TCP_BLACK_HOLE);
		return;
	}
}

static void settle(struct tcp_conn *conn)
{
	conn->work->mtu_search->settled = true;
	conn->work->mtu_search->again_at = tcp_stack_of(conn)->now + AGAIN_AFTER;
}

/* The size to try next; 0: none. */
static unsigned next_size(struct tcp_conn *conn, unsigned path_mtu)
{
	struct tcp_mtu_search *search = conn->work->mtu_search;

	if (search->settled) {
		if (tcp_stack_of(conn)->now < search->again_at)
			return 0;
		search->settled = false; /* the way may be another one by now */
		search->high = path_mtu;
		search->size = 0;
	}
	search->high = MIN(search->high, path_mtu);
	if (search->high <= search->low || (search->size && search->high - search->low < PRECISION)) {
		settle(conn);
		return 0;
	}
	return search->size ? search->low + (search->high - search->low + 1) / 2 : search->high;
}

/* Nothing is lost, and there is data for a probe and for what must come behind it. */
static bool may_probe(const struct tcp_conn *conn, uint32_t length)
{
	uint32_t needed = length + SEGMENTS_BEHIND * conn->mss;

	return !conn->in_recovery && !conn->in_loss && !conn->timeouts && !conn->sent->board.lost_bytes &&
	       !conn->sent->board.sacked_bytes && conn->snd_nxt == conn->snd_max && conn->cwnd >= needed &&
	       conn->snd_wnd >= tcp_flight(conn) + needed && tcp_data_end(conn) - conn->snd_nxt >= needed;
}

/* Nothing would tell of a lost probe: the old size is tried when the time has come, and may time out again. */
static void search_without_sack(struct tcp_conn *conn)
{
	if (!conn->work->mtu_search->settled) {
		settle(conn);
	} else if (tcp_stack_of(conn)->now >= conn->work->mtu_search->again_at) {
		tcp_mtu_drop(conn);
		conn->mss_mtu = 0;
	}
}

/* Before other data goes: try a larger size, if it is time for that. True: that waits for room in the window. */
bool tcp_mtu_probe(struct tcp_conn *conn)
{
	struct tcp_mtu_search *search = conn->work->mtu_search;
	const struct ip_path *path;
	unsigned size;
	uint32_t length;

	if (search->out || search->trial || tcp_fin_sent(conn) || socket_path(tcp_socket(conn), &path) < 0)
		return false;
	if (!conn->sack) {
		search_without_sack(conn);
		return false;
	}
	tcp_update_mss(conn, path->mtu);
	size = next_size(conn, path->mtu);
	length = size ? tcp_mss_with(conn, size) : 0;
	if (size && length <= conn->mss) /* the peer takes no more */
		settle(conn);
	if (length <= conn->mss || !may_probe(conn, length))
		return false;
	if (conn->cwnd < conn->sent->board.pipe + length)
		return true;
	search->begin = conn->snd_nxt;
	search->end = conn->snd_nxt + length;
	if (!tcp_output_large(conn, length) || !conn->work->mtu_search)
		return false;
	search->size = size;
	search->out = true;
	tcp_event(conn, BERTH_EVENT_TCP_MTU_PROBE);
	return false;
}

void tcp_mtu_acknowledged(struct tcp_conn *conn)
{
	struct tcp_mtu_search *search = conn->work->mtu_search;

	if (search->trial && seq_ge(conn->snd_una, search->end)) {
		tcp_mtu_drop(conn);
		conn->mss_mtu = 0;
		return;
	}
	if (search->hopeful) {
		search->hopeful = false;
		search->trial = true;
		search->end = conn->snd_una + TRIAL_SEGMENTS * tcp_mss_with(conn, search->high);
		conn->mss_mtu = 0;
	}
	if (!search->out || seq_lt(conn->snd_una, search->end))
		return;
	search->out = false;
	search->low = search->size;
	conn->mss_mtu = 0;
}

/* Something was found lost. True: the probe alone, and the window is not to pay for it. */
bool tcp_mtu_probe_lost(struct tcp_conn *conn)
{
	struct tcp_mtu_search *search = conn->work->mtu_search;
	const struct flight *lost = scoreboard_first_lost(&conn->sent->board);

	if (!search || !search->out || !lost || seq_lt(search->begin, lost->begin) || seq_ge(search->begin, lost->end))
		return false;
	search->out = false;
	if (conn->sent->board.lost_bytes > search->end - search->begin)
		return false; /* others, too: it may have been congestion, and says nothing of sizes */
	search->high = search->size - 1;
	return true;
}
