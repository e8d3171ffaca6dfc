/* SPDX-License-Identifier: BSD-2-Clause */
/* Being a server. */
#include "os/process.h"
#include "tests/test.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(process, wakes_when_it_asked_to_and_not_when_it_suits_the_kernel)
{
	pid_t child = fork(); /* the slack is a thread's, and not to be the other tests' */
	int status = -1;

	if (child == 0) {
		process_wake_exactly();
		_exit(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) == 1 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}
