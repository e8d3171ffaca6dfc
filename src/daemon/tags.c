/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tags: a datagram for a program travels with a descriptor that says where it
 * came from (channel.h). Most datagrams of a socket come from few places, so
 * the descriptors are kept, the least recently used gives way.
 */
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TAGS_MAX = 64 };

struct tag {
	struct channel_tag tag;
	int fd;
	uint64_t used;
};

struct tags {
	size_t count;
	uint64_t uses;
	struct tag tags[TAGS_MAX];
};

struct tags *tags_new(void)
{
	return calloc(1, sizeof(struct tags));
}

void tags_free(struct tags *tags)
{
	if (!tags)
		return;
	for (size_t i = 0; i < tags->count; i++)
		close(tags->tags[i].fd);
	free(tags);
}

int tag_make(const struct channel_tag *tag, const void *extra)
{
	ssize_t extra_length = (ssize_t)tag->extra_length;
	int fd = memfd_create("berth-tag", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (write(fd, tag, sizeof(*tag)) != sizeof(*tag) || write(fd, extra, (size_t)extra_length) != extra_length ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

int tags_get(struct tags *tags, const struct channel_tag *tag)
{
	struct tag *oldest = &tags->tags[0];

	for (size_t i = 0; i < tags->count; i++) {
		struct tag *entry = &tags->tags[i];
		if (!memcmp(&entry->tag, tag, sizeof(*tag))) {
			entry->used = ++tags->uses;
			return entry->fd;
		}
		if (entry->used < oldest->used)
			oldest = entry;
	}
	int fd = tag_make(tag, "");
	if (fd < 0)
		return fd;
	if (tags->count < TAGS_MAX)
		oldest = &tags->tags[tags->count++];
	else
		close(oldest->fd);
	*oldest = (struct tag){ .tag = *tag, .fd = fd, .used = ++tags->uses };
	return fd;
}
