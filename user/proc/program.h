/* user/proc/program.h - the programs that processes with TLS code run, and their SHA-256. The
 * monitor opens them; a surveyor reads them, when there is nothing new to survey.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "capture/filehash.h"
#include "proc/codefile.h"
#include "proc/process.h"

#define PROGRAMS_MAX 512 /* hashes kept; beyond it a program is read again */

/* A hash, for as long as the file is what it was. */
struct program_hash {
	struct inode_key key; /* ino 0: free */
	struct timespec mtime;
	off_t size;
	uint8_t sha256[FILEHASH_LEN]; /* all zero: it could not be had */
};

struct programs {
	/* Borrowed. */
	struct discover *discover;
	struct codefiles *files;
	struct processes *procs;
	void (*proc)(void *ctx, const struct proc_info *p); /* a process of which it is known now */
	void *ctx;
	struct program_hash hashes[PROGRAMS_MAX]; /* direct mapped */
};

/* Fills in the hash of a process's program if it is known: true. Else the file is kept open for it.
 * The program's file may be told of after the library that made it of interest, and not be opened
 * yet: then it is not looked up. */
bool program_find(struct programs *ps, struct process *proc);
/* Some of those that were not looked up when they came. */
void programs_find(struct programs *ps);
/* The next one that waits to be read, open, and who runs it. The descriptor is the caller's; -1:
 * none. */
int program_next(struct programs *ps, struct inode_key *ret_key, pid_t *ret_pid);
/* It waits once more. Takes the descriptor. */
void program_again(struct programs *ps, const struct inode_key *key, int fd);
/* Keeps what reading has brought (all zero: nothing, not to be tried again), and tells of every
 * process that runs it. */
void program_hashed(struct programs *ps, const struct inode_key *key, int fd,
		    const uint8_t sha256[FILEHASH_LEN]);
