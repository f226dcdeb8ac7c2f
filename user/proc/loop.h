/* user/proc/loop.h - an epoll loop for the processes that wait for several things. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;
typedef void loop_fn(void *ctx, uint32_t events);	/* EPOLLIN ... */
typedef void loop_timer_fn(void *ctx, uint64_t now_ns); /* CLOCK_MONOTONIC */

int loop_new(struct loop **ret); /* -errno */
void loop_free(struct loop **l);
/* Watches fd (not owned) until loop_del(). -errno; -EEXIST. fn may add and delete, itself too. */
int loop_add(struct loop *l, int fd, uint32_t events, loop_fn *fn, void *ctx);
void loop_mod(struct loop *l, int fd, uint32_t events);
void loop_del(struct loop *l, int fd);
/* Calls fn about every period_ns until the loop ends, at multiples of it, so the first time sooner.
 * At most 8 of them. */
int loop_every(struct loop *l, uint64_t period_ns, loop_timer_fn *fn, void *ctx);
/* Calls fn once, when delay_ns are over. -ENOSPC: it is not called. */
int loop_after(struct loop *l, uint64_t delay_ns, loop_timer_fn *fn, void *ctx);
/* Runs until loop_stop(). 0 or -errno. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);
