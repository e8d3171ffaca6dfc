/* SPDX-License-Identifier: BSD-2-Clause */
/* Running berth's own commands: self.h. */
#include "cli/self.h"

#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void self_add(struct self_command *command, ...)
{
	const char *word;
	va_list words;

	va_start(words, command);
	while ((word = va_arg(words, const char *))) {
		if (command->count == SELF_WORDS_MAX) {
			fputs("berth: a command of too many words\n", stderr);
			exit(1);
		}
		command->words[command->count++] = word;
	}
	va_end(words);
	command->words[command->count] = NULL;
}

static void redirect(int flags, int out)
{
	int null = open("/dev/null", O_RDWR);

	if (flags & SELF_NO_INPUT)
		dup2(null, STDIN_FILENO);
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
	}
	if (flags & SELF_QUIET)
		dup2(null, STDOUT_FILENO);
	if (flags & SELF_SILENT)
		dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

static void become(const struct self_command *command, const char *directory, int flags, int out)
{
	const char *argv[SELF_WORDS_MAX + 2] = { "berth" };
	sigset_t none;

	for (size_t i = 0; i < command->count; i++)
		argv[i + 1] = command->words[i];
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	redirect(flags, out);
	if (directory && chdir(directory) < 0) {
		fprintf(stderr, "berth: %s: %s\n", directory, strerror(errno));
		_exit(125);
	}
	execv("/proc/self/exe", (char **)(uintptr_t)argv);
	_exit(125);
}

pid_t self_start(const struct self_command *command, const char *directory, int flags, int out)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(command, directory, flags, out);
	return pid < 0 ? -errno : pid;
}

static int code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int self_wait(pid_t pid, double seconds)
{
	int64_t deadline = clock_now() + (int64_t)(seconds * 1e9);
	int status, fd;

	if (seconds > 0) {
		struct pollfd ended = { .events = POLLIN };
		int64_t left;

		fd = (int)syscall(SYS_pidfd_open, pid, 0);
		ended.fd = fd;
		while ((left = deadline - clock_now()) > 0 && poll(&ended, 1, (int)(left / 1000000) + 1) <= 0)
			;
		close(fd);
		if (left <= 0) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -ETIMEDOUT;
		}
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return code_of(status);
}

int self_run(const struct self_command *command, const char *directory, int flags)
{
	pid_t pid = self_start(command, directory, flags, -1);

	return pid < 0 ? pid : self_wait(pid, 0);
}
