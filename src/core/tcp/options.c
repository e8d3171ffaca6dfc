/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options at level IPPROTO_TCP; tcp(7), Linux: do_tcp_setsockopt(). What is
 * accepted here works; anything else is refused.
 */
#include "core/tcp/tcp.h"

#include <linux/tcp.h>

#define NAME_MAX_LENGTH 16 /* Linux: TCP_CA_NAME_MAX */
#define MAXSEG_MIN 88	   /* Linux: TCP_MIN_MSS */
#define MAXSEG_MAX 32767
#define SECONDS_MAX 32767 /* Linux: MAX_TCP_KEEPIDLE */
#define COUNT_MAX 127	  /* Linux: MAX_TCP_KEEPCNT, MAX_TCP_SYNCNT */
#define WINDOW_CLAMP_MIN 1152
#define LINGER2_MAX 120 /* Linux: TCP_FIN_TIMEOUT_MAX, seconds */

int tcp_settings_init(struct tcp_stack *tcp)
{
	struct tcp_settings *settings = share_init(&tcp->settings, tcp->stack->allocator, sizeof(*settings));

	if (!settings)
		return -ENOMEM;
	settings->keepalive_idle = TCP_KEEPALIVE_IDLE;
	settings->keepalive_interval = TCP_KEEPALIVE_INTERVAL;
	settings->keepalive_probes = TCP_KEEPALIVE_PROBES;
	settings->congestion = &tcp_cubic;
	return 0;
}

int tcp_settings_own(struct tcp_conn *conn)
{
	struct tcp_settings *own = share_own(&tcp_of(tcp_stack_of(conn))->settings, conn->settings);

	if (!own)
		return -ENOMEM;
	conn->settings = own;
	return 0;
}

void tcp_settings_settle(struct tcp_conn *conn)
{
	conn->settings = share_settle(&tcp_of(tcp_stack_of(conn))->settings, conn->settings);
}

struct option {
	int name;
	int least, most;
	void (*set)(struct tcp_conn *conn, int value);
	int (*get)(struct tcp_conn *conn);
};

/* tcp(7): what a cork or MSG_MORE holds goes now, and the cork stays. Linux: TCP_NAGLE_PUSH */
static void set_no_delay(struct tcp_conn *conn, int value)
{
	bool cork = conn->settings->cork;

	conn->settings->no_delay = value;
	if (value) {
		conn->settings->cork = false;
		conn->more = false;
	}
	tcp_output(conn);
	conn->settings->cork = cork;
}
static int get_no_delay(struct tcp_conn *conn)
{
	return conn->settings->no_delay;
}
static void set_cork(struct tcp_conn *conn, int value)
{
	conn->settings->cork = value;
	tcp_output(conn);
}
static int get_cork(struct tcp_conn *conn)
{
	return conn->settings->cork;
}
static void set_max_segment(struct tcp_conn *conn, int value)
{
	conn->settings->max_segment = (uint16_t)value;
	conn->mss_mtu = 0;
}
/* In force, or asked for before there is a connection. Linux: 536 when nothing is known. */
static int get_max_segment(struct tcp_conn *conn)
{
	if (conn->mss)
		return conn->mss;
	return conn->settings->max_segment ? conn->settings->max_segment : 536;
}
static void set_keepalive_idle(struct tcp_conn *conn, int value)
{
	conn->settings->keepalive_idle = value * BERTH_SEC;
	tcp_timer_keepalive(conn);
}
static int get_keepalive_idle(struct tcp_conn *conn)
{
	return (int)(conn->settings->keepalive_idle / BERTH_SEC);
}
static void set_keepalive_interval(struct tcp_conn *conn, int value)
{
	conn->settings->keepalive_interval = value * BERTH_SEC;
}
static int get_keepalive_interval(struct tcp_conn *conn)
{
	return (int)(conn->settings->keepalive_interval / BERTH_SEC);
}
static void set_keepalive_probes(struct tcp_conn *conn, int value)
{
	conn->settings->keepalive_probes = (uint8_t)value;
}
static int get_keepalive_probes(struct tcp_conn *conn)
{
	return conn->settings->keepalive_probes;
}
static void set_syn_retries(struct tcp_conn *conn, int value)
{
	conn->settings->syn_retries = (uint8_t)value;
}
static int get_syn_retries(struct tcp_conn *conn)
{
	return conn->settings->syn_retries ? conn->settings->syn_retries : TCP_SYN_RETRIES;
}
static void set_user_timeout(struct tcp_conn *conn, int value)
{
	conn->settings->user_timeout_ms = (uint32_t)value;
}
static int get_user_timeout(struct tcp_conn *conn)
{
	return (int)conn->settings->user_timeout_ms;
}
static void set_linger2(struct tcp_conn *conn, int value)
{
	conn->settings->linger2_seconds = value < 0 ? -1 : MIN(value, LINGER2_MAX);
}
static int get_linger2(struct tcp_conn *conn)
{
	int seconds = conn->settings->linger2_seconds;

	return seconds ? seconds : (int)(TCP_FIN_WAIT_2_TIME / BERTH_SEC);
}
static void set_quick_ack(struct tcp_conn *conn, int value)
{
	conn->interactive = !value;
	conn->quick_acks = value ? TCP_QUICK_ACKS : 0;
	if (value && conn->unacked_bytes && tcp_synchronized(conn->state))
		tcp_send_ack(conn);
}
static int get_quick_ack(struct tcp_conn *conn)
{
	return !conn->interactive;
}
static void set_notsent_low_water(struct tcp_conn *conn, int value)
{
	conn->settings->notsent_low_water = (uint32_t)value;
	conn->wake = true;
}
static int get_notsent_low_water(struct tcp_conn *conn)
{
	return (int)conn->settings->notsent_low_water;
}
static void set_window_clamp(struct tcp_conn *conn, int value)
{
	conn->settings->window_clamp = value ? (uint32_t)MAX(value, WINDOW_CLAMP_MIN) : 0;
}
static int get_window_clamp(struct tcp_conn *conn)
{
	uint32_t clamp = conn->settings->window_clamp;

	return (int)(clamp ? clamp : tcp_socket(conn)->receive_buffer);
}

#define FLAG_RANGE 0, 0
#define ANY INT32_MIN, INT32_MAX
static const struct option options[] = {
	{ TCP_NODELAY, FLAG_RANGE, set_no_delay, get_no_delay },
	{ TCP_CORK, FLAG_RANGE, set_cork, get_cork },
	{ TCP_QUICKACK, FLAG_RANGE, set_quick_ack, get_quick_ack },
	{ TCP_MAXSEG, MAXSEG_MIN, MAXSEG_MAX, set_max_segment, get_max_segment },
	{ TCP_KEEPIDLE, 1, SECONDS_MAX, set_keepalive_idle, get_keepalive_idle },
	{ TCP_KEEPINTVL, 1, SECONDS_MAX, set_keepalive_interval, get_keepalive_interval },
	{ TCP_KEEPCNT, 1, COUNT_MAX, set_keepalive_probes, get_keepalive_probes },
	{ TCP_SYNCNT, 1, COUNT_MAX, set_syn_retries, get_syn_retries },
	{ TCP_USER_TIMEOUT, 0, INT32_MAX, set_user_timeout, get_user_timeout },
	{ TCP_LINGER2, ANY, set_linger2, get_linger2 },
	{ TCP_NOTSENT_LOWAT, ANY, set_notsent_low_water, get_notsent_low_water },
	{ TCP_WINDOW_CLAMP, 0, INT32_MAX, set_window_clamp, get_window_clamp },
};

static const struct option *option_find(int name)
{
	for (size_t i = 0; i < COUNT_OF(options); i++)
		if (options[i].name == name)
			return &options[i];
	return NULL;
}

static int set_congestion(struct tcp_conn *conn, const void *value, socklen_t length)
{
	size_t size = strnlen(value, MIN(length, NAME_MAX_LENGTH - 1));
	const struct tcp_congestion *congestion = tcp_congestion_find(value, size);

	if (!length)
		return -EINVAL;
	if (!congestion)
		return -ENOENT;
	if (conn->settings->congestion == congestion)
		return 0;
	conn->settings->congestion = congestion;
	if (tcp_synchronized(conn->state))
		tcp_congestion_begin(conn);
	return 0;
}

/* conn->settings are its own meanwhile. */
static int set_own(struct tcp_conn *conn, int name, const void *value, socklen_t length)
{
	const struct option *option = option_find(name);
	int number;

	if (name == TCP_CONGESTION)
		return set_congestion(conn, value, length);
	if (name != TCP_FASTOPEN_KEY && name != TCP_ULP && length < sizeof(number))
		return -EINVAL; /* also of an option that there is not, but TCP_ULP, a name. Linux: do_tcp_setsockopt() */
	if (!option)
		return tcp_opening_set(conn, name, value, length);
	memcpy(&number, value, sizeof(number));
	if (option->least == option->most) /* a flag */
		number = !!number;
	else if ((number < option->least || number > option->most) && !(name == TCP_MAXSEG && !number))
		return -EINVAL; /* TCP_MAXSEG 0: none of one's own */
	option->set(conn, number);
	return 0;
}

int tcp_setsockopt(struct berth_socket *socket, int name, const void *value, socklen_t length)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	int r = tcp_settings_own(conn);

	if (r < 0)
		return r;
	tcp_enter(conn);
	r = set_own(conn, name, value, length);
	tcp_settings_settle(conn);
	tcp_leave(conn);
	return r;
}

static void info_handshake(struct tcp_conn *conn, struct tcp_info *info)
{
	/* Linux's numbers for the states; the kernel's header of them is not for us. */
	static const uint8_t states[TCP_STATES] = {
		[TCP_ESTABLISHED] = 1, [TCP_SYN_SENT] = 2,  [TCP_SYN_RECEIVED] = 3, [TCP_FIN_WAIT_1] = 4,
		[TCP_FIN_WAIT_2] = 5,  [TCP_TIME_WAIT] = 6, [TCP_CLOSED] = 7,	    [TCP_CLOSE_WAIT] = 8,
		[TCP_LAST_ACK] = 9,    [TCP_LISTEN] = 10,   [TCP_CLOSING] = 11,
	};

	info->tcpi_state = states[conn->state];
	info->tcpi_options = (uint8_t)((conn->timestamps ? TCPI_OPT_TIMESTAMPS : 0) |
				       (conn->scaling ? TCPI_OPT_WSCALE : 0) | (conn->sack ? TCPI_OPT_SACK : 0) |
				       (conn->ecn ? TCPI_OPT_ECN : 0) | (conn->syn_data_acked ? TCPI_OPT_SYN_DATA : 0));
	info->tcpi_fastopen_client_fail = conn->rare->fastopen_fail;
	info->tcpi_snd_wscale = conn->send_scale;
	info->tcpi_rcv_wscale = conn->receive_scale;
	info->tcpi_snd_mss = conn->mss;
	info->tcpi_rcv_mss = conn->receive_mss;
	info->tcpi_advmss = conn->mss;
	info->tcpi_pmtu = tcp_socket(conn)->path->mtu;
}

static void info_time(struct tcp_conn *conn, struct tcp_info *info)
{
	berth_time now = tcp_stack_of(conn)->now;

	info->tcpi_rto = (uint32_t)(tcp_rtt_timeout(&conn->rtt) / BERTH_USEC);
	info->tcpi_ato = (uint32_t)(TCP_DELAYED_ACK / BERTH_USEC);
	info->tcpi_rtt = (uint32_t)(conn->rtt.mean / BERTH_USEC);
	info->tcpi_rttvar = (uint32_t)(conn->rtt.deviation / BERTH_USEC);
	info->tcpi_min_rtt = (uint32_t)(conn->rtt.smallest / BERTH_USEC);
	info->tcpi_last_data_sent = (uint32_t)((now - conn->last_sent) / BERTH_MSEC);
	info->tcpi_last_data_recv = (uint32_t)((now - conn->last_heard) / BERTH_MSEC);
	info->tcpi_last_ack_recv = info->tcpi_last_data_recv;
	info->tcpi_backoff = conn->rtt.backoff;
	info->tcpi_retransmits = conn->timeouts;
	info->tcpi_probes = (uint8_t)(conn->probes + conn->keepalives);
}

static void info_flow(struct tcp_conn *conn, struct tcp_info *info)
{
	uint32_t mss = MAX(conn->mss, 1);

	info->tcpi_ca_state = conn->in_loss || conn->timeouts  ? TCP_CA_Loss
			      : conn->in_recovery	       ? TCP_CA_Recovery
			      : conn->sent->board.sacked_bytes ? TCP_CA_Disorder
							       : TCP_CA_Open;
	info->tcpi_unacked = (tcp_flight(conn) + mss - 1) / mss;
	info->tcpi_sacked = (conn->sent->board.sacked_bytes + mss - 1) / mss;
	info->tcpi_lost = (conn->sent->board.lost_bytes + mss - 1) / mss;
	info->tcpi_snd_cwnd = conn->cwnd / mss;
	info->tcpi_snd_ssthresh = conn->ssthresh == UINT32_MAX ? INT32_MAX : conn->ssthresh / mss;
	info->tcpi_rcv_space = tcp_receive_space(conn);
	info->tcpi_total_retrans = conn->rare->retransmits;
	info->tcpi_bytes_acked = conn->counters.bytes_acked;
	info->tcpi_bytes_received = conn->counters.bytes_received;
	info->tcpi_segs_out = (uint32_t)conn->counters.segments_out;
	info->tcpi_segs_in = (uint32_t)conn->counters.segments_in;
	info->tcpi_data_segs_out = (uint32_t)conn->counters.data_out;
	info->tcpi_data_segs_in = (uint32_t)conn->counters.data_in;
	info->tcpi_bytes_sent = tcp_bytes_sent(conn);
	info->tcpi_bytes_retrans = conn->rare->bytes_retransmitted;
	info->tcpi_notsent_bytes = tcp_unsent(conn);
	info->tcpi_snd_wnd = conn->snd_wnd;
	info->tcpi_pacing_rate = tcp_pace_rate(conn);
	info->tcpi_max_pacing_rate = tcp_socket(conn)->options->max_pacing_rate;
	info->tcpi_delivery_rate = tcp_rate_delivery(conn);
	info->tcpi_delivery_rate_app_limited = conn->rate && conn->rate->limited;
	if (conn->state == TCP_LISTEN) { /* Linux: the accept queue and its limit */
		info->tcpi_unacked = conn->rare->listener->accepted_count;
		info->tcpi_sacked = conn->rare->listener->backlog;
	}
}

static int copy_out(void *value, socklen_t *length, const void *from, size_t size)
{
	*length = (socklen_t)MIN(size, *length);
	memcpy(value, from, *length);
	return 0;
}

static int get_info(struct tcp_conn *conn, void *value, socklen_t *length)
{
	struct tcp_info info = { 0 };

	info_handshake(conn, &info);
	info_time(conn, &info);
	info_flow(conn, &info);
	return copy_out(value, length, &info, sizeof(info));
}

int tcp_getsockopt(struct berth_socket *socket, int name, void *value, socklen_t *length)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	const struct option *option = option_find(name);
	char congestion[NAME_MAX_LENGTH] = { 0 };
	int number;

	if (name == TCP_INFO)
		return get_info(conn, value, length);
	if (name == TCP_CC_INFO) { /* as on Linux, what has nothing to tell tells nothing */
		*length = 0;
		return 0;
	}
	if (name == TCP_CONGESTION) {
		strncpy(congestion, conn->settings->congestion->name, sizeof(congestion) - 1);
		return copy_out(value, length, congestion, sizeof(congestion));
	}
	if (!option)
		return tcp_opening_get(conn, name, value, length);
	number = option->get(conn);
	return copy_out(value, length, &number, sizeof(number));
}
