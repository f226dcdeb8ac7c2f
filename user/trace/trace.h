/* user/trace/trace.h - captured events in a file, as `earshot record` writes and `earshot replay`
 * reads it. A trace holds plain text: its writer makes it readable to root only.
 *
 * The file: struct trace_head, then records, each at a multiple of 8 bytes. A record is a struct
 * ev_hdr and what bpf/event.h says follows it, or one of the kinds below. They stand in the order
 * in which an inspector takes them (capture/intake.h). Integers are little endian. A trace is read
 * by the version that wrote it.
 */
#pragma once

#include <stddef.h>

#include "capture/intake.h"
#include "flow/ident.h"

#define TRACE_MAGIC   "EARSHOT\n"
#define TRACE_VERSION 1

struct trace_head {
	char magic[8];
	uint32_t version;
	uint32_t conn_len, proc_len; /* of struct ev_conn and struct proc_info */
	uint32_t pad;
};

enum trace_kind {
	TRACE_JOINED = 0x100, /* struct ev_ctl: a connection that was open already when recording
				 began, ahead of its first data */
	TRACE_PROC,	      /* struct ev_hdr, struct proc_info */
};

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
uint64_t trace_writer_bytes(const struct trace_writer *w);

/* --- reading: the file is hostile */

struct trace_event {
	uint32_t kind;		    /* enum ev_kind or enum trace_kind */
	uint64_t ts_ns;		    /* never less than the one before */
	const struct ev_hdr *hdr;   /* of EV_DATA */
	const struct ev_conn *conn; /* of EV_DATA (NULL: not told) and all but EV_EXIT */
	struct span bytes;	    /* of EV_DATA */
	const struct ev_exit *exit; /* of EV_EXIT */
	struct proc_info proc;	    /* of TRACE_PROC */
};

struct trace;

/* file: all of it, borrowed while the trace is read, at an address that is a multiple of 8.
 * -EBADMSG with a sentence in why; -ENOMEM. */
int trace_new(struct trace **ret, struct span file, char *why, size_t why_size);
void trace_free(struct trace **t);
/* 1: an event, borrowed from the file; 0: the end; -EBADMSG with a sentence in why (a file that was
 * cut ends so, too); -ENOMEM. */
int trace_next(struct trace *t, struct trace_event *ret, char *why, size_t why_size);
