/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs under the supervisor, with a daemon that says yes to everything (fake.h). */
#include "fake.h"
#include "run/filter.h"
#include "run/kernel.h"
#include "tests/test.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static char output[65536];

static bool allowed(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		/* In this order: the filter forbids what comes first. */
		_exit(kernel_pidfd_getfd(kernel_pidfd_open(getpid(), 0), 0) < 0 || filter_install(false) < 0);
	}
	waitpid(pid, &status, 0);
	if (status)
		test_skip("this system lets nobody watch system calls");
	return status == 0;
}

static int python(const char *program)
{
	pid_t daemon;
	int code;

	if (!allowed())
		return -1;
	daemon = fake_start();
	code = fake_python(program, output, sizeof(output));
	fake_stop(daemon);
	return code;
}

static void expect(const char *program, int code, const char *text)
{
	int r = python(program);

	if (r < 0)
		return;
	CHECK_EQ(r, code);
	CHECK_STR(output, text);
}

TEST(run, exit_code_is_the_programs)
{
	expect("import sys; sys.exit(42)", 42, "");
}

TEST(run, death_by_signal_n_is_128_plus_n)
{
	expect("import os; os.kill(os.getpid(), 9)", 137, "");
}

TEST(run, program_that_is_not_there_is_127_and_one_line)
{
	char *argv[] = { (char *)"/no/such/program", NULL };
	pid_t daemon;

	if (!allowed())
		return;
	daemon = fake_start();
	CHECK_EQ(fake_run(argv, output, sizeof(output)), 127);
	CHECK_STR(output, "berth: can't run '/no/such/program': no such program\n");
	argv[0] = (char *)"/etc/passwd";
	CHECK_EQ(fake_run(argv, output, sizeof(output)), 126);
	fake_stop(daemon);
}

TEST(run, descendants_end_with_the_program)
{
	expect("import os, time\nif os.fork() == 0:\n os.setsid(); time.sleep(30); print('late')", 0, "");
}

TEST(run, client_reads_what_the_server_says)
{
	expect("import socket\ns = socket.create_connection(('127.0.0.1', 80))\nprint(s.recv(10), s.recv(10))\n"
	       "print(s.getpeername())",
	       0, "b'hello\\n' b''\n('127.0.0.1', 80)\n");
}

TEST(run, socket_says_what_it_was_opened_as)
{
	expect("import socket as S\nfor t in S.SOCK_STREAM, S.SOCK_DGRAM:\n s = S.socket(S.AF_INET, t)\n"
	       " print(s.getsockopt(1, 3) == t, s.getsockopt(1, 38), s.getsockopt(1, 39))\n"
	       " print(S.socket(fileno=s.detach()).family.name)",
	       0, "True 6 2\nAF_INET\nTrue 17 2\nAF_INET\n");
}

TEST(run, refusal_known_at_once_is_connects_error)
{
	expect("import socket\ns = socket.socket()\nprint(s.connect_ex(('127.0.0.1', 1)))", 0, "111\n");
}

TEST(run, blocking_connect_waits_for_its_result)
{
	expect("import socket\nfor port in 2, 3:\n print(socket.socket().connect_ex(('127.0.0.1', port)))", 0,
	       "110\n0\n");
}

TEST(run, nonblocking_connect_is_not_writable_until_connected)
{
	expect("import socket, select\ns = socket.socket()\ns.setblocking(False)\n"
	       "print(s.connect_ex(('127.0.0.1', 3)))\np = select.epoll()\np.register(s, select.EPOLLOUT)\n"
	       "print(p.poll(0.02))\n",
	       0, "115\n[]\n");
}

TEST(run, accept_gives_connection_and_address)
{
	expect("import socket\ns = socket.socket()\ns.bind(('', 80))\ns.listen()\nc, a = s.accept()\n"
	       "print(a, c.recv(10), c.recv(10), c.get_inheritable())",
	       0, "('10.77.0.9', 4711) b'ping' b'' False\n");
}

TEST(run, accept_obeys_a_timeout_and_a_signal)
{
	expect("import socket, struct, signal\ns = socket.socket()\ns.bind(('', 80))\ns.listen()\ns.accept()\n"
	       "s.setsockopt(1, 20, struct.pack('ll', 0, 50000))\ntry: s.accept()\nexcept BlockingIOError: print('timeout')\n"
	       "s.setsockopt(1, 20, struct.pack('ll', 0, 0))\n"
	       "def late(*a): print('alarm'); raise SystemExit(3)\nsignal.signal(signal.SIGALRM, late)\n"
	       "signal.setitimer(signal.ITIMER_REAL, 0.05)\ns.accept()",
	       3, "timeout\nalarm\n");
}

TEST(run, datagram_comes_back_with_its_source)
{
	expect("import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
	       "print(s.sendto(b'abc', ('10.0.0.1', 53)))\nprint(s.recvfrom(2, socket.MSG_PEEK))\n"
	       "print(s.recvmsg(2)[0::2])\ns.sendto(b'', ('10.0.0.1', 53))\nprint(s.recvfrom(9))\n"
	       "s.sendto(b'native', ('10.0.0.1', 53))\nprint(s.recv(9))",
	       0, "3\n(b'ab', ('10.0.0.1', 53))\n(b'ab', 32)\n(b'', ('10.0.0.1', 53))\nb'native'\n");
}

TEST(run, unsupported_sockets_fail_and_are_said_once)
{
	expect("import socket, errno\nfor i in 1, 2:\n"
	       " for k in ((17, 3, 0), (40, 1, 0), (2, 1, 132), (16, 3, 15)):\n"
	       "  try: socket.socket(*k)\n  except OSError as e: print(errno.errorcode[e.errno], end=' ', flush=True)",
	       0,
	       "berth: fake: socket(AF_PACKET, SOCK_RAW, 0) is not supported here: EPERM\nEPERM "
	       "berth: fake: socket(AF_VSOCK, SOCK_STREAM, 0) is not supported here: EAFNOSUPPORT\nEAFNOSUPPORT "
	       "berth: fake: socket(AF_INET, SOCK_STREAM, 132) is not supported here: EPROTONOSUPPORT\nEPROTONOSUPPORT "
	       "berth: fake: socket(AF_NETLINK, SOCK_RAW, 15) is not supported here: EPROTONOSUPPORT\nEPROTONOSUPPORT "
	       "EPERM EAFNOSUPPORT EPROTONOSUPPORT EPROTONOSUPPORT ");
}

TEST(run, bad_pointers_and_lengths_are_errors)
{
	expect("import socket, ctypes, errno\nl = ctypes.CDLL(None, use_errno=True)\ns = socket.socket()\n"
	       "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
	       "def t(f, *a):\n r = f(s.fileno(), *a); print(r, errno.errorcode.get(ctypes.get_errno()))\n"
	       "P = ctypes.c_void_p\nt(l.connect, P(1), 16)\nt(l.bind, P(0), 2**31 - 1)\nt(l.bind, P(0), -1)\n"
	       "t(l.getsockname, P(0), P(0))\nt(l.setsockopt, 6, 1, P(8), 4)\nt(l.getsockopt, 6, 1, P(8), P(9))\n"
	       "s = u\nt(l.sendto, P(1), ctypes.c_size_t(2**63), 0, P(1), 16)\nt(l.sendmsg, P(3), 0)\n"
	       "t(l.recvmsg, P(-1), 64)\nt(l.recvmmsg, P(7), -1, 64, 0)",
	       0,
	       "-1 EFAULT\n-1 EINVAL\n-1 EINVAL\n-1 EFAULT\n-1 EFAULT\n-1 EFAULT\n-1 EMSGSIZE\n-1 EFAULT\n-1 EFAULT\n"
	       "-1 EFAULT\n");
}

TEST(run, programs_own_unix_sockets_stay_native)
{
	expect("import socket\na, b = socket.socketpair()\na.sendmsg([b'x'])\nprint(b.recvmsg(9)[0])\n"
	       "s = socket.socket(socket.AF_UNIX)\ns.bind('\\0berth-test-native')\ns.listen()\n"
	       "c = socket.socket(socket.AF_UNIX)\nc.connect(s.getsockname())\ns.accept()[0].send(b'y')\n"
	       "print(c.recv(1), c.getpeername())",
	       0, "b'x'\nb'y' b'\\x00berth-test-native'\n");
}

TEST(run, threads_call_at_the_same_time)
{
	expect("import socket, threading\ndef f():\n for i in range(50):\n"
	       "  s = socket.create_connection(('127.0.0.1', 80)); assert s.recv(9) == b'hello\\n'; s.close()\n"
	       "t = [threading.Thread(target=f) for i in range(8)]\n[x.start() for x in t]\n[x.join() for x in t]\nprint('done')",
	       0, "done\n");
}
