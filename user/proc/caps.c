/* user/proc/caps.c - the monitor's capabilities. */
#include "proc/caps.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "base/own.h"

static const struct caps_row table[] = {
	{ "CAP_BPF", CAP_BPF, false, "programs and maps cannot be loaded" },
	{ "CAP_PERFMON", CAP_PERFMON, false,
	  "no tracing programs, and no word of what processes map" },
	{ "CAP_SYS_PTRACE", CAP_SYS_PTRACE, false, "other users' processes cannot be identified" },
	{ "CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, false,
	  "libraries below closed directories are not found" },
	{ "CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE, false,
	  "deleted libraries and those of containers are not found" },
	{ "CAP_SETUID", CAP_SETUID, false,
	  "the sensor's processes cannot have users of their own" },
	{ "CAP_SETGID", CAP_SETGID, false,
	  "the sensor's processes cannot have groups of their own" },
	{ "CAP_KILL", CAP_KILL, false, "a process of the sensor that hangs cannot be ended" },
	{ "CAP_CHOWN", CAP_CHOWN, true, "the state directory cannot be handed to the keeper" },
};

size_t caps_rows(const struct caps_row **ret)
{
	*ret = table;
	return ARRAY_SIZE(table);
}

bool caps_have(unsigned cap)
{
	return !capng_get_caps_process() && capng_have_capability(CAPNG_EFFECTIVE, cap);
}

void caps_print(FILE *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		fprintf(f, "%s\n", table[i].name);
}

const char *caps_missing(void)
{
	if (capng_get_caps_process())
		return "knowledge of its own capabilities";
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!table[i].start_only && !capng_have_capability(CAPNG_EFFECTIVE, table[i].cap))
			return table[i].name;
	return NULL;
}

int caps_drop(uid_t uid, gid_t gid, bool with_admin)
{
	capng_flags_t flags = CAPNG_DROP_SUPP_GRP;
	bool bounding;

	if (capng_get_caps_process())
		return -EPERM;
	bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	with_admin = with_admin && capng_have_capability(CAPNG_PERMITTED, CAP_SYS_ADMIN);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!table[i].start_only)
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				     table[i].cap);
	if (with_admin)
		capng_update(CAPNG_ADD, CAPNG_PERMITTED, CAP_SYS_ADMIN);
	/* Without SETPCAP the bounding set is what the service manager left. */
	if (bounding)
		flags |= CAPNG_CLEAR_BOUNDING;
	if (capng_change_id((int)uid, (int)gid, flags) < 0)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int caps_drop_admin(void)
{
	if (capng_get_caps_process() ||
	    capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SYS_ADMIN) ||
	    capng_apply(CAPNG_SELECT_CAPS))
		return -EPERM;
	return 0;
}
