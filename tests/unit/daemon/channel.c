/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon of our own in a child process, and the supervisor's side of the
 * channel played by hand, with real Unix sockets for the program's.
 */
#include "control/channel.h"
#include "control/http.h"
#include "control/name.h"
#include "control/paths.h"
#include "daemon/daemon.h"
#include "os/fdpass.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64];
static pid_t daemon_pid;
static uint64_t last_id;

struct supervisor {
	int fd;
	struct channel_welcome welcome;
	struct channel_message last; /* answer */
	uint8_t payload[CHANNEL_PAYLOAD_MAX];
};

static bool daemon_start(void)
{
	char byte;
	int ready[2];

	strcpy(directory, "/tmp/berth-test-XXXXXX");
	if (!mkdtemp(directory) || pipe(ready) < 0)
		return false;
	setenv("XDG_RUNTIME_DIR", directory, 1);
	daemon_pid = fork();
	if (!daemon_pid) {
		close(ready[0]);
		alarm(30);
		_exit(daemon_main("test", ready[1]) ? 1 : 0);
	}
	close(ready[1]);
	bool good = read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	return good;
}

/* The daemon ends by itself within 5 seconds, and leaves nothing. */
static void daemon_must_end(void)
{
	int status = -1, tries = 0;

	while (waitpid(daemon_pid, &status, WNOHANG) == 0 && tries++ < 500)
		poll(NULL, 0, 10);
	CHECK(tries < 500);
	if (tries >= 500) {
		kill(daemon_pid, SIGKILL);
		waitpid(daemon_pid, &status, 0);
	}
	CHECK_EQ(status, 0);
	CHECK_EQ(rmdir(directory), 0); /* empty */
}

static bool say(struct supervisor *supervisor, struct channel_message *message, const void *payload, size_t length,
		int fd)
{
	struct iovec parts[2] = { { message, sizeof(*message) }, { (void *)payload, length } };

	message->payload_length = (uint32_t)length;
	return fdpass_send(supervisor->fd, parts, 2, &fd, fd >= 0, 0) == 0;
}

/* The next message of this type, within 5 seconds. */
static int hear(struct supervisor *supervisor, uint32_t type)
{
	struct iovec parts[2] = { { &supervisor->last, sizeof(supervisor->last) },
				  { supervisor->payload, sizeof(supervisor->payload) } };
	struct pollfd poll_fd = { .fd = supervisor->fd, .events = POLLIN };

	do {
		if (poll(&poll_fd, 1, 5000) != 1 || fdpass_receive(supervisor->fd, parts, 2, NULL, NULL, 0) <= 0)
			return -ETIMEDOUT;
	} while (supervisor->last.type != type);
	return supervisor->last.result;
}

static int ask(struct supervisor *supervisor, struct channel_message *message, const void *payload, size_t length)
{
	return say(supervisor, message, payload, length, -1) ? hear(supervisor, message->type) : -EPIPE;
}

static int supervisor_open(struct supervisor *supervisor, const char *name, const char *program, uint32_t flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct channel_hello hello = { .version = CHANNEL_VERSION, .pid = getpid(), .flags = flags };
	struct channel_message message = { .type = CHANNEL_HELLO };

	network_path("test", "run.sock", 0, address.sun_path, sizeof(address.sun_path));
	supervisor->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (connect(supervisor->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	strcpy(hello.name, name);
	strcpy(hello.program, program);
	int r = ask(supervisor, &message, &hello, sizeof(hello));
	memcpy(&supervisor->welcome, supervisor->payload, sizeof(supervisor->welcome));
	return r;
}

struct program {
	int fd;
	uint64_t id;
};

static struct name name_of(uint64_t id)
{
	return (struct name){ .kind = NAME_SOCKET, .id = id, .domain = AF_INET, .type = SOCK_STREAM, .protocol = 6 };
}

static struct program given_stream(struct supervisor *supervisor)
{
	struct program program = { socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ++last_id };
	struct channel_message message = { .type = CHANNEL_SOCKET,
					   .id = program.id,
					   .domain = AF_INET,
					   .kind = SOCK_STREAM,
					   .protocol = 6,
					   .pid = getpid(),
					   .command = "test" };
	struct sockaddr_un address;
	struct name name = name_of(program.id);
	socklen_t length = name_write(supervisor->welcome.key, &name, &address);

	CHECK_EQ(bind(program.fd, (struct sockaddr *)&address, length), 0);
	CHECK(say(supervisor, &message, NULL, 0, -1));
	return program;
}

static int with_address(struct supervisor *supervisor, uint32_t type, uint64_t id, const char *ip, uint16_t port)
{
	struct channel_message message = { .type = type, .id = id, .address_length = sizeof(struct sockaddr_in) };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &address.sin_addr);
	memcpy(message.address, &address, sizeof(address));
	return ask(supervisor, &message, NULL, 0);
}

static struct program given_listener(struct supervisor *supervisor, uint16_t port)
{
	struct program program = given_stream(supervisor);
	struct channel_message message = { .type = CHANNEL_LISTEN, .id = program.id, .value = 5 };

	CHECK_EQ(with_address(supervisor, CHANNEL_BIND, program.id, "0.0.0.0", port), 0);
	CHECK_EQ(listen(program.fd, 5), 0);
	CHECK_EQ(ask(supervisor, &message, NULL, 0), 0);
	return program;
}

static int connect_to_daemon(struct supervisor *supervisor, struct program *program)
{
	struct name name = { .kind = NAME_DAEMON };
	struct sockaddr_un address;
	socklen_t length = name_write(supervisor->welcome.key, &name, &address);

	return connect(program->fd, (struct sockaddr *)&address, length);
}

/* Returns the accepted socket and who is calling. */
static int accept_from(struct program *listener, const char *key, struct name *ret_name)
{
	struct pollfd poll_fd = { .fd = listener->fd, .events = POLLIN };
	struct sockaddr_un address;
	socklen_t length = sizeof(address);

	if (poll(&poll_fd, 1, 5000) != 1)
		return -1;
	int fd = accept(listener->fd, (struct sockaddr *)&address, &length);
	CHECK_EQ(name_read(key, &address, length, ret_name), 0);
	return fd;
}

static void set_timeout(int fd)
{
	struct timeval five = { .tv_sec = 5 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &five, sizeof(five));
}

TEST(channel, two_programs_talk_and_end)
{
	static struct supervisor web, client;
	char bytes[16] = "";
	struct name caller;

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&web, "web", "w", 0) == 0 && supervisor_open(&client, "", "curl", 0) == 0);
	CHECK_STR(client.welcome.name, "curl");
	struct program listener = given_listener(&web, 80), program = given_stream(&client);
	CHECK_EQ(with_address(&client, CHANNEL_CONNECT, program.id, "10.77.0.2", 80), 0);
	REQUIRE(connect_to_daemon(&client, &program) == 0);
	int accepted = accept_from(&listener, web.welcome.key, &caller);
	REQUIRE(accepted >= 0);
	CHECK_EQ(caller.kind, NAME_ACCEPTED);
	CHECK_EQ(caller.ip.bytes[15], 3);
	CHECK(caller.port != 0);
	set_timeout(accepted);
	set_timeout(program.fd);
	CHECK_EQ(send(program.fd, "hello", 5, 0), 5);
	CHECK_EQ(recv(accepted, bytes, sizeof(bytes), 0), 5);
	CHECK_STR(bytes, "hello");
	shutdown(program.fd, SHUT_WR);
	CHECK_EQ(recv(accepted, bytes, sizeof(bytes), 0), 0);
	CHECK_EQ(send(accepted, "bye", 3, 0), 3);
	CHECK_EQ(recv(program.fd, bytes, sizeof(bytes), 0), 3);
	close(accepted);
	CHECK_EQ(recv(program.fd, bytes, sizeof(bytes), 0), 0);
	close(program.fd);
	close(listener.fd);
	close(client.fd);
	close(web.fd);
	daemon_must_end();
}

/* CHANNEL_CONNECT that waits for no answer, and the program's socket right after it. */
static void connect_quietly(struct supervisor *supervisor, struct program *program, uint16_t port)
{
	struct channel_message message = { .type = CHANNEL_CONNECT,
					   .flags = CHANNEL_QUIET,
					   .id = program->id,
					   .value = 1,
					   .address_length = sizeof(struct sockaddr_in) };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, "10.77.0.2", &address.sin_addr);
	memcpy(message.address, &address, sizeof(address));
	CHECK(say(supervisor, &message, NULL, 0, -1));
	CHECK_EQ(connect_to_daemon(supervisor, program), 0);
}

TEST(channel, quiet_connect)
{
	static struct supervisor web, client;
	char bytes[16] = "";
	struct name caller;

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&web, "web", "w", 0) == 0 && supervisor_open(&client, "c", "curl", 0) == 0);
	struct program listener = given_listener(&web, 80), program = given_stream(&client);
	/* One that the daemon has not heard of before goes as well. */
	connect_quietly(&client, &program, 80);
	int accepted = accept_from(&listener, web.welcome.key, &caller);
	REQUIRE(accepted >= 0);
	set_timeout(accepted);
	CHECK_EQ(send(program.fd, "hello", 5, 0), 5);
	CHECK_EQ(recv(accepted, bytes, sizeof(bytes), 0), 5);
	close(accepted);
	close(program.fd);

	/* Nobody listens: the socket that has come is reset, and its error is kept. */
	program = given_stream(&client);
	connect_quietly(&client, &program, 81);
	set_timeout(program.fd);
	CHECK_EQ(hear(&client, CHANNEL_RESET), 0);
	CHECK_EQ(client.last.id, program.id);
	CHECK_EQ(send(program.fd, "", 1, 0), 1);
	struct channel_message answer = client.last;
	CHECK(say(&client, &answer, NULL, 0, -1));
	CHECK(recv(program.fd, bytes, 1, 0) < 0 && errno == ECONNRESET);
	struct channel_message question = { .type = CHANNEL_GETSOCKOPT,
					    .id = program.id,
					    .level = SOL_SOCKET,
					    .option = SO_ERROR,
					    .value = sizeof(int) };
	CHECK_EQ(ask(&client, &question, NULL, 0), 0);
	int error = 0;
	memcpy(&error, client.payload, sizeof(error));
	CHECK_EQ(error, ECONNREFUSED);
	close(program.fd);

	/* How many more: a quarter of the backlog, which is 5. */
	program = given_stream(&client);
	struct channel_message row = { .type = CHANNEL_CONNECT,
				       .id = program.id,
				       .value = CONNECT_ROW,
				       .address_length = sizeof(struct sockaddr_in) };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(80) };
	inet_pton(AF_INET, "10.77.0.2", &address.sin_addr);
	memcpy(row.address, &address, sizeof(address));
	CHECK_EQ(ask(&client, &row, NULL, 0), 0);
	CHECK_EQ(client.last.value, 1);
	close(program.fd);
	close(listener.fd);
	close(client.fd);
	close(web.fd);
	daemon_must_end();
}

TEST(channel, name_taken_is_said_and_program_names_are_counted)
{
	static struct supervisor a, b, c, d;

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&a, "web", "x", 0) == 0);
	CHECK_EQ(supervisor_open(&b, "web", "x", 0), -EEXIST);
	CHECK_EQ(supervisor_open(&c, "", "python3.11", 0), 0);
	CHECK_STR(c.welcome.name, "python3-11");
	CHECK_EQ(supervisor_open(&d, "", "python3.11", 0), 0);
	CHECK_STR(d.welcome.name, "python3-11-2");
	close(a.fd);
	close(b.fd);
	close(c.fd);
	close(d.fd);
	daemon_must_end();
}

TEST(channel, port_of_a_dead_holder_is_free)
{
	static struct supervisor a;

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&a, "a", "a", 0) == 0);
	struct program first = given_listener(&a, 80), second = given_stream(&a);
	CHECK_EQ(with_address(&a, CHANNEL_BIND, second.id, "0.0.0.0", 80), -EADDRINUSE);
	close(first.fd);
	CHECK_EQ(with_address(&a, CHANNEL_BIND, second.id, "0.0.0.0", 80), 0);
	close(second.fd);
	close(a.fd);
	daemon_must_end();
}

TEST(channel, connecting_to_nobody_or_to_a_dead_listener_is_refused)
{
	static struct supervisor a, b;

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&a, "a", "a", 0) == 0 && supervisor_open(&b, "b", "b", 0) == 0);
	struct program program = given_stream(&b), listener = given_listener(&a, 80);
	CHECK_EQ(with_address(&b, CHANNEL_CONNECT, program.id, "10.77.0.2", 81), -ECONNREFUSED);
	close(listener.fd);
	CHECK_EQ(with_address(&b, CHANNEL_CONNECT, program.id, "10.77.0.2", 80), -ECONNREFUSED);
	struct program again = given_listener(&a, 80);
	CHECK_EQ(with_address(&b, CHANNEL_CONNECT, program.id, "10.77.0.2", 80), 0);
	close(again.fd);
	close(program.fd);
	close(a.fd);
	close(b.fd);
	daemon_must_end();
}

TEST(channel, close_with_unread_bytes_is_a_reset_for_the_peer)
{
	static struct supervisor a;
	char bytes[16];
	struct name caller;

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&a, "a", "a", 0) == 0);
	struct program listener = given_listener(&a, 80), program = given_stream(&a);
	CHECK_EQ(with_address(&a, CHANNEL_CONNECT, program.id, "127.0.0.1", 80), 0);
	REQUIRE(connect_to_daemon(&a, &program) == 0);
	int accepted = accept_from(&listener, a.welcome.key, &caller);
	REQUIRE(accepted >= 0);
	set_timeout(program.fd);
	CHECK_EQ(send(program.fd, "unread", 6, 0), 6);
	struct pollfd poll_fd = { .fd = accepted, .events = POLLIN };
	CHECK_EQ(poll(&poll_fd, 1, 5000), 1);
	close(accepted);
	/* The program's socket has nothing unread at the daemon's side, so we are asked to help. */
	CHECK_EQ(hear(&a, CHANNEL_RESET), 0);
	CHECK_EQ(a.last.id, program.id);
	CHECK_EQ(send(program.fd, "", 1, MSG_DONTWAIT), 1);
	struct channel_message done = { .type = CHANNEL_RESET, .id = program.id };
	CHECK(say(&a, &done, NULL, 0, -1));
	CHECK_EQ(recv(program.fd, bytes, sizeof(bytes), 0), -1);
	CHECK_EQ(errno, ECONNRESET);
	close(program.fd);
	close(listener.fd);
	close(a.fd);
	daemon_must_end();
}

TEST(channel, full_backlog_delays_and_loses_nobody)
{
	enum { COUNT = 20 };
	static struct supervisor a;
	struct program programs[COUNT];
	struct name caller;

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&a, "a", "a", 0) == 0);
	struct program listener = given_stream(&a);
	CHECK_EQ(with_address(&a, CHANNEL_BIND, listener.id, "0.0.0.0", 80), 0);
	CHECK_EQ(listen(listener.fd, 1), 0);
	struct channel_message message = { .type = CHANNEL_LISTEN, .id = listener.id, .value = 100 };
	CHECK_EQ(ask(&a, &message, NULL, 0), 0);
	for (int i = 0; i < COUNT; i++) {
		programs[i] = given_stream(&a);
		CHECK_EQ(with_address(&a, CHANNEL_CONNECT, programs[i].id, "10.77.0.2", 80), 0);
		CHECK_EQ(connect_to_daemon(&a, &programs[i]), 0);
	}
	for (int i = 0; i < COUNT; i++) {
		int fd = accept_from(&listener, a.welcome.key, &caller);
		CHECK(fd >= 0);
		close(fd);
	}
	for (int i = 0; i < COUNT; i++)
		close(programs[i].fd);
	close(listener.fd);
	close(a.fd);
	daemon_must_end();
}

TEST(channel, datagrams_carry_their_source)
{
	static struct supervisor a;
	int pairs[2][2];
	uint64_t ids[2];

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&a, "a", "a", 0) == 0);
	for (int i = 0; i < 2; i++) {
		REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]) == 0);
		ids[i] = ++last_id;
		struct channel_message message = {
			.type = CHANNEL_SOCKET, .id = ids[i], .domain = AF_INET, .kind = SOCK_DGRAM, .protocol = 17
		};
		CHECK(say(&a, &message, NULL, 0, pairs[i][1]));
		close(pairs[i][1]);
	}
	CHECK_EQ(with_address(&a, CHANNEL_BIND, ids[0], "0.0.0.0", 5000), 0);
	CHECK_EQ(with_address(&a, CHANNEL_BIND, ids[1], "0.0.0.0", 6000), 0);
	CHECK_EQ(with_address(&a, CHANNEL_CONNECT, ids[1], "10.77.0.2", 5000), 0);
	CHECK_EQ(send(pairs[1][0], "ping", 4, 0), 4);
	char bytes[16] = "";
	struct iovec part = { bytes, sizeof(bytes) };
	int fds[FDPASS_MAX];
	size_t count = FDPASS_MAX;
	set_timeout(pairs[0][0]);
	CHECK_EQ(fdpass_receive(pairs[0][0], &part, 1, fds, &count, 0), 4);
	REQUIRE(count == 1);
	struct channel_tag tag;
	CHECK_EQ(pread(fds[0], &tag, sizeof(tag), 0), sizeof(tag));
	struct sockaddr_in source;
	memcpy(&source, tag.source, sizeof(source));
	CHECK_EQ(tag.kind, TAG_DATAGRAM);
	CHECK_EQ(ntohs(source.sin_port), 6000);
	CHECK_EQ(source.sin_addr.s_addr, inet_addr("10.77.0.2"));
	close(fds[0]);
	close(pairs[0][0]);
	close(pairs[1][0]);
	close(a.fd);
	daemon_must_end();
}

TEST(channel, express_names_the_listener)
{
	static struct supervisor a, b;

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&a, "a", "a", HELLO_EXPRESS) == 0 && supervisor_open(&b, "b", "b", HELLO_EXPRESS) == 0);
	struct program listener = given_listener(&a, 80), program = given_stream(&b);
	CHECK_EQ(with_address(&b, CHANNEL_CONNECT, program.id, "10.77.0.2", 80), 0);
	struct sockaddr_un address;
	struct name name = name_of(listener.id);
	socklen_t length = name_write(a.welcome.key, &name, &address);
	size_t start = offsetof(struct sockaddr_un, sun_path) + 1;
	CHECK_EQ(b.last.payload_length, length - start);
	CHECK_BYTES(b.payload, address.sun_path + 1, b.last.payload_length);
	struct channel_message message = { .type = CHANNEL_GETPEERNAME, .id = program.id, .flags = CHANNEL_PEER_ID };
	CHECK_EQ(ask(&a, &message, NULL, 0), 0);
	struct sockaddr_in peer;
	memcpy(&peer, a.last.address, sizeof(peer));
	CHECK_EQ(peer.sin_addr.s_addr, inet_addr("10.77.0.3"));
	close(program.fd);
	close(listener.fd);
	close(a.fd);
	close(b.fd);
	daemon_must_end();
}

/* What was said before the question is heard before it, also by another connection. */
TEST(channel, express_connect_unasked)
{
	static struct supervisor a, b;
	struct channel_message first = { .type = CHANNEL_CLOSING, .id = 999 };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(80) };

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&a, "a", "a", HELLO_EXPRESS) == 0 && supervisor_open(&b, "b", "b", HELLO_EXPRESS) == 0);
	struct program listener = given_listener(&a, 80), other = given_listener(&a, 81), program = given_stream(&b);
	inet_pton(AF_INET, "10.77.0.2", &address.sin_addr);
	struct channel_message connects = { .type = CHANNEL_CONNECT,
					    .flags = CHANNEL_QUIET,
					    .id = program.id,
					    .value = 1,
					    .address_length = sizeof(address) };
	memcpy(connects.address, &address, sizeof(address));
	struct channel_message question = { .type = CHANNEL_GETPEERNAME, .id = program.id, .flags = CHANNEL_PEER_ID };
	CHECK_EQ(ask(&a, &question, &listener.id, sizeof(listener.id)), -ENOTCONN);
	kill(daemon_pid, SIGSTOP);
	CHECK(say(&a, &first, NULL, 0, -1)); /* so its turn comes first */
	CHECK(say(&b, &connects, &listener.id, sizeof(listener.id), -1));
	CHECK(say(&a, &question, &listener.id, sizeof(listener.id), -1));
	kill(daemon_pid, SIGCONT);
	CHECK_EQ(hear(&a, CHANNEL_GETPEERNAME), 0);
	CHECK_EQ(ask(&a, &question, &other.id, sizeof(other.id)), -ENOTCONN);
	close(program.fd);

	/* Not to a listener of another address. */
	program = given_stream(&b);
	connects.id = question.id = program.id;
	CHECK(say(&b, &connects, &other.id, sizeof(other.id), -1));
	CHECK_EQ(ask(&a, &question, &other.id, sizeof(other.id)), -ENOTCONN);
	close(program.fd);
	close(listener.fd);
	close(other.fd);
	close(a.fd);
	close(b.fd);
	daemon_must_end();
}

TEST(api, answers_json_and_says_what_is_wrong)
{
	static struct supervisor a;
	char *body = NULL;

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&a, "a", "a", 0) == 0);
	struct program listener = given_listener(&a, 80);
	CHECK_EQ(http_get("test", "/v1/network", &body, NULL), 200);
	CHECK(body && strstr(body, "\"name\":\"test\""));
	free(body);
	CHECK_EQ(http_get("test", "/v1/sockets", &body, NULL), 200);
	CHECK(body && strstr(body, "\"service\":\"http\""));
	CHECK(body && !strstr(body, "\"port\":53")); /* the name service keeps out of sight */
	free(body);
	close(listener.fd);
	CHECK_EQ(http_get("test", "/v1/sockets", &body, NULL), 200);
	CHECK_STR(body, "[]");
	free(body);
	CHECK_EQ(http_get("test", "/v1/nothing", &body, NULL), 404);
	free(body);
	close(a.fd);
	daemon_must_end();
	CHECK_EQ(http_get("test", "/v1/network", &body, NULL), -ENOENT);
}

TEST(channel, nonsense_ends_the_connection_and_not_the_daemon)
{
	static struct supervisor a, b;

	REQUIRE(daemon_start());
	REQUIRE(supervisor_open(&a, "a", "a", 0) == 0 && supervisor_open(&b, "b", "b", 0) == 0);
	CHECK_EQ(send(b.fd, "nonsense", 8, 0), 8);
	CHECK_EQ(recv(b.fd, b.payload, 1, 0), 0);
	for (uint32_t type = 0; type < 80; type++) {
		struct channel_message message = { .type = type,
						   .id = 12345,
						   .address_length = CHANNEL_ADDRESS_MAX,
						   .value = -1,
						   .control_length = 4000000000u };
		if (type != CHANNEL_HELLO)
			CHECK(say(&a, &message, "x", 1, -1));
	}
	struct channel_message last = { .type = CHANNEL_GETPEERNAME, .id = 1, .tag = 99 };
	CHECK(say(&a, &last, NULL, 0, -1));
	do
		REQUIRE(hear(&a, CHANNEL_GETPEERNAME) != -ETIMEDOUT);
	while (a.last.tag != 99);
	close(a.fd);
	close(b.fd);
	daemon_must_end();
}
