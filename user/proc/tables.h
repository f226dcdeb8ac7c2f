/* user/proc/tables.h - the administrator's and the distribution's tables of probe sites
 * (capture/sites.h), as one memfd for the surveyor. The monitor copies them and reads nothing in
 * them.
 */
#pragma once

#define TABLES_BYTES_MAX (4 << 20) /* of all tables together */

/* Joins *.sites of the folder sites/ beside the configuration file, then of ../share/earshot/sites
 * beside this program's folder, each in the order of names. *ret_fd: sealed; -1 when there is none.
 * A file that cannot be taken is named in the log and left out: not root's, writable by
 * others, too large. -errno when the memfd cannot be made. */
int tables_open(const char *config_path, int *ret_fd);
