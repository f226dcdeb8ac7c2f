/* user/proc/notify.h - tells systemd how the service is (sd_notify(3)), without linking libsystemd.
 */
#pragma once

/* Connects to $NOTIFY_SOCKET; silent when there is none. Call before privileges are dropped. */
void notify_open(void);
/* Sends "READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=..." . */
void notify_send(const char *state);
