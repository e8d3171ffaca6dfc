/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A story of calls is played on the kernel's AF_UNIX and on Berth's local
 * sockets, and what each said of it is compared. Sockets go by their number in
 * the story. The kernel works in a directory of its own, with relative names.
 */
#ifndef TESTS_LOCAL_SIDES_H
#define TESTS_LOCAL_SIDES_H

#include <berth/berth.h>
#include <sys/un.h>

enum { KERNEL, BERTH, SOCKETS = 24, TEXT = 1 << 18 };

/* One of the two, with its sockets by number, so that descriptors don't matter. */
struct side {
	int which;
	struct berth_stack *stack;
	int fds[SOCKETS];
	char text[TEXT];
	size_t length;
};

extern struct side *side;     /* that the calls below go to */
extern struct side *sides[2]; /* KERNEL and BERTH */

#define CALL(name, ...) (side->which == KERNEL ? (long)name(__VA_ARGS__) : (long)berth_##name(side->stack, __VA_ARGS__))
/* What a call returned, or its error's name. */
const char *result(long r);
/* "@x" is abstract, "" names nothing but the family. Returns the length. */
socklen_t address_of(const char *name, struct sockaddr_un *un);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Play it on both, and compare. */
void play(void (*story)(void));

/* Calls, each of which writes down what came of it. "@x" is an abstract name, "" none but the family. */
void open_socket(int s, int type);
void pair(int a, int b, int type);
void end(int s);
void names(int s);
void bind_to(int s, const char *name);
void connect_to(int s, const char *name);
void disconnect(int s);
void wait_for(int s, int backlog);
void take(int listener, int s);
void sends(int s, const char *text, int flags);
void sends_to(int s, const char *name, const char *text);
void gets(int s, size_t size, int flags);
void shuts(int s, int how);
void options(int s);
unsigned readiness(int s);
void ready(int s);
void removes(const char *name);

#endif
