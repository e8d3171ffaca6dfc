/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a network's daemon is found: a directory for each network below
 * $XDG_RUNTIME_DIR/berth, or /tmp/berth-UID where that is not set. It is ours,
 * mode 0700, and holds
 *	lock      flock()ed by the daemon as long as it lives
 *	run.sock  supervisors (channel.h)
 *	api.sock  the control API: HTTP/JSON (docs/openapi.yaml)
 * Leftovers of a daemon that was killed are taken over by the next, or removed
 * by network_clean().
 */
#ifndef CONTROL_PATHS_H
#define CONTROL_PATHS_H

#include <stddef.h>

#define NETWORK_DEFAULT "default"
#define NETWORK_NAME_MAX 30
#define GATEWAY_HOST "_gateway" /* the daemon's own host, which talks for whoever is outside; net has the name, too */

/* A network's name: 1-30 of a-z 0-9 and inner "-". */
int network_name_valid(const char *name);
/*
 * Write the path of what ("lock", "run.sock", "api.sock" or "" for the
 * directory) of network into path. With make, make the directory. Returns 0;
 * -ENAMETOOLONG; or, with make, why not (-EPERM: exists, but not ours alone).
 */
int network_path(const char *network, const char *what, int make, char *path, size_t size);
/* The directory above all networks. */
int network_root(char *path, size_t size);
/*
 * Remove what a daemon left that was killed. Returns 0; -EWOULDBLOCK while the
 * network has a daemon; or why it could not be removed.
 */
int network_clean(const char *network);

#endif
