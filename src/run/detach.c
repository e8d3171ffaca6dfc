/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Until the program has started, what goes wrong is said on the user's own
 * stderr; from then on the background process holds nothing of the user's, and
 * what berth has to say is in the program's log.
 */
#include "run/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the parent: wait for the name, or for the end. */
static int wait_for_start(const struct supervisor *supervisor, pid_t child, int ready)
{
	char name[sizeof(supervisor->name)] = "";
	ssize_t length = read(ready, name, sizeof(name) - 1);
	int status = 0;

	close(ready);
	if (length <= 0) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BERTH;
	}
	if (supervisor->options->exec)
		return 0;
	printf("%s\n", name);
	if (fflush(stdout) == 0)
		return 0;
	say("standard output: %s", strerror(errno));
	return EXIT_BERTH;
}

int detach_begin(struct supervisor *supervisor)
{
	int ends[2], null;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0 || (child = fork()) < 0) {
		say("can't run a program: %s (see processes in berth doctor)", strerror(errno));
		return EXIT_BERTH;
	}
	if (child > 0) {
		close(ends[1]);
		return wait_for_start(supervisor, child, ends[0]);
	}
	close(ends[0]);
	supervisor->ready = ends[1];
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	close(null);
	return -1;
}

/* The daemon takes one end of a pipe. Returns the other, or a negative errno. */
static int output_open(struct supervisor *supervisor, int stream)
{
	struct channel_message message = { .type = CHANNEL_LOG, .value = stream };
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = line_tell(supervisor, &supervisor->lines[LINE_EVENTS], &message, NULL, 0, ends[0]);
	close(ends[0]);
	if (!r)
		return ends[1];
	close(ends[1]);
	return r;
}

int detach_outputs(struct supervisor *supervisor)
{
	for (int i = 0; i < 2; i++) {
		/* Docker: nobody sees what a detached exec says. */
		int fd = supervisor->options->exec ? open("/dev/null", O_WRONLY | O_CLOEXEC)
						   : output_open(supervisor, i + 1);

		if (fd < 0) {
			say("can't keep what the program says: %s (see open files in berth doctor)",
			    strerror(supervisor->options->exec ? errno : -fd));
			return EXIT_BERTH;
		}
		supervisor->outputs[i] = fd;
	}
	return 0;
}

void detach_program(const struct supervisor *supervisor)
{
	for (int i = 0; i < 2; i++)
		if (supervisor->outputs[i] >= 0)
			dup2(supervisor->outputs[i], STDOUT_FILENO + i);
}

void detach_self(struct supervisor *supervisor, const char *name)
{
	if (supervisor->ready < 0)
		return;
	detach_program(supervisor);
	for (int i = 0; i < 2; i++)
		close(supervisor->outputs[i]);
	supervisor->outputs[0] = supervisor->outputs[1] = -1;
	if (name && write(supervisor->ready, name, strlen(name)) < 0) {
		/* Who waited has gone; the program runs all the same. */
	}
	close(supervisor->ready);
	supervisor->ready = -1;
}
