/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/answer.h"

#include "control/http.h"

#include <stdint.h>
#include <string.h>

enum { PIECE = 64 << 10 }; /* bytes asked for at once */

int answer_send(struct MHD_Connection *connection, unsigned status, const char *type, struct MHD_Response *response)
{
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, HTTP_VERSION_FIELD, HTTP_VERSION_VALUE);
	int r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

int answer_constant(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return answer_send(
		connection, status, "application/json",
		MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT));
}

int answer_stream(struct MHD_Connection *connection, const char *type, MHD_ContentReaderCallback read, void *context,
		  MHD_ContentReaderFreeCallback end)
{
	struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, read, context, end);

	if (!response) {
		end(context);
		return MHD_NO;
	}
	MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
	return answer_send(connection, MHD_HTTP_OK, type, response);
}
