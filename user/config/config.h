/* user/config/config.h - the configuration, as plain data: made from YAML by a sandboxed compiler,
 * sealed in a memfd, mapped read-only by every role. Keys and meaning: docs/man/earshot.yaml.5.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/span.h"
#include "detect/kind.h"

#define CONFIG_PATH_MAX	      256
#define CONFIG_RULES_DIR      "/etc/earshot/rules.d"
#define CONFIG_PORTS_MAX      64
#define CONFIG_GLOBS_MAX      32 /* of each list */
#define CONFIG_EXPORTS_MAX    1	 /* one upstream: the store keeps one outbox */
#define CONFIG_INTEL_MAX      12 /* feeds of threat intelligence */
#define CONFIG_INTEL_NAME_MAX 64
#define CONFIG_ERRORS_MAX     4096 /* bytes of error text */

enum evidence_mode {
	EVIDENCE_REDACTED, /* the span with every sensitive value masked */
	EVIDENCE_NONE,	   /* no text at all */
	EVIDENCE_MAX_,
};

/* A feed of threat intelligence. */
struct config_intel {
	char path[CONFIG_PATH_MAX]; /* of a file or a directory of them */
	char name[CONFIG_INTEL_NAME_MAX];
	int mode; /* MODE_ALERT or MODE_HUNT */
};

enum export_type { EXPORT_HTTPS, EXPORT_MAX_ };

struct config_export {
	enum export_type type;
	char url[512];
	char ca[CONFIG_PATH_MAX], cert[CONFIG_PATH_MAX],
	    key[CONFIG_PATH_MAX]; /* PEM files; cert and key "" without client certificate */
};

/* Patterns of paths, for fnmatch() without flags: an asterisk stands for slashes, too. */
struct config_globs {
	char glob[CONFIG_GLOBS_MAX][CONFIG_PATH_MAX];
	size_t n;
};

struct config {
	char state_dir[CONFIG_PATH_MAX];
	char run_dir[CONFIG_PATH_MAX];
	char host[256]; /* "": the host's name */
	enum log_level log_level;
	struct {
		int method; /* 0: the best that the kernel has; else 1 + enum capture_method */
		uint64_t ring_bytes; /* data ring, a power of two */
		uint32_t max_connections;
		uint64_t max_call_bytes; /* of one SSL_read or SSL_write */
		uint32_t share;		 /* of the ring's second half one process's, percent */
		uint64_t max_calls;	 /* followed of one process per second; 0: all */
		int mute;		 /* 1: leave out what is of no interest */
		/* What TCP passes in plain text from or to these is captured, too: ports, and
		 * processes that run such a program or are in such a cgroup. */
		uint16_t plain_ports[CONFIG_PORTS_MAX];
		size_t n_plain_ports;
		struct config_globs plain_executables, plain_cgroups;
	} capture;
	struct {
		uint64_t cache_bytes; /* segment cache */
		enum mode modes[KIND_MAX_];
		char rules_dir[CONFIG_PATH_MAX]; /* of rule packs; may be absent */
		struct config_intel intel[CONFIG_INTEL_MAX];
		size_t n_intel;
	} detect;
	struct {
		uint32_t interval_s; /* between test calls; 0: none */
		uint32_t limit_s;    /* without one for so long the sensor is blind */
	} canary;
	enum evidence_mode evidence;
	struct config_export export[CONFIG_EXPORTS_MAX];
	size_t n_exports;
};

/* The built-in settings. */
void config_defaults(struct config *c);
/* Reads YAML over the defaults. Unknown keys, wrong types, values out of range: -EINVAL, with one
 * line "FILE:LINE:COLUMN: what" per error in errors. An empty document is the defaults.
 */
int config_parse(struct config *ret, struct span yaml, const char *file,
		 char errors[CONFIG_ERRORS_MAX]);
