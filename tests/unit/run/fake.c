/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake.h"

#include "control/channel.h"
#include "control/name.h"
#include "control/paths.h"
#include "os/fdpass.h"
#include "run/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY "0123456789abcdef0123456789abcdef"

enum { CHANNELS_MAX = 16, SOCKETS_MAX = 64 };

static struct {
	uint64_t id;
	int fd; /* of datagrams */
	struct channel_message made;
} sockets[SOCKETS_MAX];
static size_t socket_count;
static uint8_t payload[CHANNEL_PAYLOAD_MAX];
static char directory[64];

static int listen_at(const struct sockaddr_un *address, socklen_t length, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (bind(fd, (const struct sockaddr *)address, length) || listen(fd, 64))
		_exit(1);
	return fd;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void send_back(uint64_t id, const struct channel_message *message)
{
	struct channel_tag tag = { .kind = TAG_DATAGRAM, .source_length = message->address_length };
	struct iovec part = { payload, message->payload_length };
	int memory = memfd_create("tag", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	memcpy(tag.source, message->address, message->address_length);
	if (write(memory, &tag, sizeof(tag)) != sizeof(tag) || fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE) < 0)
		_exit(1);
	for (size_t i = 0; i < socket_count; i++)
		if (sockets[i].id == id)
			fdpass_send(sockets[i].fd, &part, 1, &memory, 1, 0);
	close(memory);
}

/* Somebody connects to the program's listener and says "ping". */
static void visit(uint64_t id)
{
	struct name from = { .kind = NAME_ACCEPTED,
			     .id = id | CHANNEL_ID_ACCEPTED,
			     .family = AF_INET,
			     .port = 4711,
			     .ip = { { [10] = 0xff, [11] = 0xff, 10, 77, 0, 9 } } };
	struct name to = { .kind = NAME_SOCKET, .id = id };
	struct sockaddr_un address;
	socklen_t length;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (size_t i = 0; i < socket_count; i++) {
		if (sockets[i].id != id)
			continue;
		to.domain = sockets[i].made.domain;
		to.type = sockets[i].made.kind;
		to.protocol = sockets[i].made.protocol;
	}
	length = name_write(KEY, &from, &address);
	bind(fd, (struct sockaddr *)&address, length);
	length = name_write(KEY, &to, &address);
	for (int i = 0; i < 100 && connect(fd, (struct sockaddr *)&address, length) < 0; i++)
		poll(NULL, 0, 10);
	send(fd, "ping", 4, MSG_NOSIGNAL);
	close(fd);
}

static void answer(int channel, struct channel_message *message)
{
	struct channel_welcome welcome = { .version = CHANNEL_VERSION, .join_id = 1, .name = "fake", .key = KEY };
	struct sockaddr_in address = loopback(80);
	struct iovec parts[2] = { { message, sizeof(*message) }, { payload, 0 } };
	int value = 7;

	message->result = 0;
	switch (message->type) {
	case CHANNEL_HELLO:
		memcpy(payload, &welcome, sizeof(welcome));
		parts[1].iov_len = sizeof(welcome);
		break;
	case CHANNEL_GETSOCKNAME:
	case CHANNEL_GETPEERNAME:
		memcpy(message->address, &address, sizeof(address));
		message->address_length = sizeof(address);
		break;
	case CHANNEL_GETSOCKOPT:
		value = message->option == SO_ERROR && message->level == SOL_SOCKET ? 0 : 7;
		memcpy(payload, &value, sizeof(value));
		parts[1].iov_len = sizeof(value);
		break;
	case CHANNEL_SENDTO:
		send_back(message->id, message);
		message->result = (int32_t)message->payload_length;
		break;
	case CHANNEL_CONNECT:
		/* Port 1 refuses at once, port 2 later, port 3 connects later. */
		memcpy(&address, message->address, sizeof(address));
		if (message->kind == SOCK_STREAM && ntohs(address.sin_port) == 1)
			message->result = -ECONNREFUSED;
		if (message->kind == SOCK_STREAM && (ntohs(address.sin_port) == 2 || ntohs(address.sin_port) == 3))
			message->result = -EINPROGRESS;
		break;
	}
	message->payload_length = (uint32_t)parts[1].iov_len;
	fdpass_send(channel, parts, 2, NULL, 0, 0);
	if (message->type == CHANNEL_CONNECT && message->result == -EINPROGRESS) {
		poll(NULL, 0, 100);
		message->type = CHANNEL_CONNECTED;
		message->result = ntohs(address.sin_port) == 2 ? -ETIMEDOUT : 0;
		fdpass_send(channel, parts, 1, NULL, 0, 0);
	}
	if (message->type == CHANNEL_LISTEN)
		visit(message->id);
}

static void remember(const struct channel_message *message, int fd)
{
	for (size_t i = 0; i < socket_count && i < SOCKETS_MAX; i++)
		if (sockets[i].id == message->id)
			return;
	sockets[socket_count % SOCKETS_MAX].id = message->id;
	sockets[socket_count % SOCKETS_MAX].fd = fd;
	sockets[socket_count++ % SOCKETS_MAX].made = *message;
}

/* Returns false at the channel's end. */
static bool serve(int channel)
{
	struct channel_message message;
	struct iovec parts[2] = { { &message, sizeof(message) }, { payload, sizeof(payload) } };
	size_t count = 1;
	int fd = -1;

	if (fdpass_receive(channel, parts, 2, &fd, &count, 0) < (ssize_t)sizeof(message))
		return false;
	if (message.type == CHANNEL_SOCKET || message.flags & CHANNEL_NEW)
		remember(&message, fd);
	if (message.flags & CHANNEL_QUIET && message.type == CHANNEL_SENDTO)
		send_back(message.id, &message);
	else if (message.type != CHANNEL_SOCKET && message.type != CHANNEL_ATTACH && message.type != CHANNEL_RESET &&
		 !(message.flags & CHANNEL_QUIET))
		answer(channel, &message);
	return true;
}

/* A connection that a program made. One with filler says "x" first, which is not answered. */
static void say_hello(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	send(fd, "hello\n", 6, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
}

static void run(void)
{
	struct pollfd fds[2 + CHANNELS_MAX] = { { .fd = -1 } };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct name name = { .kind = NAME_DAEMON };
	socklen_t length;
	size_t count = 2;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (network_path("default", "run.sock", 1, address.sun_path, sizeof(address.sun_path)))
		_exit(1);
	fds[0].fd = listen_at(&address, sizeof(address), SOCK_SEQPACKET);
	length = name_write(KEY, &name, &address);
	fds[1].fd = listen_at(&address, length, SOCK_STREAM);
	fds[0].events = fds[1].events = POLLIN;
	while (poll(fds, count, -1) >= 0) {
		for (size_t i = 2; i < count; i++)
			if (fds[i].revents && !serve(fds[i].fd)) {
				close(fds[i].fd);
				fds[i] = fds[--count];
			}
		if (fds[0].revents && count < 2 + CHANNELS_MAX)
			fds[count++] =
				(struct pollfd){ .fd = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC), .events = POLLIN };
		if (fds[1].revents)
			say_hello(fds[1].fd);
	}
}

pid_t fake_start(void)
{
	char path[128];
	pid_t pid;

	strcpy(directory, "/tmp/berth-test-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	setenv("XDG_RUNTIME_DIR", directory, 1);
	network_path("default", "run.sock", 1, path, sizeof(path));
	pid = fork();
	if (pid == 0) {
		run();
		_exit(0);
	}
	for (int i = 0; i < 200 && access(path, F_OK); i++)
		poll(NULL, 0, 10);
	return pid;
}

void fake_stop(pid_t pid)
{
	char path[128];

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	network_path("default", "run.sock", 0, path, sizeof(path));
	unlink(path);
	network_path("default", "", 0, path, sizeof(path));
	rmdir(path);
	network_root(path, sizeof(path));
	rmdir(path);
	rmdir(directory);
}

int fake_run(char *const *argv, char *output, size_t size)
{
	struct run_options options = { .network = "default", .argv = argv };
	int ends[2], status;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(ends))
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		alarm(20);
		_exit(run_program(&options));
	}
	close(ends[1]);
	while ((n = read(ends[0], output + used, size - 1 - used)) > 0)
		used += (size_t)n;
	output[used] = '\0';
	close(ends[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

int fake_python(const char *program, char *output, size_t size)
{
	char *argv[] = { (char *)"python3", (char *)"-c", (char *)program, NULL };

	return fake_run(argv, output, size);
}
