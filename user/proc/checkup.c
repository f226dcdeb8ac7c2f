/* user/proc/checkup.c - can this host carry a sensor? One row per thing that Earshot depends on. */
#include "proc/checkup.h"

#include <errno.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/own.h"
#include "capture/features.h"
#include "proc/caps.h"

#define FIRST_PID_NS 4026531836u /* the kernel's PROC_PID_INIT_INO */

const char *const check_states[CHECK_STATE_MAX_] = {
	[CHECK_GOOD] = "good",
	[CHECK_LESS] = "less",
	[CHECK_BAD] = "bad",
	[CHECK_UNKNOWN] = "unknown",
};

struct list {
	struct check *p;
	size_t n;
};

/* Room for one more, good until something else is said. */
static struct check *add(struct list *l, const char *name, const char *cost)
{
	static struct check beyond;
	struct check *c = l->n < CHECKUP_MAX ? &l->p[l->n++] : &beyond;

	*c = (struct check){ .name = name, .cost = cost };
	return c;
}

/* The first line of a file, without its end. false: it cannot be read. */
static bool first_line(const char *path, char *out, size_t size)
{
	auto_file FILE *f = fopen(path, "re");

	if (!f || !fgets(out, (int)size, f))
		return false;
	out[strcspn(out, "\n")] = '\0';
	return true;
}

static void check_caps(struct list *l)
{
	const struct caps_row *rows;
	size_t n = caps_rows(&rows);

	for (size_t i = 0; i < n; i++) {
		struct check *c = add(l, rows[i].name, rows[i].without);

		if (caps_have(rows[i].cap))
			continue;
		c->state = CHECK_BAD;
		snprintf(c->found, sizeof(c->found),
			 geteuid() ? "missing here: run this as root" : "missing, although root");
	}
}

static void check_features(struct list *l)
{
	bool has[FEAT_MAX_] = { false };

	for (enum feature f = 0; f < FEAT_MAX_; f++) {
		struct check *c = add(l, features[f].name, features[f].without);
		int r;

		if (f == FEAT_RETURN_PROBES)
			r = feature_return_probes(has[FEAT_UPROBE_SESSION] ? CAPTURE_SESSION
						  : has[FEAT_UPROBE_MULTI] ? CAPTURE_MULTI
									   : CAPTURE_PERF);
		else
			r = feature_probe(f);
		has[f] = r == 1;
		if (r == 1)
			continue;
		if (features[f].spare && has[f - 1]) {
			snprintf(c->found, sizeof(c->found), "not needed: %s is there",
				 features[f - 1].name);
			continue;
		}
		if (r < 0) {
			c->state = CHECK_UNKNOWN;
			snprintf(c->found, sizeof(c->found), "cannot be tried: %s", strerror(-r));
			continue;
		}
		c->state = features[f].required ? CHECK_BAD : CHECK_LESS;
		if (f == FEAT_RETURN_PROBES)
			snprintf(c->found, sizeof(c->found), "a process under seccomp is killed");
		else
			snprintf(c->found, sizeof(c->found), "missing: new in Linux %s",
				 features[f].since);
	}
}

static void check_lockdown(struct list *l)
{
	struct check *c = add(l, "lockdown",
			      "in confidentiality mode the kernel hides all memory from BPF: "
			      "nothing can be captured");
	char modes[128], *mode, *end;

	if (!first_line("/sys/kernel/security/lockdown", modes, sizeof(modes)))
		return; /* not built in, or securityfs is not mounted: the return probe tells */
	mode = strchr(modes, '[');
	end = mode ? strchr(mode, ']') : NULL;
	if (!end)
		return;
	*end = '\0';
	snprintf(c->found, sizeof(c->found), "%s", mode + 1);
	if (!strcmp(mode + 1, "confidentiality"))
		c->state = CHECK_BAD;
}

static void check_jit(struct list *l)
{
	struct check *c = add(l, "bpf-jit", "every probe is interpreted, some ten times slower");
	char v[16];

	if (!first_line("/proc/sys/net/core/bpf_jit_enable", v, sizeof(v))) {
		c->state = CHECK_UNKNOWN;
	} else if (!strcmp(v, "0")) {
		c->state = CHECK_LESS;
		snprintf(c->found, sizeof(c->found), "off: sysctl net.core.bpf_jit_enable=1");
	}
}

static void check_pid_namespace(struct list *l)
{
	struct check *c = add(l, "host-pids", "only the processes of this container are seen");
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0) {
		c->state = CHECK_UNKNOWN;
	} else if (st.st_ino != FIRST_PID_NS) {
		c->state = CHECK_BAD;
		snprintf(c->found, sizeof(c->found),
			 "not the host's pid namespace (Kubernetes: hostPID: true)");
	}
}

static void check_cgroup(struct list *l)
{
	struct check *c = add(l, "cgroup-v2",
			      "container, pod and unit come from cgroup v1 paths, which some "
			      "runtimes leave empty");
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) < 0) {
		c->state = CHECK_LESS;
		snprintf(c->found, sizeof(c->found), "/sys/fs/cgroup: %s", strerror(errno));
	} else if ((unsigned long)fs.f_type != CGROUP2_SUPER_MAGIC) {
		c->state = CHECK_LESS;
		snprintf(c->found, sizeof(c->found), "not mounted on /sys/fs/cgroup");
	}
}

static void check_landlock(struct list *l)
{
	struct check *c =
	    add(l, "landlock", "the sensor's processes are confined by seccomp and their uid only");
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0) {
		c->state = CHECK_LESS;
		snprintf(c->found, sizeof(c->found), "%s",
			 errno == EOPNOTSUPP ? "switched off: boot with lsm=landlock,..."
					     : "not in this kernel (Linux 5.13)");
	} else {
		snprintf(c->found, sizeof(c->found), "ABI %ld", abi);
	}
}

static void check_seccomp(struct list *l)
{
	struct check *c = add(l, "seccomp", "the sensor's processes refuse to start unconfined");

	if (access("/proc/sys/kernel/seccomp/actions_avail", F_OK) < 0) {
		c->state = CHECK_BAD;
		snprintf(c->found, sizeof(c->found), "not in this kernel (CONFIG_SECCOMP_FILTER)");
	}
}

size_t checkup(struct check ret[CHECKUP_MAX])
{
	struct list l = { .p = ret };

	check_caps(&l);
	check_features(&l);
	check_lockdown(&l);
	check_jit(&l);
	check_pid_namespace(&l);
	check_cgroup(&l);
	check_landlock(&l);
	check_seccomp(&l);
	return l.n;
}
