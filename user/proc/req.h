/* user/proc/req.h - messages between the processes: SOCK_SEQPACKET, one struct req_hdr, a body,
 * descriptors. Each process has one table of what it accepts. Wrong sender, wrong size, unknown
 * type: the sender is ended (or, by a role that cannot end it, its socket closed).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proc/role.h"

#define REQ_BODY_MAX (64 << 10)
#define REQ_FDS_MAX  16

enum req {
	REQ_START =
	    1, /* monitor -> role: struct start, then one uint32_t enum start_fd per descriptor */
	REQ_READY, /* role -> monitor: empty; sandboxed and working */
	REQ_PEER, /* monitor -> inspector, keeper, shipper: uint32_t enum role of the other end; one
		     descriptor. Replaces an earlier one */
	REQ_PROC, /* monitor -> inspector: struct proc_info */
	REQ_WHO,  /* inspector -> monitor: struct who_msg; answered with REQ_PROC */
	REQ_SURVEYED, /* surveyor -> monitor: struct survey */
	REQ_HASHED,   /* surveyor -> monitor: SHA-256 of the file, FILEHASH_LEN bytes */
	REQ_COMPILED, /* compiler -> monitor: text of errors (empty: none); one descriptor: what
			 was made. None: the cached image is what would be made */
	REQ_SENSOR,   /* monitor -> keeper: struct sensor_msg; becomes a sensor.* alert */
	REQ_ROLES,    /* monitor -> keeper: struct roles_msg */
	REQ_KEEP,     /* inspector -> keeper: protobuf ToKeeper */
	REQ_KEPT,  /* keeper -> inspector: uint64_t: every finding and observation up to this number
		      is committed */
	REQ_BATCH, /* keeper -> shipper: protobuf Batch; one at a time, the next after REQ_SHIPPED
		    */
	REQ_SHIPPED,  /* shipper -> keeper: protobuf Ack */
	REQ_UPSTREAM, /* shipper -> keeper: text: why the last attempt failed, "" when it succeeded
		       */
	REQ_CANARY,  /* monitor -> canary: empty; make a test call. keeper -> monitor: have one made
		      */
	REQ_EXPLAIN, /* keeper -> monitor: struct explain_msg */
	REQ_EXPLAINED, /* monitor -> keeper: struct explained */
	REQ_PATTERNS,  /* monitor -> inspector: uint64_t: bytes of the image that comes as the one
			  descriptor, to be used from now on. inspector -> monitor: uint32_t: 0, or
			  the errno for which it keeps the one before */
	REQ_STOP,      /* monitor -> role: finish what is in hand and exit 0 */
	REQ_FEEDS,     /* monitor -> indexer: struct feeds_msg; a descriptor for each that is not
			  missing, then the old index if there is one */
	REQ_INDEXED,   /* indexer -> monitor: struct indexed_msg; the index, a sealed memfd */
	REQ_INTEL,     /* monitor -> inspector: uint64_t size; the index */
	REQ_MAX_,
};

struct req_hdr {
	uint32_t type; /* enum req */
	uint32_t len;  /* of the body */
};

struct roles_msg { /* what the keeper shows in its status */
	struct {
		uint64_t started_ns; /* wall clock */
		uint32_t pid, restarts, up, pad;
	} role[ROLE_MAX_];
	char method[32]; /* "uprobe.session" */
	uint64_t
	    canary_ns; /* CLOCK_MONOTONIC: when a test call last came through, or the wait began */
	uint32_t canary, pad2; /* enum pulse_state */
	char rules[256]; /* why the rules in their folder are not those in use; "": they are */
};

/* What the monitor has to say of the sensor itself. Plain data: the monitor links no protobuf. */
struct sensor_msg {
	char kind[32]; /* "sensor.restart" */
	char why[192];
	uint64_t events, bytes;
};

/* What the indexer is to read. */
struct feeds_msg {
	uint64_t now_s;	   /* Unix time */
	uint64_t old_size; /* of the index in use; 0: none */
	uint32_t n, pad;
	struct {
		char name[CONFIG_INTEL_NAME_MAX];
		uint32_t hunt, missing;
	} feed[CONFIG_INTEL_MAX];
};

struct indexed_msg {
	uint64_t size, entries;
	uint64_t expires_s;   /* when the first indicator is outdated; 0: none is */
	uint32_t broken, pad; /* bit per feed */
	char why[192];	      /* of one that is broken */
};

struct who_msg {
	uint32_t tgid, ppid;
	uint64_t start_ns;
	char comm[16]; /* when its connection was opened */
};

struct req_msg {
	enum req type;
	const void *body;
	size_t len;
	int *fds; /* what the handler takes over it must set to -1; the rest is closed after it
		     returned */
	size_t n_fds;
};

struct peer;

struct req_row {
	enum role sender;
	size_t min, max; /* body bytes */
	/* 0; -EBADMSG: content is wrong, the sender is ended; other errors are the receiver's own
	 * trouble and are returned. */
	int (*handle)(struct peer *p, const struct req_msg *m);
};

/* One end of a socket. */
struct peer {
	int fd;			     /* -1: none */
	enum role role;		     /* of the other end */
	const struct req_row *table; /* REQ_MAX_ rows; rows without handler are refused */
	void *ctx;		     /* for handlers */
};

/* Sends one message. 0; -EAGAIN when the socket is full (nothing sent); -EPIPE when the other end
 * is gone; -EMSGSIZE. */
int req_send(int fd, enum req type, const void *body, size_t len, const int *fds, size_t n_fds);
/* Receives and handles one message. 1 handled; 0 nothing there; -EPIPE the other end is gone;
 * -EBADMSG it broke the rules (end it); else the handler's error. */
int req_recv(struct peer *p);
