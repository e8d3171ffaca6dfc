/* SPDX-License-Identifier: BSD-2-Clause */
/* The user that a program runs as: --user, in Docker's words "USER[:GROUP]". */
#ifndef RUN_USER_H
#define RUN_USER_H

#include <stdbool.h>
#include <sys/types.h>

struct user {
	bool given;
	bool own_group; /* GROUP was named: no other groups than that */
	uid_t uid;
	gid_t gid;
	char name[64], home[256]; /* empty: not in the user database */
};

/* Look text up (NULL: nobody is asked for). Returns 0 or -ENOENT. */
int user_find(const char *text, struct user *ret_user);
/* Be that user from now on, with HOME to match. Returns 0 or a negative errno. */
int user_become(const struct user *user);

#endif
