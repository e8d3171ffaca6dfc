/* SPDX-License-Identifier: BSD-2-Clause */
/* src/os/confine.c: what a process that has confined itself can't do any more, tried in a child. */
#include "tests/test.h"

#include "os/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64] = "/tmp";
static char file_inside[64], file_outside[64];

/* Run what in a confined child. Returns what it returned, 0-255; 256: it could not be confined; 257: it was killed. */
static int confined(int (*what)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(process_confine(directory) < 0 ? 254 : what());
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 257;
	return WEXITSTATUS(status) == 254 ? 256 : WEXITSTATUS(status);
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

static int mount_something(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL) < 0 ? errno : 0;
}

static int unshare_user(void)
{
	return unshare(CLONE_NEWUSER) < 0 ? errno : 0;
}

static int write_outside(void)
{
	int fd = open(file_outside, O_WRONLY | O_CREAT, 0600);

	return fd < 0 ? errno : 0;
}

static int write_inside(void)
{
	int fd = open(file_inside, O_WRONLY | O_CREAT, 0600);

	return fd < 0 ? errno : unlink(file_inside) < 0 ? errno : 0;
}

static int read_outside(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 ? errno : 0;
}

static int make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

/* As a daemon does at its end. */
static int remove_directory(void)
{
	return rmdir(directory) < 0 ? errno : 0;
}

#ifndef __SANITIZE_ADDRESS__
static int execute(void)
{
	char name[] = "true", *argv[] = { name, NULL };

	execv("/bin/true", argv);
	return errno;
}

static int make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int trace_parent(void)
{
	return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) < 0 ? errno : 0;
}

TEST(confine, executes_nothing)
{
	CHECK_EQ(confined(execute), EPERM);
}

TEST(confine, makes_no_process)
{
	CHECK_EQ(confined(make_process), EPERM);
}

TEST(confine, traces_nobody)
{
	CHECK_EQ(confined(trace_parent), EPERM);
}
#endif

TEST(confine, mounts_nothing_and_enters_no_namespace)
{
	CHECK_EQ(confined(mount_something), EPERM);
	CHECK_EQ(confined(unshare_user), EPERM);
}

TEST(confine, still_reads_files_and_makes_sockets)
{
	CHECK_EQ(confined(read_outside), 0);
	CHECK_EQ(confined(make_socket), 0);
}

TEST(confine, writes_below_its_directory_alone)
{
	int r;

	snprintf(file_outside, sizeof(file_outside), "/tmp/berth-confine-outside.%d", getpid());
	strcpy(directory, "/tmp/berth-confine.XXXXXX");
	CHECK(mkdtemp(directory) != NULL);
	snprintf(file_inside, sizeof(file_inside), "%s/file", directory);
	CHECK_EQ(confined(write_inside), 0);
	r = confined(write_outside);
	unlink(file_outside);
	CHECK_EQ(r, has_landlock() ? EACCES : 0); /* without Landlock files are not locked */
	CHECK_EQ(confined(remove_directory), 0);
	strcpy(directory, "/tmp");
}
