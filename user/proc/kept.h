/* user/proc/kept.h - the image of rules and pattern databases that the last start left in the state
 * directory. The monitor moves its bytes and reads none: the compiler checks them, and the key with
 * which they are tagged, before anybody uses them.
 */
#pragma once

/* A sealed memfd with a copy; -1: there is none. dir: owned by the monitor's user. */
int kept_open(int dir);
/* Keeps what fd (a memfd) holds, whole or not at all. -errno. */
int kept_put(int dir, int fd);
