/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/inodes.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	STATE_LISTEN = 10, /* Linux: TCP_LISTEN, of AF_UNIX too */
	ANSWER_SIZE = 32768,
};

struct entry {
	uint64_t id;
	uint32_t inode;
	bool listens; /* what it has accepted by express has its name, too */
};

struct inodes {
	struct entry *entries; /* by id */
	size_t count, room;
};

static void add(struct inodes *inodes, uint64_t id, uint32_t inode, bool listens)
{
	if (inodes->count == inodes->room) {
		size_t room = MAX(inodes->room * 2, (size_t)64);
		struct entry *grown = realloc(inodes->entries, room * sizeof(*grown));

		if (!grown)
			return;
		inodes->entries = grown;
		inodes->room = room;
	}
	inodes->entries[inodes->count++] = (struct entry){ id, inode, listens };
}

/*
 * One AF_UNIX socket of the machine. A program's own says its id in its name;
 * one that it has accepted has its listener's name, and the peer's tells.
 */
static void take(struct inodes *inodes, const struct daemon *daemon, const struct nlmsghdr *header)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	const struct rtattr *attribute = (const struct rtattr *)(message + 1);
	int left = (int)header->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*message));
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = 0;
	uint32_t peer = 0;
	struct name name;

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == UNIX_DIAG_NAME) {
			length = MIN(RTA_PAYLOAD(attribute), sizeof(address.sun_path));
			memcpy(address.sun_path, RTA_DATA(attribute), length);
		} else if (attribute->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(attribute) >= sizeof(peer)) {
			memcpy(&peer, RTA_DATA(attribute), sizeof(peer));
		}
	}
	if (name_read(daemon->key, &address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length), &name))
		return;
	if (name.kind == NAME_ACCEPTED && peer)
		add(inodes, name.id, peer, false);
	else if (name.kind == NAME_SOCKET)
		add(inodes, name.id, message->udiag_ino, message->udiag_state == STATE_LISTEN);
}

static bool ask(int fd)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} question = { .header = { .nlmsg_len = sizeof(question),
				   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
				   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		       .request = { .sdiag_family = AF_UNIX,
				    .udiag_states = ~0u,
				    .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER } };

	return send(fd, &question, sizeof(question), 0) == sizeof(question);
}

/* Returns false when the listing has an end, good or bad. */
static bool listen_to(struct inodes *inodes, const struct daemon *daemon, int fd, void *buffer)
{
	ssize_t length = recv(fd, buffer, ANSWER_SIZE, 0);
	int left = (int)length;

	if (length <= 0)
		return length < 0 && errno == EINTR;
	for (const struct nlmsghdr *header = buffer; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
		if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
			return false;
		if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
			take(inodes, daemon, header);
	}
	return true;
}

static int compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	return a->id == b->id ? b->listens - a->listens : (a->id > b->id) - (a->id < b->id);
}

struct inodes *inodes_new(struct daemon *daemon)
{
	struct inodes *inodes = calloc(1, sizeof(*inodes));
	void *buffer = malloc(ANSWER_SIZE);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (inodes && buffer && fd >= 0 && ask(fd))
		while (listen_to(inodes, daemon, fd, buffer))
			;
	if (inodes && inodes->count)
		qsort(inodes->entries, inodes->count, sizeof(*inodes->entries), compare);
	if (fd >= 0)
		close(fd);
	free(buffer);
	return inodes;
}

uint32_t inodes_find(const struct inodes *inodes, const struct plug *plug)
{
	size_t low = 0, high = inodes && plug ? inodes->count : 0, end = high;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (inodes->entries[middle].id < plug->id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < end && inodes->entries[low].id == plug->id ? inodes->entries[low].inode : 0;
}

void inodes_free(struct inodes *inodes)
{
	if (inodes)
		free(inodes->entries);
	free(inodes);
}
