/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw sockets, raw(7): packets of one IP protocol, seen beside the protocol
 * itself. They have no ports. Who may open them is the embedder's to say.
 */
#ifndef CORE_RAW_RAW_H
#define CORE_RAW_RAW_H

#include "core/stack.h"

/* Its number is 0; each socket's is in its demux node. */
extern const struct berth_protocol raw_protocol;

/*
 * A packet that is for us; data is at its IP header, header_length bytes.
 * Stays the caller's. Returns whether a raw socket wants packets of its kind.
 */
bool raw_input(struct berth_stack *stack, const struct berth_packet *packet, const struct berth_ip_info *info,
	       size_t header_length);
void raw_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted, size_t length);

/* IP_HDRINCL, IPV6_HDRINCL, IPV6_CHECKSUM, ICMP_FILTER, ICMP6_FILTER. -ENOPROTOOPT: none of these. */
int raw_set_option(struct berth_socket *socket, int level, int option, const void *value, socklen_t length);
int raw_get_option(struct berth_socket *socket, int level, int option, void *value, socklen_t *length);

#endif
