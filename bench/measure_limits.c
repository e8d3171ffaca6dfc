/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nobody can be faster than on this machine: copies, sums, system calls,
 * wake-ups, misses, and a process that starts.
 */
#include "measure.h"

#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* GB/s of memcpy() in pieces of size bytes, walking through span bytes of it. */
static double copy(void)
{
	size_t size = (size_t)argument("size", 65536), span = (size_t)argument("span", 131072);
	uint8_t *from = malloc(span), *to = malloc(span);
	uint64_t bytes = 0;
	struct stint stint;

	memset(from, 1, span);
	memset(to, 2, span);
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 16; i++)
			for (size_t at = 0; at + size <= span; at += size, bytes += size) {
				memcpy(to + at, from + at, size);
				__asm__ volatile("" : : "r"(to) : "memory");
			}
	free(from);
	free(to);
	return (double)bytes / stint.seconds / 1e9;
}

/* The sum of 16-bit words with the carries kept, as wide as this processor's vectors go. */
__attribute__((target_clones("avx2", "default"), optimize("O3"))) static uint64_t sum_of(const uint32_t *words,
											 size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

static double sum(void)
{
	size_t size = (size_t)argument("size", 65536);
	uint32_t *words = aligned_alloc(64, size);
	uint64_t bytes = 0;
	struct stint stint;
	volatile uint64_t kept;

	memset(words, 1, size);
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 1000; i++, bytes += size) {
			kept = sum_of(words, size / sizeof(*words));
			__asm__ volatile("" : : "r"(words) : "memory");
		}
	(void)kept;
	free(words);
	return (double)bytes / stint.seconds / 1e9;
}

static double system_call(void)
{
	uint64_t count = 0;
	struct stint stint;

	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 1000; i++, count++)
			syscall(SYS_getppid);
	return stint.seconds / (double)count * 1e9;
}

static void stay_on(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	sched_setaffinity(0, sizeof(set), &set); /* a machine with one core: both are on it */
}

/* Round trip of two processes that sleep for each other; cores=2: on two cores. */
static double wake(void)
{
	int there[2], back[2], other = argument("cores", 1) > 1;
	uint64_t count = 0;
	struct stint stint;
	char byte = 'x';
	pid_t pid;

	if (pipe(there) < 0 || pipe(back) < 0 || (pid = fork()) < 0)
		fail("pipe");
	if (pid == 0) {
		stay_on(other);
		close(there[1]);
		while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	stay_on(0);
	for (stint = stint_begin(); stint_goes_on(&stint); count++)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			fail("wake");
	close(there[1]);
	waitpid(pid, NULL, 0);
	return stint.seconds / (double)count * 1e6;
}

/* The same by looking at shared memory until it changes. */
static double spin(void)
{
	_Atomic uint32_t *turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t count = 0;
	struct stint stint;
	pid_t pid = fork();

	if (pid == 0) {
		stay_on(1);
		for (;;) {
			uint32_t now = atomic_load(turn);

			if (now == 2)
				_exit(0);
			if (now == 1)
				atomic_store(turn, 0);
		}
	}
	stay_on(0);
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 100; i++, count++) {
			atomic_store(turn, 1);
			while (atomic_load(turn))
				;
		}
	atomic_store(turn, 2);
	waitpid(pid, NULL, 0);
	return stint.seconds / (double)count * 1e6;
}

/* Where it goes next, one knows only when the miss is over. */
static double miss(void)
{
	size_t count = (size_t)argument("span", 1 << 30) / 64, at = 0;
	struct line {
		uint64_t next, rest[7];
	} *lines = mmap(NULL, count * sizeof(struct line), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t steps = 0;
	struct stint stint;

	if (lines == MAP_FAILED)
		fail("mmap");
	/* count is a power of two, so this visits every line (Hull and Dobell) */
	for (size_t i = 0; i < count; i++)
		lines[i].next = (i * 1664525 + 1013904223) & (count - 1);
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 1000; i++, steps++)
			at = lines[at].next;
	if (at == count)
		fail("miss");
	return stint.seconds / (double)steps * 1e9;
}

static int compare(const void *a, const void *b)
{
	const double *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

/* How late the kernel wakes who sleeps for a millisecond, at p99. */
static double lateness(void)
{
	enum { MOST = 2000 };
	static double late[MOST];
	size_t count = 0;
	struct stint stint;

	for (stint = stint_begin(); stint_goes_on(&stint) && count < MOST; count++) {
		struct timespec millisecond = { 0, 1000000 };
		double begun = clock_seconds();

		nanosleep(&millisecond, NULL);
		late[count] = (clock_seconds() - begun) * 1e3 - 1;
	}
	qsort(late, count, sizeof(*late), compare);
	return late[count * 99 / 100];
}

/* A process that starts and ends: what `berth run -- true` can't be faster than. */
static double start(void)
{
	uint64_t count = 0;
	struct stint stint;

	for (stint = stint_begin(); stint_goes_on(&stint); count++) {
		static char name[] = "true";
		char *words[] = { name, NULL };
		pid_t pid;

		if (posix_spawn(&pid, "/bin/true", NULL, NULL, words, environ))
			fail("/bin/true");
		waitpid(pid, NULL, 0);
	}
	return stint.seconds / (double)count * 1e3;
}

int main(int argc, char **argv)
{
	static const struct measure measures[] = {
		{ "copy", "GB/s", copy }, { "sum", "GB/s", sum },     { "call", "ns", system_call },
		{ "wake", "us", wake },	  { "spin", "us", spin },     { "miss", "ns", miss },
		{ "start", "ms", start }, { "late", "ms", lateness }, { 0 },
	};

	return measure_main(argc, argv, measures);
}
