/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/event.h - the only contract between kernel and user space. Fixed widths, explicit padding,
 * both sides include it. Two rings per inspector: data (EV_DATA) and control (the rest), so that
 * payload overload cannot drop an open or a close. Memory-mapped arrays beside them: conns (written
 * by BPF, read-only to user space) and slots (policy, written by the inspector). A connection's
 * open is submitted before its first data. So a consumer that takes the data ring's ring_mark()
 * first, then empties the control ring, then consumes data up to the mark never meets data before
 * its open (unless EV_LOSS_CONTROL counted it: then conns has it). A close may come before the last
 * data: its pos[] tells.
 */
#pragma once

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* A process, and one program that it executed: a reused pid has another start, and after execve(2)
 * no SSL* is what it was. */
struct ev_proc {
	__u64 start_ns; /* start_boottime of the thread group leader */
	__u32 tgid;
	__u32 exec; /* differs after each execve */
};

enum ev_kind {
	EV_DATA = 1, /* struct ev_hdr, then len bytes of plaintext */
	EV_OPEN,     /* struct ev_conn: a connection's first bytes; its socket may be known from the
			handshake */
	EV_SOCK,     /* struct ev_conn: its socket became known, changed, or is doubtful after all
			(family 0) */
	EV_CLOSE,    /* struct ev_conn: SSL_free, SSL_clear or a reused pointer; pos[] are the final
			positions */
	EV_EXIT, /* struct ev_exit: a process that had connections executed another program, or its
		    last thread is gone */
	EV_KIND_MAX_,
};

enum ev_dir { EV_READ, EV_WRITE, EV_DIR_MAX_ };

/* ev_hdr.flags: the direction, and in the upper byte the turn: how often the direction changed so
 * far, modulo 256. */
#define EV_F_WRITE  1 /* direction is EV_WRITE */
#define EV_F_CANARY 2 /* of a test call of the sensor: EV_CONN_CANARY */
/* A bit for each enum ev_dir of which bytes passed before these, nobody knows how many. */
#define EV_SKIPPED_AT	  2
#define EV_SKIPPED(flags) ((flags) >> EV_SKIPPED_AT & 3)
/* 1 to EV_WATCHED_MAX: it begins a request that BPF looked at, for the word with this number
 * (EV_ABOUT_ANSWERS). 0: it did not. */
#define EV_WATCHED_AT	  4
#define EV_WATCHED_MAX	  15
#define EV_WATCHED(flags) ((flags) >> EV_WATCHED_AT & EV_WATCHED_MAX)
#define EV_TURN(flags)	  ((flags) >> 8 & 0xff)

struct ev_hdr {
	__u16 kind; /* enum ev_kind */
	__u16 flags;
	__u32 len; /* bytes that follow this header and are valid (a record's room may be larger) */
	__u64 ts_ns; /* CLOCK_MONOTONIC; never used for order */
	__u64 conn;  /* unique while the sensor runs, never reused, never 0 */
	__u64 pos;   /* byte position in this direction's stream of the first byte */
	__u32 slot;  /* index into conns and slots */
	__u32 tgid;
};
_Static_assert(sizeof(struct ev_hdr) == 40, "wire layout");

/* Why bytes or events were not captured. One per-CPU counter of events and one of bytes for each.
 */
enum ev_loss {
	EV_LOSS_RING,	   /* data ring full */
	EV_LOSS_FAULT,	   /* the buffer could not be read */
	EV_LOSS_CALL,	   /* beyond the limit for one call */
	EV_LOSS_MUTED,	   /* policy of the connection */
	EV_LOSS_CONNS,	   /* connection table full */
	EV_LOSS_CONTROL,   /* control ring full: an open, socket or close event */
	EV_LOSS_NESTED,	   /* calls not followed: too many in flight on one thread, or task storage
			    * refused. Bytes are unknown, so   the connection is closed, and its next
			    * bytes open a new one */
	EV_LOSS_SENDFILE,  /* SSL_sendfile: no plaintext in user memory */
	EV_LOSS_BUDGET,	   /* of a process beyond its budget: its share of the data ring's second
			    * half; or calls, whose bytes are unknown, so the connection is closed */
	EV_LOSS_NO_BUFFER, /* sent or received in plain text by a way that does not tell where it
			    * is: splice, sendfile, io_uring, several messages at once */
	EV_LOSS_MAX_,
};

struct ev_stats {
	__u64 calls;   /* successful reads and writes seen */
	__u64 bytes;   /* bytes they carried */
	__u64 records; /* data records submitted */
	__u64 opened;
	__u64 closed;
	__u64 lost_events[EV_LOSS_MAX_];
	__u64 lost_bytes[EV_LOSS_MAX_];
};

enum ev_ring { EV_RING_DATA, EV_RING_CONTROL, EV_RING_MAX_ };

/* Of one process, for as long as procs has it: an element of procs. Losses do not count
 * EV_LOSS_MUTED. */
struct ev_proc_stats {
	__u64 calls, bytes; /* that passed on its connections */
	__u64 lost_events, lost_bytes;
	__u64 muted_bytes;
	__u64 lost_ns;	/* CLOCK_MONOTONIC of the last loss; 0: none */
	__u32 lost_why; /* enum ev_loss of the last loss */
	__u32 conns;	/* live ones */
	__u32 exited;	/* 1 once its last thread is gone */
	__u32 canary;	/* 1: makes the sensor's test calls. In no sum of struct ev_stats */
	__u64 shed_events, shed_bytes, shed_ns; /* of the losses, those by EV_LOSS_BUDGET */
	__u64 paid[EV_RING_MAX_], call_ns;	/* what it took of its budgets: bpf/share.bpf.h */
};

struct ev_sock {
	__u16 family; /* AF_INET, AF_INET6 (never a mapped IPv4 address); 0: unknown, and the rest
			 is 0 */
	__u16 local_port, remote_port; /* host order */
	__u16 pad;
	__u8 local[16], remote[16]; /* network order; IPv4 in the first 4 */
};

/* ev_conn.flags. Its handshake was not seen: it is older than the sensor, or goes on after the
 * SSL_free of one of several references, or calls were missed. Position 0 may be in the middle of
 * anything. */
#define EV_CONN_MIDWAY 1
/* A test call of the sensor itself: to be seen, and to show in nobody's figures. */
#define EV_CONN_CANARY 2
/* Plain text of a TCP socket: ssl is EV_PLAIN_SSL(its cookie), and sock is exact. */
#define EV_CONN_PLAIN	     4
#define EV_PLAIN_SSL(cookie) ((cookie) | 1ULL << 63) /* no user-space address */

/* What the sensor's own processes are to capture. */
enum ev_own {
	EV_OWN_EXCLUDED = 1,
	EV_OWN_CANARY, /* marked by EV_CONN_CANARY */
};

/* One live connection: an element of conns, and the body of open, socket and close events.
 * id 0: free. Readers of the mapped array may see a torn element: check id before and after.
 */
struct ev_conn {
	__u64 id;
	__u64 ssl;	/* the SSL* of the process, or EV_PLAIN_SSL() */
	__u64 start_ns; /* start_boottime of the thread group leader: with tgid, the process */
	__u64 cgroup;	/* bpf_get_current_cgroup_id() */
	__u64 pos[EV_DIR_MAX_];	 /* bytes that passed so far */
	__u64 lost[EV_DIR_MAX_]; /* of which not captured */
	__u32 tgid, ppid;
	__u32 uid, slot;
	struct ev_sock sock;
	__u8 comm[16]; /* of the thread group leader */
	__u32 turn;    /* how often the direction changed */
	__u8 dir;      /* enum ev_dir of the latest bytes */
	__u8 votes;    /* how firmly sock is believed */
	__u8 changes;  /* how often contrary evidence replaced it */
	__u8 flags;    /* EV_CONN_* */
	__u32 exec;    /* of struct ev_proc */
	__u8 watched;  /* number of the latest word about its answers that BPF knows */
	__u8 lifted;   /* since then it saw a request that is not plain */
	__u8 skipped;  /* bit per enum ev_dir: since the latest record calls were passed over */
	__u8 direct;   /* its calls use the socket themselves */
};
_Static_assert(sizeof(struct ev_conn) == 152, "wire layout");

struct ev_ctl { /* a record of the control ring, but EV_EXIT */
	struct ev_hdr hdr;
	struct ev_conn conn;
};

struct ev_exit {
	struct ev_hdr hdr; /* tgid; conn 0 */
	__u64 start_ns;
};

/* slots: one word per connection, written by the inspector, read by BPF. The upper 32 bits are the
 * low 32 bits of the connection's id: BPF ignores a word meant for an earlier user of the slot.
 * The next 16 bits are a time, and EV_MUTE_S after it the word lapses, whoever forgot it; then what
 * the policy is about; then the policy.
 *
 * A call that is muted is passed over at its entry: its bytes are not counted, positions do not
 * know them, and the next record has EV_SKIPPED(). Where the entry cannot tell (the socket is not
 * known yet) they are, and positions advance.
 */
enum ev_policy {
	EV_WATCH,
	EV_MUTE_TURN, /* skip until the direction turns */
	EV_MUTE,      /* skip */
	EV_MUTE_DIR,  /* skip this direction */
	/* HTTP/1: skip this direction, the answers, unless a request is not plain: a GET or HEAD,
	 * whole in one call, alone in it, no upgrade. From the first that is not, all is captured
	 * until a word with another number comes. */
	EV_MUTE_ANSWERS,
	EV_WATCH_ANSWERS, /* skip nothing yet, but look at requests */
};
#define EV_MUTE_S    10
#define EV_STAMP(ns) ((ns) >> 30 & 0xffff)
#define EV_SLOT(conn_id, now_ns, about, policy)                                                    \
	((__u64)(__u32)(conn_id) << 32 | (__u64)EV_STAMP(now_ns) << 16 | (__u64)(about) << 8 |     \
	 (policy))
#define EV_SLOT_POLICY(word)	  ((__u8)(word))
#define EV_SLOT_ABOUT(word)	  ((__u8)((word) >> 8))
#define EV_SLOT_AGE(word, now_ns) ((__u16)(EV_STAMP(now_ns) - ((word) >> 16 & 0xffff)))
/* About EV_MUTE_TURN: EV_TURN() of a record; without effect when the direction turned meanwhile.
 * About EV_MUTE_DIR: the direction. About EV_*_ANSWERS: */
#define EV_ABOUT_ANSWERS(dir, number) ((number) << 1 | (dir))

/* One element, mapped read-write by both sides: how a sleeping consumer is woken. */
struct ev_wake {
	__u32
	    asleep; /* set by the inspector before it epolls, cleared by the record that wakes it */
	__u32 pad;
};

/* What a probe site's arguments and result mean: the attach cookie of each site
 * (bpf_get_attach_cookie). */
enum ev_site {
	EV_SITE_READ = 1, /* int f(SSL *, void *, int): bytes, or <= 0 */
	EV_SITE_WRITE,
	EV_SITE_READ_EX,   /* int f(SSL *, void *, size_t, size_t *done): 1, or <= 0; also
			      ssl_read_internal */
	EV_SITE_WRITE_EX,  /* also ssl_write_internal before OpenSSL 3.3 */
	EV_SITE_WRITE_EX2, /* int f(SSL *, const void *, size_t, uint64_t flags, size_t *done): also
			      the internal of 3.3+ */
	EV_SITE_FREE,	   /* void f(SSL *): the connection ends */
	EV_SITE_CLEAR,	   /* int f(SSL *): the object is reused */
	EV_SITE_SENDFILE,  /* SSL_sendfile(SSL *, fd, offset, size, flags): bytes */
	EV_SITE_HANDSHAKE, /* int SSL_do_handshake(SSL *): no bytes, but what it sends and receives
			      tells the socket */
	EV_SITE_MAX_,
};
