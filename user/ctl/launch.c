/* user/ctl/launch.c - a sensor of our own: where its program is, and how it says that it is ready.
 */
#include "ctl/launch.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"

int launch_find(char path[LAUNCH_PATH_MAX])
{
	static const char *const places[] = { "../sbin/earshotd", "earshotd" };
	char self[LAUNCH_PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return -errno;
	self[n] = 0;
	slash = strrchr(self, '/');
	for (size_t i = 0; slash && i < ARRAY_SIZE(places); i++) {
		slash[1] = 0;
		if (snprintf(path, LAUNCH_PATH_MAX, "%s%s", self, places[i]) < LAUNCH_PATH_MAX &&
		    !access(path, X_OK))
			return 0;
	}
	return -ENOENT;
}

int launch_listen(char name[LAUNCH_NAME_MAX])
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int n = snprintf(name, LAUNCH_NAME_MAX, "@earshot-ready-%d", getpid());

	memcpy(a.sun_path + 1, name + 1, (size_t)n - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)) < 0)
		return -errno;
	return steal_fd(&fd);
}
