/* user/capture/features.h - what this kernel lets this process do, learned by trying. */
#pragma once

#include <stddef.h>

#include "capture/capture.h"

/* 1, 0, or -errno when it cannot be told (-EPERM: not privileged). Not for FEAT_RETURN_PROBES. */
int feature_probe(enum feature f);

/* Does the kernel have this function, for programs that run at its exit? */
bool feature_function(const char *name);

/* A sentence when this process may not use BPF for tracing at all. 0 or -EPERM. */
int feature_privilege(char *why, size_t why_size);

/* Does a process under a strict seccomp filter survive a return probe? 1, 0 (it was killed),
 * -errno. */
int feature_return_probes(enum capture_method method);
/* What the confined process calls for that. Weak: a test plays a kernel that kills, by its own. */
int feature_probed(int v);
