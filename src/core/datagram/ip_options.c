/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IP_OPTIONS, IP_RECVOPTS and IP_RETOPTS: ip(7). What is sent with every
 * datagram of a socket, and what came with those that are read. The header
 * that a datagram came in lies before it in its packet, packet->mark bytes.
 *
 * Differs: source routes can't be set (EPERM); nobody forwards them. RFC 7126 §4.3
 */
#include "core/datagram/datagram.h"
#include "wire/ip4.h"

#include <errno.h>

int datagram_check_options(const uint8_t *options, size_t length, struct datagram_options *ret_options)
{
	uint8_t header[WIRE_IP4_LENGTH_MAX] = { 0 };
	int r;

	if (length > WIRE_IP4_OPTIONS_MAX)
		return -EINVAL;
	if (length) /* else options may be NULL */
		memcpy(header + WIRE_IP4_LENGTH, options, length);
	r = wire_ip4_check_options(header, WIRE_IP4_LENGTH + length);
	if (r < 0)
		return r == -EACCES ? -EPERM : -EINVAL;
	ret_options->length = (uint8_t)((length + 3) & ~(size_t)3);
	memcpy(ret_options->bytes, header + WIRE_IP4_LENGTH, sizeof(ret_options->bytes));
	return 0;
}

int datagram_set_options(struct berth_socket *socket, const void *value, socklen_t length)
{
	struct datagram *datagram = datagram_of(socket);
	struct datagram_options options;
	int r = datagram_check_options(value, length, &options);

	if (r < 0)
		return r;
	if (!length) {
		datagram_forget_options(socket);
		return 0;
	}
	if (!datagram->options)
		datagram->options = stack_alloc(socket->stack, sizeof(options));
	if (!datagram->options)
		return -ENOMEM;
	*datagram->options = options;
	return 0;
}

void datagram_forget_options(struct berth_socket *socket)
{
	struct datagram *datagram = datagram_of(socket);

	if (datagram->options)
		stack_free(socket->stack, datagram->options, sizeof(*datagram->options));
	datagram->options = NULL;
}

void datagram_get_options(struct berth_socket *socket, void *value, socklen_t *length)
{
	const struct datagram_options *options = datagram_of(socket)->options;

	*length = (socklen_t)MIN(*length, options ? options->length : 0u);
	if (*length)
		memcpy(value, options->bytes, *length);
}

/* The options that packet came with; NULL: none. */
static const uint8_t *options_of(const struct berth_packet *packet, size_t *ret_length)
{
	const uint8_t *header = packet->data - packet->mark;
	struct wire_ip4 ip4;

	if (!ip_is4(packet->destination) || (!packet->mark && packet->length < WIRE_IP4_LENGTH) ||
	    wire_ip4_parse_quoted(header, packet->mark + packet->length, &ip4) <= WIRE_IP4_LENGTH)
		return NULL;
	*ret_length = ip4.header_length - (size_t)WIRE_IP4_LENGTH;
	return header + WIRE_IP4_LENGTH;
}

void datagram_write_options(struct berth_socket *socket, const struct berth_packet *packet,
			    struct berth_message *message, size_t *used)
{
	const struct socket_options *wanted = socket->options;
	uint8_t received[WIRE_IP4_OPTIONS_MAX], back[WIRE_IP4_OPTIONS_MAX];
	size_t length;
	const uint8_t *options = options_of(packet, &length);

	if (!options)
		return;
	memcpy(received, options, length);
	/* As Linux has them: we are on the route, too. */
	wire_ip4_options_record(received, length, packet->destination, ip_option_time(packet->stamp));
	if (wanted->receive_options)
		message_put_control(message, used, IPPROTO_IP, IP_RECVOPTS, received, length);
	if (!wanted->return_options)
		return;
	length = wire_ip4_options_echo(received, length, back);
	message_put_control(message, used, IPPROTO_IP, IP_RETOPTS, back, length);
}
