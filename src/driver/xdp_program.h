/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program at an interface's door that hands every frame to the AF_XDP
 * socket of the queue it came in by, and to the kernel where there is none.
 * A few instructions of our own, put in by bpf(2): nothing is compiled, read
 * from a file, or linked.
 */
#ifndef DRIVER_XDP_PROGRAM_H
#define DRIVER_XDP_PROGRAM_H

struct xdp_program {
	int map;  /* queue's number to its socket */
	int code; /* the program */
	int link; /* while this is open, the program is at the interface: it goes with its process, however that ends */
};

/* An empty map for count queues, and the program, at no interface yet. 0 or a negative errno; nothing is left open then. */
int xdp_program_open(struct xdp_program *program, unsigned count);
/* Frames of queue go to socket, which is bound to it. 0 or a negative errno. */
int xdp_program_set(const struct xdp_program *program, unsigned queue, int socket);
/* 0 or a negative errno: -EBUSY when another program is there. */
int xdp_program_attach(struct xdp_program *program, unsigned interface);
/* One that was never opened is all -1. */
void xdp_program_close(struct xdp_program *program);

#endif
