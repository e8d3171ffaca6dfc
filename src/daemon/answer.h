/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of the control API: every one says which version of it answers. */
#ifndef DAEMON_ANSWER_H
#define DAEMON_ANSWER_H

#include <microhttpd.h>

/* Queue response, which is taken over; NULL: MHD_NO. */
int answer_send(struct MHD_Connection *connection, unsigned status, const char *type, struct MHD_Response *response);
/* text: JSON that stays, a string literal. */
int answer_constant(struct MHD_Connection *connection, unsigned status, const char *text);
/*
 * 200, and what read gives of context, for as long as it takes: a quiet network is no fault. end(context) is called when
 * it is over, also when it could not begin (MHD_NO).
 */
int answer_stream(struct MHD_Connection *connection, const char *type, MHD_ContentReaderCallback read, void *context,
		  MHD_ContentReaderFreeCallback end);

#endif
