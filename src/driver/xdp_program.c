/* SPDX-License-Identifier: BSD-2-Clause */
#include "driver/xdp_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What older headers do not know. Linux: include/uapi/linux/bpf.h */
enum { COMMAND_LINK_CREATE = 28, ATTACH_XDP = 37 };

static int bpf(int command, union bpf_attr *attributes)
{
	int r = (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));

	return r < 0 ? -errno : r;
}

static int make_map(unsigned count)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.map_type = BPF_MAP_TYPE_XSKMAP;
	attributes.key_size = sizeof(uint32_t);
	attributes.value_size = sizeof(uint32_t);
	attributes.max_entries = count;
	return bpf(BPF_MAP_CREATE, &attributes);
}

/* return bpf_redirect_map(&map, context->rx_queue_index, XDP_PASS); */
static int load(int map)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_REG_1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		/* NOLINTNEXTLINE(misc-redundant-expression): two of them are 0, and say what it is */
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
		{ .code = 0 }, /* the address's upper half */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.prog_type = BPF_PROG_TYPE_XDP;
	attributes.insns = (uintptr_t)code;
	attributes.insn_cnt = sizeof(code) / sizeof(code[0]);
	attributes.license = (uintptr_t) "Dual BSD/GPL";
	memcpy(attributes.prog_name, "berth", sizeof("berth"));
	return bpf(BPF_PROG_LOAD, &attributes);
}

int xdp_program_open(struct xdp_program *program, unsigned count)
{
	int r = make_map(count);

	*program = (struct xdp_program){ -1, -1, -1 };
	if (r < 0)
		return r;
	program->map = r;
	r = load(program->map);
	if (r < 0) {
		xdp_program_close(program);
		return r;
	}
	program->code = r;
	return 0;
}

int xdp_program_set(const struct xdp_program *program, unsigned queue, int socket)
{
	uint32_t key = queue, value = (uint32_t)socket;
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.map_fd = (uint32_t)program->map;
	attributes.key = (uintptr_t)&key;
	attributes.value = (uintptr_t)&value;
	return bpf(BPF_MAP_UPDATE_ELEM, &attributes);
}

int xdp_program_attach(struct xdp_program *program, unsigned interface)
{
	union bpf_attr attributes;
	int r;

	memset(&attributes, 0, sizeof(attributes));
	attributes.link_create.prog_fd = (uint32_t)program->code;
	attributes.link_create.target_ifindex = interface;
	attributes.link_create.attach_type = ATTACH_XDP;
	r = bpf(COMMAND_LINK_CREATE, &attributes); /* in the driver where it can, else in front of the stack */
	if (r < 0)
		return r;
	program->link = r;
	return 0;
}

void xdp_program_close(struct xdp_program *program)
{
	if (program->link >= 0)
		close(program->link);
	if (program->code >= 0)
		close(program->code);
	if (program->map >= 0)
		close(program->map);
	*program = (struct xdp_program){ -1, -1, -1 };
}
