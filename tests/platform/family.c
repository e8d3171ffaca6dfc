/* SPDX-License-Identifier: BSD-2-Clause */
/* Descendants of a subreaper: found whoever forked them, and ended all. */
#include "run/supervisor.h"
#include "tests/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void say_pid(int pipe)
{
	pid_t pid = getpid();

	if (write(pipe, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
}

static void wait_forever(int pipe)
{
	say_pid(pipe);
	for (;;)
		pause();
}

static void *fork_in_thread(void *context)
{
	int pipe = *(int *)context;

	if (fork() == 0)
		wait_forever(pipe);
	while (pause() < 0)
		;
	return NULL;
}

/* A process with a child of its first thread, one of its second, and one whose parent has gone. */
static void have_children(int pipe)
{
	pthread_t thread;
	pid_t orphaner;

	if (fork() == 0)
		wait_forever(pipe);
	orphaner = fork();
	if (orphaner == 0) {
		if (fork() == 0)
			wait_forever(pipe);
		_exit(0);
	}
	waitpid(orphaner, NULL, 0);
	pthread_create(&thread, NULL, fork_in_thread, &pipe);
	wait_forever(pipe);
}

enum { FAMILY = 4 };

/* In a child, whose descendants nobody else's are: what is asked there is told by its exit code. */
static int in_a_subreaper(bool (*ask)(const pid_t *said))
{
	pid_t pid = fork(), said[FAMILY];
	int ends[2], status = -1;

	if (pid == 0) {
		sigset_t all;
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		if (pipe(ends))
			_exit(2);
		if (fork() == 0)
			have_children(ends[1]);
		for (int i = 0; i < FAMILY; i++)
			if (read(ends[0], &said[i], sizeof(pid)) != sizeof(pid))
				_exit(2);
		bool good = ask(said);
		descendants_kill();
		_exit(!good);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool all_in(const pid_t *said, const pid_t *found, int count)
{
	int hits = 0;

	for (int i = 0; i < FAMILY; i++)
		for (int j = 0; j < count; j++)
			hits += said[i] == found[j];
	return hits == FAMILY && count == FAMILY;
}

static bool listed(const pid_t *said)
{
	pid_t *found = NULL;
	int count = descendants_list(getpid(), &found);
	bool good = all_in(said, found, count);

	free(found);
	return good;
}

static bool listed_by_parents(const pid_t *said)
{
	pid_t *found = NULL;
	int count = descendants_by_parents(getpid(), &found);
	bool good = all_in(said, found, count);

	free(found);
	return good;
}

static bool killed(const pid_t *said)
{
	descendants_kill();
	for (int i = 0; i < FAMILY; i++)
		if (kill(said[i], 0) == 0)
			return false;
	return waitpid(-1, NULL, WNOHANG) < 0;
}

TEST(family, lists_children_of_every_thread_and_orphans)
{
	CHECK_EQ(in_a_subreaper(listed), 0);
}

TEST(family, lists_the_same_where_the_kernel_has_no_lists_of_children)
{
	CHECK_EQ(in_a_subreaper(listed_by_parents), 0);
}

TEST(family, who_ends_kills_all_of_them)
{
	CHECK_EQ(in_a_subreaper(killed), 0);
}

TEST(family, who_has_no_children_lists_none)
{
	pid_t *found = NULL, child = fork();
	int status;

	if (child == 0)
		_exit(descendants_list(getpid(), &found));
	waitpid(child, &status, 0);
	CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
}
