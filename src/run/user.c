/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/user.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All of text as an id, or -1. */
static long id_of(const char *text)
{
	char *end;
	long id = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : -1;

	return id >= 0 && !*end && id <= 0x7fffffff ? id : -1;
}

static int find_user(const char *text, struct user *user)
{
	long id = id_of(text);
	const struct passwd *entry = getpwnam(text);

	if (!entry && id >= 0)
		entry = getpwuid((uid_t)id);
	if (!entry && id < 0)
		return -ENOENT;
	user->uid = entry ? entry->pw_uid : (uid_t)id;
	user->gid = entry ? entry->pw_gid : 0; /* Docker: an unknown number is in group 0 */
	if (entry) {
		snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
		snprintf(user->home, sizeof(user->home), "%s", entry->pw_dir);
	}
	return 0;
}

static int find_group(const char *text, struct user *user)
{
	long id = id_of(text);
	const struct group *entry = getgrnam(text);

	if (!entry && id < 0)
		return -ENOENT;
	user->gid = entry ? entry->gr_gid : (gid_t)id;
	user->own_group = true;
	return 0;
}

int user_find(const char *text, struct user *ret_user)
{
	char name[128];
	char *group;
	int r;

	*ret_user = (struct user){ .given = text != NULL };
	if (!text)
		return 0;
	if (snprintf(name, sizeof(name), "%s", text) >= (int)sizeof(name))
		return -ENOENT;
	group = strchr(name, ':');
	if (group)
		*group++ = '\0';
	r = find_user(name, ret_user);
	return !r && group ? find_group(group, ret_user) : r;
}

int user_become(const struct user *user)
{
	int r;

	if (!user->given)
		return 0;
	/* Nothing to change is allowed to everybody. */
	if (geteuid() != 0 && user->uid == getuid() && user->gid == getgid())
		return 0;
	if (user->name[0] && !user->own_group)
		r = initgroups(user->name, user->gid);
	else
		r = setgroups(1, &user->gid);
	if (r < 0 || setgid(user->gid) < 0 || setuid(user->uid) < 0)
		return -errno;
	if (user->home[0])
		setenv("HOME", user->home, 1);
	return 0;
}
