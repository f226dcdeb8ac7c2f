/* user/ctl/client.h - the control socket, from the side that asks. Answers are unpacked here; their
 * texts may be hostile. */
#pragma once

#include <stdint.h>

#include "proto/earshot.pb-c.h"

#define CLIENT_REPLY_MAX (256 << 10)

struct client;

/* Connects to RUN_DIR/control.sock, trying again for up to wait_s seconds while nobody listens
 * there. -ENOMEM; -ENAMETOOLONG; -ENOENT, -ECONNREFUSED: no sensor; -EACCES: not allowed.
 */
int client_new(struct client **ret, const char *run_dir, unsigned wait_s);
void client_free(struct client **c);
/* -errno; -EPIPE: the sensor went away. */
int client_send(struct client *c, const Earshot__CtlRequest *q);
/* Waits for the next reply; the caller frees it. 0; -EPIPE; -EINTR: a signal came; -EBADMSG;
 * -ENOMEM. */
int client_recv(struct client *c, Earshot__CtlReply **ret);
