/* SPDX-License-Identifier: BSD-2-Clause */
/* What udp/'s files share. */
#ifndef CORE_UDP_UDP_H
#define CORE_UDP_UDP_H

#include "core/datagram/datagram.h"

ssize_t udp_send(struct berth_socket *socket, struct berth_message *message);

#endif
