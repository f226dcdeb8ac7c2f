/* user/capture/link.c - uprobes by multi link (all places of a file at once) or by perf event (each
 * its own). A raw system call for multi links: libbpf 1.4 does not pass on the arguments of the
 * session type, and Debian 12's linux/bpf.h knows neither.
 */
#include "capture/link.h"

#include <bpf/bpf.h>
#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"

#define ATTACH_UPROBE_MULTI   48 /* BPF_TRACE_UPROBE_MULTI, kernel 6.6 */
#define ATTACH_UPROBE_SESSION 57 /* BPF_TRACE_UPROBE_SESSION, kernel 6.13 */
#define MULTI_RETURN	      1	 /* BPF_F_UPROBE_MULTI_RETURN */
#define PATH_ROOM	      32 /* /proc/self/fd/N */

int link_attach_type(enum capture_method method, enum leg leg)
{
	if (method == CAPTURE_PERF)
		return 0;
	return leg == LEG_BOTH ? ATTACH_UPROBE_SESSION : ATTACH_UPROBE_MULTI;
}

/* Takes fd over. */
static int keep(struct links *l, int fd)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 4;
		int *fds = reallocarray(l->fds, room, sizeof(*fds));

		if (!fds) {
			close(fd);
			return -ENOMEM;
		}
		l->fds = fds;
		l->room = room;
	}
	l->fds[l->n++] = fd;
	return 0;
}

/* BPF_LINK_CREATE of union bpf_attr, as far as multi links use it. */
struct multi_attr {
	__u32 prog_fd, target_fd, attach_type, flags;
	__u64 path, offsets, ref_ctr_offsets, cookies;
	__u32 cnt, multi_flags, pid, pad;
};

static int add_multi(struct links *l, enum leg leg, int prog_fd, const char *path,
		     const struct place *places, size_t n)
{
	auto_mem __u64 *offsets = calloc(n, sizeof(*offsets));
	auto_mem __u64 *cookies = calloc(n, sizeof(*cookies));
	struct multi_attr a = {
		.prog_fd = (__u32)prog_fd,
		.attach_type = (__u32)link_attach_type(CAPTURE_MULTI, leg),
		.path = (__u64)(uintptr_t)path,
		.offsets = (__u64)(uintptr_t)offsets,
		.cookies = (__u64)(uintptr_t)cookies,
		.cnt = (__u32)n,
		.multi_flags = leg == LEG_RETURN ? MULTI_RETURN : 0,
		.pid = (__u32)l->only,
	};
	int fd;

	if (!offsets || !cookies)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		offsets[i] = places[i].offset;
		cookies[i] = places[i].cookie;
	}
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &a, sizeof(a));
	return fd < 0 ? -errno : keep(l, fd);
}

/* The number after prefix in a file of sysfs. */
static int sysfs_number(const char *path, const char *prefix)
{
	auto_file FILE *f = fopen(path, "re");
	char line[32], *end;
	long v;

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f) || strncmp(line, prefix, strlen(prefix)))
		return -EBADMSG;
	v = strtol(line + strlen(prefix), &end, 10);
	return v >= 0 && v <= INT32_MAX && *end == '\n' ? (int)v : -EBADMSG;
}

/* Opening a perf uprobe takes CAP_SYS_ADMIN since the kernel's answer to CVE-2025-38466. Who holds
 * it in reserve (permitted, not effective) wears it for that one call: true when it was put on and
 * is to be taken off.
 */
static bool wear_admin(void)
{
	return !capng_get_caps_process() && capng_have_capability(CAPNG_PERMITTED, CAP_SYS_ADMIN) &&
	       !capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) &&
	       !capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_SYS_ADMIN) &&
	       !capng_apply(CAPNG_SELECT_CAPS);
}

static int open_perf(struct perf_event_attr *a)
{
	bool worn = wear_admin();
	/* Of every process: pid -1 needs a CPU, which uprobes do not heed. */
	int fd = (int)syscall(SYS_perf_event_open, a, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (worn &&
	    (capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, CAP_SYS_ADMIN) ||
	     capng_apply(CAPNG_SELECT_CAPS)) &&
	    !err) {
		close(fd);
		return -EPERM;
	}
	return err ? err : fd;
}

static int add_perf(struct links *l, enum leg leg, int prog_fd, const char *path,
		    const struct place *place)
{
	struct perf_event_attr a = { .size = sizeof(a) };
	LIBBPF_OPTS(bpf_link_create_opts, o, .perf_event.bpf_cookie = place->cookie);
	int type = sysfs_number("/sys/bus/event_source/devices/uprobe/type", "");
	int bit = sysfs_number("/sys/bus/event_source/devices/uprobe/format/retprobe", "config:");
	int perf, fd, err;

	if (type < 0 || bit < 0 || bit > 63)
		return -EOPNOTSUPP;
	a.type = (__u32)type;
	a.config = leg == LEG_RETURN ? UINT64_C(1) << bit : 0;
	a.uprobe_path = (__u64)(uintptr_t)path;
	a.probe_offset = place->offset;
	perf = open_perf(&a);
	if (perf < 0)
		return perf;
	err = keep(l, perf);
	if (err)
		return err;
	fd = bpf_link_create(prog_fd, perf, BPF_PERF_EVENT, &o);
	if (fd < 0)
		return fd;
	err = keep(l, fd);
	if (err)
		return err;
	return ioctl(perf, PERF_EVENT_IOC_ENABLE, 0) ? -errno : 0;
}

int links_add(struct links *l, enum capture_method method, enum leg leg, int prog_fd, int file_fd,
	      const struct place *places, size_t n)
{
	char path[PATH_ROOM];
	int err = 0;

	if (!n)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	if (method != CAPTURE_PERF)
		return add_multi(l, leg, prog_fd, path, places, n);
	for (size_t i = 0; i < n && !err; i++)
		err = add_perf(l, leg, prog_fd, path, &places[i]);
	return err;
}

void links_free(struct links *l)
{
	/* Links before the perf events that they use. */
	while (l->n)
		close(l->fds[--l->n]);
	free(l->fds);
	*l = (struct links){ 0 };
}
