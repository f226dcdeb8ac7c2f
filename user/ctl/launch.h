/* user/ctl/launch.h - a sensor of our own, for `earshot record` and `earshot doctor --try`: where
 * its program is, and how it says that it is ready. */
#pragma once

#define LAUNCH_PATH_MAX 4096
#define LAUNCH_NAME_MAX 64

/* earshotd, as installed or as built beside this program. -ENOENT. */
int launch_find(char path[LAUNCH_PATH_MAX]);
/* The descriptor of an abstract socket on which it says so, as to systemd (sd_notify(3)), and the
 * name to give it as NOTIFY_SOCKET. -errno. */
int launch_listen(char name[LAUNCH_NAME_MAX]);
