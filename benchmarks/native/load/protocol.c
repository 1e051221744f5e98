/* protocol: finds a protocol by its name. */
#include "protocol.h"

#include <string.h>

const struct protocol *protocol_named(const char *name)
{
    static const struct protocol *const known[] = {&wamp_protocol, &centrifuge_protocol, &socketio_protocol};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i]->name, name))
            return known[i];
    return NULL;
}
