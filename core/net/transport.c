/* transport.c - the names of refusals and of the ends of connections, for logs and events.
 * Owns:    nothing.
 * Threads: any; constant.
 * Fails:   never. */
#include "net/transport.h"

const char *dz_refusal_name(enum dz_refusal refusal)
{
    switch (refusal) {
    case DZ_REFUSAL_NONE:
        return "none";
    case DZ_REFUSAL_VERSION:
        return "version_mismatch";
    case DZ_REFUSAL_SELF:
        return "self";
    case DZ_REFUSAL_WRONG_RECEIVER:
        return "wrong_receiver";
    case DZ_REFUSAL_STALE:
        return "stale_incarnation";
    case DZ_REFUSAL_SECRET:
        return "secret_mismatch";
    case DZ_REFUSAL_INSECURE:
        return "insecure";
    case DZ_REFUSAL_BUSY:
        return "busy";
    case DZ_REFUSAL_DENIED:
        return "denied";
    case DZ_REFUSAL_STOPPING:
        return "stopping";
    case DZ_REFUSAL_GARBAGE:
        return "garbage";
    case DZ_REFUSAL_TIMEOUT:
        return "timeout";
    case DZ_REFUSAL_UNREACHABLE:
        return "unreachable";
    case DZ_REFUSAL_CLOSED:
        return "closed";
    case DZ_REFUSAL_CONNECT:
        return "connection_refused";
    case DZ_REFUSAL_LIMIT:
        return "limit";
    }
    return "unknown";
}

const char *dz_peer_closed_name(enum dz_peer_closed why)
{
    switch (why) {
    case DZ_PEER_EOF:
        return "eof";
    case DZ_PEER_ERROR:
        return "error";
    case DZ_PEER_PROTOCOL:
        return "protocol";
    case DZ_PEER_REFUSED:
        return "refused";
    case DZ_PEER_GOODBYE:
        return "goodbye";
    case DZ_PEER_RESET:
        return "reset";
    case DZ_PEER_REPLACED:
        return "replaced";
    }
    return "unknown";
}
