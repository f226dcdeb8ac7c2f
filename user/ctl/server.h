/* user/ctl/server.h - the control socket: SOCK_SEQPACKET, one CtlRequest a message, answered by
 * CtlReply messages. Who could connect may read (the socket is 0660 root:earshot). Owns its
 * clients; each has bounded output: a long answer is made as the client reads, and what a tail
 * cannot take is dropped and counted to it. Broken requests end the connection.
 */
#pragma once

#include "proc/loop.h"
#include "store/store.h"

#define CTL_CLIENTS_MAX	 16
#define CTL_MESSAGE_MAX	 (64 << 10)
#define CTL_REQUEST_MAX	 4096
#define CTL_ROWS_MAX	 1000 /* alerts in one answer */
#define CTL_ROWS_DEFAULT 100
#define CTL_OUT_MAX	 (1 << 20)		    /* bytes waiting for one client */
#define CTL_EXPLAIN_NS	 (5 * UINT64_C(1000000000)) /* how long an explanation may take */
#define CTL_ID_MIN	 4			    /* hex digits that name an alert */

struct ctl_server;

typedef void ctl_answer_fn(void *to, const Earshot__StatusReply *status);
struct ctl_ops {
	/* Finds out about process pid, or (next) the first one above it, and answers by
	 * ctl_server_explained() with the same ticket, some time. One at a time. 0 or -errno. */
	int (*explain)(void *ctx, uint32_t ticket, uint32_t pid, bool next);
	/* Makes the status and gives it to answer(to, ...) before it returns. */
	void (*status)(void *ctx, ctl_answer_fn *answer, void *to);
	/* Has a test call made. 0 or -errno. */
	int (*canary)(void *ctx);
	void *ctx;
};

/* fd: bound and listening, not owned. -errno. */
int ctl_server_new(struct ctl_server **ret, struct loop *l, int fd, struct store *store,
		   const struct ctl_ops *ops);
void ctl_server_free(struct ctl_server **s);
/* pid 0: there is no next process. One without state is left out: it ended meanwhile. */
void ctl_server_explained(struct ctl_server *s, uint32_t ticket, uint32_t pid,
			  const Earshot__ExplainReply *e);
/* To everyone who follows. */
void ctl_server_publish(struct ctl_server *s, const Earshot__Body *body);
