/* SPDX-License-Identifier: MIT */
/*
 * value.c - values and status texts of tutti.h.
 *
 * Layer: api. Locks: none.
 */
#include "base/value.h"

TUTTI_API const char *tutti_status_text(int status)
{
    switch (status) {
#define X(number, name, text)                                                                      \
    case number:                                                                                   \
        return text;
        TUTTI_STATUS_LIST(X)
#undef X
    default:
        return "unknown status";
    }
}

TUTTI_API int tutti_value_bytes(tutti_value *out, const void *data, size_t length)
{
    if (out == NULL || (data == NULL && length > 0)) {
        return TUTTI_EINVAL;
    }
    return tutti__value_bytes(out, data, length);
}

TUTTI_API void tutti_value_free(tutti_value *v)
{
    if (v != NULL) {
        tutti__value_free(v);
    }
}
