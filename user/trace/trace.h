/* user/trace/trace.h - captured events in a file, as `earshot record` writes and `earshot replay`
 * reads it. A trace holds plain text: its writer makes it readable to root only.
 *
 * The file: struct trace_head, then records, each at a multiple of 8 bytes: a struct trace_rec and
 * its body. They stand in the order in which an inspector takes them (capture/intake.h). Integers
 * are little endian. The layouts are the file's own, so that a trace outlives changes of those
 * between the sensor's parts; one of another version is refused.
 */
#pragma once

#include <assert.h>
#include <stddef.h>

#include "capture/intake.h"
#include "flow/ident.h"

#define TRACE_MAGIC   "EARSHOT\n"
#define TRACE_VERSION 2

struct trace_head {
	char magic[8];
	uint32_t version;
	uint32_t pad;
};

enum trace_kind {
	TRACE_DATA = 1, /* bytes */
	TRACE_OPEN,	/* struct trace_conn; so the next three */
	TRACE_SOCK,	/* its socket became known or changed */
	TRACE_CLOSE,	/* pos[] are final */
	TRACE_JOINED,	/* open already when recording began; ahead of its first data */
	TRACE_EXIT,	/* start_ns of the process, 64 bits */
	TRACE_PROC,	/* struct proc_info; passed over when its size is not that of this build */
	TRACE_KIND_MAX_,
};

struct trace_rec {
	uint16_t kind; /* enum trace_kind */
	uint16_t dir;  /* enum ev_dir, of TRACE_DATA */
	uint32_t len;  /* of the body, without what fills it up to a multiple of 8 */
	uint64_t ts_ns;
	uint64_t conn; /* 0: of none */
	uint64_t pos;  /* of the first byte, of TRACE_DATA */
	uint32_t tgid;
	uint32_t pad;
};
static_assert(sizeof(struct trace_rec) == 40, "file layout");

enum trace_conn_flag {
	TRACE_MIDWAY = 1, /* EV_CONN_MIDWAY */
};

struct trace_conn {
	uint64_t start_ns, cgroup;
	uint64_t pos[EV_DIR_MAX_]; /* bytes that passed so far */
	uint32_t tgid, ppid, uid;
	uint32_t flags; /* enum trace_conn_flag */
	uint8_t comm[16];
	uint16_t family, local_port, remote_port, pad;
	uint8_t local[16], remote[16];
};
static_assert(sizeof(struct trace_conn) == 104, "file layout");

/* --- writing */

struct trace_writer;

/* fd is borrowed; the head is written at once. max_conns: slots of the kernel's table. -ENOMEM,
 * -errno. */
int trace_writer_new(struct trace_writer **ret, int fd, uint32_t max_conns);
/* Drops what was not flushed. */
void trace_writer_free(struct trace_writer **w);
/* For intake_new(), with the writer as ctx. */
extern const struct intake_ops trace_writer_ops;
/* The time of the events that carry none, CLOCK_MONOTONIC. Set it before each intake_drain(). */
void trace_writer_now(struct trace_writer *w, uint64_t now_ns);
void trace_writer_proc(struct trace_writer *w, const struct proc_info *p);
/* Writes what is buffered. 0, or the first error since the writer was made (-ENOSPC ...): what came
 * after it is not in the file, whose records are whole up to there but for the last. */
int trace_writer_flush(struct trace_writer *w);
/* A record as it stands in a file. */
void trace_writer_record(struct trace_writer *w, const struct trace_rec *rec, struct span body);
uint64_t trace_writer_bytes(const struct trace_writer *w);

/* --- reading: the file is hostile */

struct trace_event {
	uint32_t kind;		     /* enum trace_kind */
	uint64_t ts_ns;		     /* never less than the one before */
	const struct trace_rec *rec; /* as it stands in the file, like its body */
	struct span body;
	struct conn_info conn; /* of TRACE_DATA (little is known when nothing told of it) to JOINED
				*/
	uint64_t final[EV_DIR_MAX_]; /* of TRACE_CLOSE */
	uint64_t start_ns;	     /* of TRACE_EXIT */
	struct proc_info proc;	     /* of TRACE_PROC */
};

struct trace;

/* file: all of it, borrowed while the trace is read, at an address that is a multiple of 8.
 * -EBADMSG with a sentence in why; -ENOMEM. */
int trace_new(struct trace **ret, struct span file, char *why, size_t why_size);
void trace_free(struct trace **t);
/* 1: an event, borrowed from the file; 0: the end; -EBADMSG with a sentence in why (a file that was
 * cut ends so, too); -ENOMEM. */
int trace_next(struct trace *t, struct trace_event *ret, char *why, size_t why_size);
