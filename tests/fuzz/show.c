/* SPDX-License-Identifier: BSD-2-Clause */
/* A frame as a line of text: ends in NUL within its room, whatever the frame. First byte: link, room. */
#include "tests/fuzz/fuzz.h"

#include "wire/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	enum berth_link_type type;
	size_t room;
	char *text;

	if (!size)
		return 0;
	type = bytes[0] & 1 ? BERTH_LINK_IP : BERTH_LINK_ETHERNET;
	room = 1u + (bytes[0] >> 1) * 4u;
	text = malloc(room);
	MUST(wire_show(bytes + 1, size - 1, type, text, room) == text);
	MUST(memchr(text, 0, room));
	MUST(!strchr(text, '\n'));
	free(text);
	return 0;
}
