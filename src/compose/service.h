/* SPDX-License-Identifier: BSD-2-Clause */
/* One service of a compose file. */
#ifndef COMPOSE_SERVICE_H
#define COMPOSE_SERVICE_H

#include "compose/compose.h"

/* Read what stands under name (which stays yaml's). Returns false with yaml's error set. */
bool service_read(struct yaml *yaml, const char *name, struct fy_node *node, struct service *service);

#endif
