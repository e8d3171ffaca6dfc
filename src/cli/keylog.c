/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS secrets: the new lines of a key log go into the capture as a block of
 * their own, so that who reads it needs no other file. The format is NSS's,
 * draft-ietf-tls-keylogfile.
 */
#include "cli/capture.h"

#include "cli/cli.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, SECRETS_HEAD = 16, SECRETS_TLS = 0x544c534b };

static int add_secrets(struct sink *sink, const char *lines, size_t length)
{
	static const uint8_t zeros[4];
	uint32_t padded = (uint32_t)(length + 3) & ~3u;
	uint32_t head[] = { BLOCK_SECRETS, SECRETS_HEAD + padded + 4, SECRETS_TLS, (uint32_t)length };
	struct heap block = { 0 };
	int r;

	heap_add(&block, head, sizeof(head));
	heap_add(&block, lines, length);
	heap_add(&block, zeros, padded - length);
	heap_add(&block, &head[1], sizeof(head[1]));
	r = sink_add(sink, block.bytes, block.length);
	heap_free(&block);
	return r;
}

int keylog_follow(struct keylog *keylog, struct sink *sink)
{
	char lines[PIECE];
	struct stat status;
	int fd, r = CLI_OK;

	if (!keylog->path || stat(keylog->path, &status) || status.st_size == keylog->offset)
		return CLI_OK; /* a program makes it when it has something to write */
	if (status.st_size < keylog->offset)
		keylog->offset = 0; /* begun anew */
	fd = open(keylog->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	while (fd >= 0 && r == CLI_OK) {
		ssize_t n = pread(fd, lines, sizeof(lines), keylog->offset);
		const char *last = n > 0 ? memrchr(lines, '\n', (size_t)n) : NULL;

		if (!last)
			break; /* the end, or a line that is being written */
		r = add_secrets(sink, lines, (size_t)(last + 1 - lines));
		keylog->offset += last + 1 - lines;
	}
	if (fd >= 0)
		close(fd);
	return r;
}
