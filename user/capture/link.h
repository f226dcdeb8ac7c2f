/* user/capture/link.h - puts BPF programs on places in a file, whoever runs it, by any method that
 * a kernel has. The file is named by descriptor (/proc/self/fd/N), so that what is probed is what
 * was surveyed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/capture.h"

enum leg { LEG_BOTH, LEG_ENTRY, LEG_RETURN, LEG_MAX_ };

struct place {
	uint64_t offset, cookie;
};

/* Descriptors that keep links alive. */
struct links {
	int *fds;
	size_t n, room;
	pid_t only; /* of this process, which then alone has breakpoints (not CAPTURE_PERF); 0: all
		     */
};

/* What a program must be loaded with, to be linked so (expected_attach_type). LEG_BOTH is for
 * CAPTURE_SESSION only. */
int link_attach_type(enum capture_method method, enum leg leg);
/* Adds links to l. On failure, -errno, what was added before stays: drop it with links_free(). */
int links_add(struct links *l, enum capture_method method, enum leg leg, int prog_fd, int file_fd,
	      const struct place *places, size_t n);
void links_free(struct links *l); /* detaches; l can be used again */
